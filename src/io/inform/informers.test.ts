import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { MemoryIpfs } from '../../../test/support/memory-ipfs.ts';
import type { Informer, PinTracker } from '../../cluster/ports.ts';
import { createDiskInformer, createNumpinInformer, createPinQueueInformer, createTagsInformer } from './informers.ts';

const clock = new FakeClock();
const base = { self: 'me', ttlMs: 30_000, clock };

class SizedIpfs extends MemoryIpfs {
  size = { repoSize: 300, storageMax: 1000 };
  override async repoStat(): Promise<{ repoSize: number; storageMax: number }> {
    return this.size;
  }
}

async function made(informer: Informer): Promise<unknown[]> {
  return (await informer.metrics()).map((m) => {
    assert.equal(m.peer, 'me');
    assert.equal(m.expire, clock.wallNanos() + 30_000_000_000n);
    return [m.name, m.value, m.weight, m.valid, m.partitionable];
  });
}

test('disk informer: free space is never negative or huge; without any, nothing is said (R22)', async () => {
  const ipfs = new SizedIpfs();
  const free = createDiskInformer({ ...base, ipfs, type: 'freespace' });
  assert.deepEqual(await made(free), [['freespace', '700', 700n, true, false]]);
  for (const size of [
    { repoSize: 1000, storageMax: 1000 },
    { repoSize: 2000, storageMax: 1000 },
    { repoSize: 5, storageMax: 0 },
    { repoSize: 0, storageMax: 0 },
    { repoSize: Number.NaN, storageMax: 1000 },
    { repoSize: 300, storageMax: Number.NaN },
    { repoSize: -1, storageMax: 1000 },
    { repoSize: 300, storageMax: -1000 },
    { repoSize: 300, storageMax: Number.POSITIVE_INFINITY },
    { repoSize: 0.5, storageMax: 1000.5 },
    { repoSize: 2 ** 63, storageMax: 2 ** 63 + 4096 },
    // What no type can keep an IPFS node from.
    { repoSize: '300' as unknown as number, storageMax: '1000' as unknown as number },
  ]) {
    ipfs.size = size;
    assert.deepEqual(await made(free), [['freespace', '', 0n, false, false]], JSON.stringify(size));
  }
  ipfs.size = { repoSize: 0, storageMax: 2 ** 64 };
  assert.deepEqual(await made(free), [['freespace', '9007199254740991', 2n ** 53n - 1n, true, false]]);
  ipfs.size = { repoSize: -5, storageMax: 1 };
  assert.deepEqual(await made(createDiskInformer({ ...base, ipfs, type: 'reposize' })), [
    ['reposize', '', 0n, false, false],
  ]);
  ipfs.size = { repoSize: 300, storageMax: 1000 };
  assert.deepEqual(await made(createDiskInformer({ ...base, ipfs, type: 'reposize' })), [
    ['reposize', '300', -300n, true, false],
  ]);
});

test('tags informer', async () => {
  assert.deepEqual(await made(createTagsInformer({ ...base, tags: { group: 'a', rack: '7' } })), [
    ['tag:group', 'a', 0n, true, true],
    ['tag:rack', '7', 0n, true, true],
  ]);
  assert.deepEqual(await made(createTagsInformer({ ...base, tags: {} })), [['tag:none', '', 0n, false, false]]);
});

test('pinqueue informer weighs by buckets', async () => {
  const tracker: Pick<PinTracker, 'pinQueueSize'> = { pinQueueSize: () => 250 };
  const of = (weightBucketSize: number): Informer =>
    // Only the size of the queue is asked for.
    createPinQueueInformer({ ...base, tracker: tracker as PinTracker, weightBucketSize });
  assert.deepEqual(await made(of(100)), [['pinqueue', '250', -2n, true, false]]);
  assert.deepEqual(await made(of(0)), [['pinqueue', '250', -250n, true, false]]);
});

test('numpin informer counts both kinds', async () => {
  const ipfs = new MemoryIpfs();
  ipfs.setUp(true);
  ipfs.held.set('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy', 'recursive');
  ipfs.held.set('QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n', 'direct');
  assert.deepEqual(await made(createNumpinInformer({ ...base, ipfs })), [['numpin', '2', 0n, true, false]]);
});
