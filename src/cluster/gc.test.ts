import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidNumber } from '../../test/support/pins.ts';
import type { IpfsRepoGc, RepoGc } from '../model/index.ts';
import { garbageOf, gcEntriesOfPeerMax, withinRoom } from './gc.ts';

const freed: IpfsRepoGc = { key: cidNumber(1), error: '' };

/** A node that has so much garbage, and fails in the end if told so. */
const nodeWith = (count: number, failure?: Error) => ({
  repoGc: async function* (): AsyncGenerator<IpfsRepoGc> {
    for (let n = 0; n < count; n += 1) yield freed;
    if (failure !== undefined) throw failure;
  },
});

test('garbageOf lists what was freed, also when the collection breaks off', async () => {
  assert.deepEqual(await garbageOf(nodeWith(2), {}), { keys: [freed, freed], error: '' });
  assert.deepEqual(await garbageOf(nodeWith(1, new TypeError('gone')), {}), { keys: [freed], error: 'gone' });
});

test('garbageOf collects to the end, and counts what has no room in the answer', async () => {
  const { keys, error } = await garbageOf(nodeWith(gcEntriesOfPeerMax + 5), {});
  assert.equal(keys?.length, gcEntriesOfPeerMax + 1);
  assert.deepEqual(keys?.at(-1), { key: null, error: '5 more entries have no room in this answer' });
  assert.equal(error, '');
});

test('withinRoom shortens what is too long, and nothing else', () => {
  const gc: RepoGc = { peer: 'p', peername: 'n', keys: [freed, freed, freed], error: 'e' };
  assert.equal(withinRoom(gc, 3), gc);
  assert.equal(withinRoom({ ...gc, keys: null }, 0).keys, null);
  const rest = { key: null, error: '1 more entry has no room in this answer' };
  assert.deepEqual(withinRoom(gc, 2), { ...gc, keys: [freed, freed, rest] });
});
