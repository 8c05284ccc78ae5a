/** The public JavaScript client for this API, `@nftstorage/ipfs-cluster`, unchanged against our peers: every call that it has. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CarWriter } from '@ipld/car';
import { Cluster } from '@nftstorage/ipfs-cluster';
import { CID } from 'multiformats/cid';
import * as raw from 'multiformats/codecs/raw';
import { sha256 } from 'multiformats/hashes/sha2';
import { collect } from '../support/collect.ts';
import { startPeers, type TestPeers } from '../support/peers.ts';

const user = 'web';
const password = 'team';

/** A CAR of one raw block, which is its root. */
async function carOf(text: string): Promise<{ readonly root: string; readonly car: Blob }> {
  const bytes = new TextEncoder().encode(text);
  const cid = CID.createV1(raw.code, await sha256.digest(bytes));
  const { writer, out } = CarWriter.create([cid]);
  const [, parts] = await Promise.all([writer.put({ cid, bytes }).then(() => writer.close()), collect(out)]);
  return { root: `${cid}`, car: new Blob(parts.map((part) => new Uint8Array(part))) };
}

describe('@nftstorage/ipfs-cluster', () => {
  let peers: TestPeers;
  let cluster: Cluster;
  before(async () => {
    peers = await startPeers({
      count: 2,
      change: ({ restapi, ...config }) => ({
        ...config,
        restapi: restapi && { ...restapi, basicAuthCredentials: { [user]: password } },
      }),
    });
    const headers = { Authorization: `Basic ${btoa(`${user}:${password}`)}` };
    cluster = new Cluster(peers.peers[0]?.apiUrl ?? '', { headers });
  });
  after(() => peers?.end());

  it('version, info, peerList, metricNames', async () => {
    assert.match(await cluster.version(), /^\d+\.\d+\.\d+/);
    const info = await cluster.info();
    assert.equal(info.peerName, peers.peers[0]?.name);
    assert.equal(info.clusterPeers.length, 2);
    assert.ok(info.ipfs.id.startsWith('12D3KooW'));
    assert.deepEqual((await cluster.peerList()).map(({ id }) => id).sort(), [...info.clusterPeers].sort());
    assert.ok((await cluster.metricNames()).includes('ping'));
  });

  it('add, addDirectory, addCAR, with buffered and streamed answers', async () => {
    const cid = 'bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4';
    const file = new File(['hello world\n'], 'hello.txt');
    for (const streamChannels of [false, true]) {
      assert.deepEqual(
        await cluster.add(file, { name: 'greeting', metadata: { a: 'b' }, streamChannels }).then((added) => added.cid),
        cid,
      );
    }
    const added = await cluster.addDirectory([file, new File(['two'], 'sub/two.txt')], { name: 'site' });
    assert.deepEqual(
      added.map(({ name }) => name),
      ['hello.txt', 'sub/two.txt', 'sub', ''],
    );
    const { root, car } = await carOf('in a CAR');
    assert.equal((await cluster.addCAR(car, { name: 'car' })).cid, root);
    for (const name of [cid, added.at(-1)?.cid ?? '', root]) assert.equal((await cluster.allocation(name)).cid, name);
  });

  it('pin, allocation, status, statusAll, recover, unpin', async () => {
    const { root } = await carOf('pinned by its CID');
    const expireAt = new Date(Date.now() + 3_600_000);
    const options = {
      name: 'by cid',
      replicationFactorMin: 1,
      replicationFactorMax: 1,
      metadata: { k: 'v' },
      expireAt,
    };
    const pinned = await cluster.pin(root, options);
    const entry = await cluster.allocation(root);
    for (const { cid, name, replicationFactorMax, metadata, expireAt: expires } of [pinned, entry]) {
      assert.deepEqual([cid, name, replicationFactorMax, metadata], [root, 'by cid', 1, { k: 'v' }]);
      assert.equal(Math.trunc((expires?.getTime() ?? 0) / 1000), Math.trunc(expireAt.getTime() / 1000));
    }
    assert.equal(entry.allocations.length, 1);

    const { cid, peerMap } = await cluster.status(root);
    assert.equal(cid, root);
    const [holder = ''] = entry.allocations;
    assert.deepEqual(
      Object.entries(peerMap).map(([peer, { status }]) => status === 'remote' || peer === holder),
      [true, true],
    );
    assert.deepEqual(
      (await cluster.statusAll({ cids: [root] })).map(({ name }) => name),
      ['by cid'],
    );
    assert.ok((await cluster.statusAll()).length > 1);
    const held = await cluster.statusAll({ filter: ['pinned', 'pinning', 'pin_queued'] });
    assert.ok(held.some((status) => status.cid === root));
    assert.ok((await cluster.statusAll({ local: true })).some((status) => status.cid === root));
    assert.equal((await cluster.recover(root)).cid, root);

    assert.equal((await cluster.unpin(root)).cid, root);
    await assert.rejects(cluster.allocation(root), /404/);
  });

  it('tells what is wrong', async () => {
    await assert.rejects(cluster.pin('nonsense'), /400/);
    const stranger = new Cluster(cluster.url);
    await assert.rejects(stranger.version(), /401/);
    await assert.rejects(cluster.version({ signal: AbortSignal.abort() }), { name: 'AbortError' });
  });
});
