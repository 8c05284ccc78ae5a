import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryCluster } from '../../test/support/memory-cluster.ts';
import type { RevokedToken } from '../model/index.ts';
import type { RevocationFile } from './ports.ts';

const hashOf = (n: number): string => n.toString(16).padStart(64, '0');
const forGood = { hash: hashOf(1), expires: 0 };

/** A file in memory, which may refuse to be written. */
function createFile(): RevocationFile & { tokens: readonly RevokedToken[]; isFull: boolean } {
  const file = {
    tokens: [] as readonly RevokedToken[],
    isFull: false,
    read: async () => file.tokens,
    save: async (tokens: readonly RevokedToken[]) => {
      if (file.isFull) throw new RangeError('no space left');
      file.tokens = tokens;
    },
  };
  return file;
}

test('a revoked token is known to all members that could be told; the others are named', async (t) => {
  const cluster = new MemoryCluster();
  await cluster.start(3);
  t.after(() => cluster.stop());
  const [first, second, third] = [0, 1, 2].map((i) => cluster.node(i));
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  cluster.cut(third.id);
  const answer = await first.peer.revokeToken(forGood);
  assert.deepEqual(Object.keys(answer.missed), [third.id]);
  assert.match(answer.missed[third.id] ?? '', /dial backoff/);
  assert.deepEqual(
    [first, second, third].map(({ peer }) => peer.isTokenRevoked(forGood.hash)),
    [true, true, false],
  );
  cluster.join(third.id);
  // Told again, it is taken by those that missed it and known to the others.
  assert.deepEqual(await second.peer.revokeToken(forGood), { missed: {} });
  assert.equal(third.peer.isTokenRevoked(forGood.hash), true);
});

test('who could not be told asks the others when it has started, and every few minutes', async (t) => {
  const cluster = new MemoryCluster();
  cluster.revocationFile = createFile();
  await cluster.start(3);
  t.after(() => cluster.stop());
  const [first, second, third] = [0, 1, 2].map((i) => cluster.node(i));
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  cluster.cut(third.id);
  await first.peer.revokeToken(forGood);
  const other = { hash: hashOf(9), expires: 4_000_000_000 };
  await second.peer.revokeTokenLocal(other);
  cluster.join(third.id);
  assert.deepEqual([...third.peer.revokedTokens()], []);
  await cluster.clock.advance(301_000);
  assert.deepEqual(
    [...third.peer.revokedTokens()].sort((a, b) => (a.hash < b.hash ? -1 : 1)),
    [forGood, other],
  );
  assert.equal(first.peer.isTokenRevoked(other.hash), true);
});

test('the list outlives the peer, forgets what has expired, and counts here and elsewhere when it cannot be saved, which is told', async (t) => {
  const file = createFile();
  file.tokens = [forGood];
  const cluster = new MemoryCluster();
  cluster.revocationFile = file;
  await cluster.start(1);
  t.after(() => cluster.stop());
  const { peer } = cluster.node(0);
  assert.equal(peer.isTokenRevoked(forGood.hash), true);
  const nowSeconds = Number(cluster.clock.wallNanos() / 1_000_000_000n);
  const soon = { hash: hashOf(2), expires: nowSeconds + 60 };
  await peer.revokeTokenLocal(soon);
  assert.deepEqual(file.tokens, [forGood, soon]);
  // An hour more, because clocks of members differ.
  await cluster.clock.advance(3_600_000);
  await peer.revokeTokenLocal({ hash: hashOf(3), expires: 0 });
  assert.equal(peer.isTokenRevoked(soon.hash), true);
  await cluster.clock.advance(61_000);
  file.isFull = true;
  const fourth = { hash: hashOf(4), expires: 0 };
  assert.deepEqual(await peer.revokeToken(fourth), { missed: { [peer.self]: 'no space left' } });
  assert.equal(peer.isTokenRevoked(fourth.hash), true);
  assert.equal(file.tokens.length, 3);
  await assert.rejects(peer.revokeTokenLocal(fourth), /no space left/);
  file.isFull = false;
  await Promise.all([fourth, { hash: hashOf(5), expires: 0 }].map((token) => peer.revokeTokenLocal(token)));
  assert.deepEqual(
    file.tokens.map(({ hash }) => hash),
    [1, 3, 4, 5].map(hashOf),
  );
  assert.equal(peer.isTokenRevoked(soon.hash), false);
});

test('what is no hash is refused, and no more are kept than there is room for', async (t) => {
  const file = createFile();
  file.tokens = Array.from({ length: 20_000 }, (_, i) => ({ hash: hashOf(i), expires: 0 }));
  const cluster = new MemoryCluster();
  cluster.revocationFile = file;
  await cluster.start(1);
  t.after(() => cluster.stop());
  const { peer } = cluster.node(0);
  for (const hash of ['', 'x', hashOf(1).toUpperCase().replace(/0/g, 'A'), `${hashOf(1)}0`]) {
    await assert.rejects(peer.revokeTokenLocal({ hash, expires: 0 }), { code: 'cluster/bad-token' });
  }
  await peer.revokeTokenLocal({ hash: hashOf(19_999), expires: 0 });
  await assert.rejects(peer.revokeTokenLocal({ hash: hashOf(20_000), expires: 0 }), {
    code: 'cluster/revocations-full',
  });
});
