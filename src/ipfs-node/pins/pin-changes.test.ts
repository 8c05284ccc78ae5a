import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import type { PinEntry } from '../ports.ts';
import { PinChanges, type PinRecords } from './pin-changes.ts';

const cidNumber = (n: number): CID => CID.createV1(0x55, createDigest(0, Uint8Array.of(n)));
const pinNumber = (n: number, name = ''): PinEntry => ({ cid: cidNumber(n), type: 'recursive', name });

/** Records in memory; each write waits until it is let through. */
function createRecords() {
  const held = new Map<string, PinEntry>();
  const acts: string[] = [];
  const gates: PromiseWithResolvers<void>[] = [];
  const gate = (): Promise<void> => {
    const opened = Promise.withResolvers<void>();
    gates.push(opened);
    return opened.promise;
  };
  const records: PinRecords = {
    get: (cid) => held.get(cid.toString()),
    write: async (puts, removals) => {
      acts.push(`write +${puts.map(({ name }) => name)} -${removals.length}`);
      await gate();
      for (const cid of removals) held.delete(cid.toString());
      for (const pin of puts) held.set(pin.cid.toString(), pin);
    },
  };
  const changes = new PinChanges({
    records,
    flushBlocks: async () => {
      acts.push('flush');
    },
  });
  const put = (n: number): Promise<void> => changes.change(() => ({ put: pinNumber(n, `${n}`), result: undefined }));
  return { held, acts, gates, changes, put };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('PinChanges writes what comes during a write together, after its blocks, and answers afterwards', async () => {
  const { acts, gates, put } = createRecords();
  let answered = 0;
  const note = (): void => {
    answered += 1;
  };
  const first = put(1).then(note);
  await turn();
  const others = [2, 3, 4].map((n) => put(n).then(note));
  await turn();
  assert.deepEqual(acts, ['flush', 'write +1 -0']);
  assert.equal(answered, 0);
  gates.shift()?.resolve();
  await first;
  await turn();
  assert.deepEqual(acts.slice(2), ['flush', 'write +2,3,4 -0']);
  assert.equal(answered, 1);
  gates.shift()?.resolve();
  await Promise.all(others);
});

test('PinChanges decides each change on what those before it have made, in one write', async () => {
  const { held, acts, gates, changes } = createRecords();
  const seen: (string | undefined)[] = [];
  const all = Promise.all([
    changes.change((get) => ({ put: pinNumber(1, 'a'), result: seen.push(get(cidNumber(1))?.name) })),
    changes.change((get) => ({ remove: cidNumber(1), result: seen.push(get(cidNumber(1))?.name) })),
    changes.change((get) => ({ put: pinNumber(1, 'b'), result: seen.push(get(cidNumber(1))?.name) })),
    changes.change((get) => ({
      put: pinNumber(2, 'c'),
      remove: cidNumber(1),
      result: seen.push(get(cidNumber(1))?.name),
    })),
  ]);
  await turn();
  assert.deepEqual(seen, [undefined, 'a', undefined, 'b']);
  assert.deepEqual(acts, ['flush', 'write +c -1']);
  gates.shift()?.resolve();
  assert.deepEqual(await all, [1, 2, 3, 4]);
  assert.deepEqual([...held.values()], [pinNumber(2, 'c')]);
});

test('PinChanges: a refused change changes nothing and leaves the others alone; one without effect writes nothing', async () => {
  const { held, acts, gates, changes, put } = createRecords();
  const refused = changes.change(() => {
    throw new RangeError('refused');
  });
  const taken = put(1);
  await assert.rejects(refused, RangeError);
  gates.shift()?.resolve();
  await taken;
  assert.equal(held.size, 1);
  assert.equal(await changes.change(() => ({ result: 7 })), 7);
  assert.equal(acts.length, 2);
});

test('PinChanges: a failed write rejects all of it, and the next one goes on', async () => {
  const { held, gates, put } = createRecords();
  const lost = [put(1), put(2)].map((change) => assert.rejects(change, /disk/));
  await turn();
  gates.shift()?.reject(new TypeError('disk'));
  await Promise.all(lost);
  const kept = put(3);
  await turn();
  gates.shift()?.resolve();
  await kept;
  assert.deepEqual([...held.values()], [pinNumber(3, '3')]);
});
