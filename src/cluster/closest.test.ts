import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidNumber } from '../../test/support/pins.ts';
import { ClosestPeer } from './closest.ts';

const peers = [
  '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5',
  '12D3KooWJTgjVFjLfb4zSJeVWNpA7uLJYbDtUyTnrCPaTtDSWcNt',
  '12D3KooWEkC8vTbFeHqnAmQoBtpnnaTc6jXQvwfF2s7Gm9tt1Ajm',
];

test('ClosestPeer: every peer comes to the same answer, and the work is shared', () => {
  const one = new ClosestPeer(peers);
  const other = new ClosestPeer([...peers].reverse());
  const counts = new Map<string, number>();
  for (let n = 0; n < 300; n += 1) {
    const closest = one.to(cidNumber(n)) ?? '';
    assert.equal(other.to(cidNumber(n)), closest);
    counts.set(closest, (counts.get(closest) ?? 0) + 1);
  }
  for (const peer of peers) assert.ok((counts.get(peer) ?? 0) > 50, `${peer}: ${counts.get(peer)}`);
});

test('ClosestPeer: losing a peer moves only its own CIDs', () => {
  const all = new ClosestPeer(peers);
  const [lost = '', ...rest] = peers;
  const others = new ClosestPeer(rest);
  for (let n = 0; n < 100; n += 1) {
    const before = all.to(cidNumber(n));
    if (before !== lost) assert.equal(others.to(cidNumber(n)), before);
  }
  assert.equal(new ClosestPeer([]).to(cidNumber(1)), undefined);
});

test('ClosestPeer: peers take turns, one after the other', () => {
  const closest = new ClosestPeer(peers);
  for (let n = 0; n < 100; n += 1) {
    const turns = peers.map((peer) => closest.countNearer(peer, cidNumber(n)));
    assert.deepEqual([...turns].sort(), [0, 1, 2]);
    assert.equal(peers[turns.indexOf(0)], closest.to(cidNumber(n)));
  }
});
