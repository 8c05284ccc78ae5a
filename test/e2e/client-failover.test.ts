/** The client for programs with three real peers, one of which dies. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Client, createClient } from '../../src/client/plain/index.ts';
import { collect } from '../support/collect.ts';
import { startPeers, type TestPeers } from '../support/peers.ts';
import { cidNumber } from '../support/pins.ts';

describe('a client of three peers', () => {
  let peers: TestPeers;
  let urls: readonly string[];
  before(async () => {
    peers = await startPeers({ mayEnd: true });
    urls = peers.peers.map(({ apiUrl }) => apiUrl);
  });
  after(() => peers?.end());

  const idsOf = async (client: Client, count: number): Promise<readonly string[]> => {
    const ids: string[] = [];
    for (let i = 0; i < count; i += 1) ids.push((await client.id()).peername);
    return ids;
  };

  it('asks the first, or each in its turn', async () => {
    const names = peers.peers.map(({ name }) => name);
    assert.deepEqual(await idsOf(createClient({ url: urls }), 2), [names[0], names[0]]);
    const turning = createClient({ url: urls, balance: 'round-robin' });
    assert.deepEqual(await idsOf(turning, 4), [...names, names[0]]);
  });

  it('goes on with the others when one dies, and its events with it', async () => {
    const [dead = '', second = ''] = peers.peers.map(({ name }) => name);
    const client = createClient({ url: urls });
    const cids = [1, 2, 3].map((n) => `${cidNumber(n)}`);
    const [before = '', ...later] = cids;
    const seen: string[] = [];
    let resets = 0;
    for await (const { type, data } of client.events({ types: ['pin'], after: '0-0' })) {
      if (type === 'reset') {
        resets += 1;
        if (resets === 1) await client.pin(before);
        // The other peer listens: nothing is missed from now on.
        else for (const cid of later) await client.pin(cid);
        continue;
      }
      seen.push(String(Object(data).cid));
      if (seen.length === 1) await peers.peers[0]?.process.kill();
      if (seen.includes(later.at(-1) ?? '')) break;
    }
    assert.deepEqual([resets, [...new Set(seen)]], [2, cids]);
    assert.deepEqual(await idsOf(client, 2), [second, second]);
    const turning = createClient({ url: urls, balance: 'round-robin' });
    assert.ok(!(await idsOf(turning, 6)).includes(dead));
    const pins = client.pins();
    assert.deepEqual((await collect(pins)).map(({ cid }) => cid).sort(), cids.toSorted());
    assert.equal(pins.complete, true);
    await client.unpin(before);
    assert.equal(await client.get(before, { linearizable: true }), undefined);
  });
});
