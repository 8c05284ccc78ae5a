/** What every implementation of the `Consensus` port must do. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Consensus } from '../../src/cluster/ports.ts';
import { collect } from '../support/collect.ts';
import { cidNumber, pinOf } from '../support/pins.ts';

/** Peers that run, and the way in which time passes for them. */
export interface ConsensusPeers {
  readonly peers: readonly Consensus[];
  /** Settles as the promise does; time passes meanwhile. */
  until<T>(promise: Promise<T>): Promise<T>;
  /** Stops all peers and removes what they left. */
  end(): Promise<void>;
}

export interface ConsensusTraits {
  /** Why the implementation has no leader; absent when it has one. */
  readonly noLeaderBecause?: string;
}

const now = { seconds: 1_700_000_000, nanos: 0 };

/** Declares the suite; `start` gives three peers of one cluster, ready. */
export function consensusConformance(
  name: string,
  start: () => Promise<ConsensusPeers>,
  traits: ConsensusTraits = {},
): void {
  const withPeers = (title: string, body: (cluster: ConsensusPeers) => Promise<void>, skip?: string): void => {
    test(title, { skip: skip ?? false }, async () => {
      const cluster = await start();
      try {
        await body(cluster);
      } finally {
        await cluster.end();
      }
    });
  };

  describe(`Consensus contract: ${name}`, () => {
    withPeers('a peer reads its own writes, pins and unpins', async ({ peers, until }) => {
      for (const [n, peer] of peers.entries()) {
        const pin = pinOf(cidNumber(n), { name: `pin ${n}` });
        await until(peer.logPin(pin));
        assert.equal(peer.pinset().get(pin.cid)?.name, pin.name);
        await until(peer.logPin({ ...pin, name: 'again' }));
        assert.equal(peer.pinset().get(pin.cid)?.name, 'again');
        await until(peer.logUnpin(pin));
        assert.equal(peer.pinset().has(pin.cid), false);
      }
    });

    withPeers('a conditional write happens only over exactly the pin that it names', async ({ peers, until }) => {
      const changed = { code: 'consensus/changed', outcome: 'refused' };
      for (const [n, peer] of peers.entries()) {
        const cid = cidNumber(n);
        const [old, mine, others] = ['old', 'mine', 'others'].map((name) => pinOf(cid, { name, timestamp: now }));
        assert.ok(old !== undefined && mine !== undefined && others !== undefined);
        await assert.rejects(until(peer.logPin(mine, { onlyIf: old })), changed);
        await until(peer.logPin(old));
        const read = peer.pinset().get(cid);
        assert.ok(read !== undefined);
        await until(peer.logPin(mine, { onlyIf: read }));
        assert.equal(peer.pinset().get(cid)?.name, 'mine');
        // The asking peer sees what is there instead when it is told.
        const next = peers[(n + 1) % peers.length];
        await until(next?.logPin(others) ?? Promise.resolve());
        await assert.rejects(until(peer.logPin(mine, { onlyIf: mine })), changed);
        assert.equal(peer.pinset().get(cid)?.name, 'others');
        await assert.rejects(until(peer.logUnpin(mine, { onlyIf: mine })), changed);
        await until(peer.logUnpin(others, { onlyIf: others }));
        assert.equal(peer.pinset().has(cid), false);
      }
    });

    withPeers('of conditional writes over the same pin one happens', async ({ peers, until }) => {
      const old = pinOf(cidNumber(1), { name: 'old', timestamp: now });
      await until(peers[0]?.logPin(old) ?? Promise.resolve());
      const results = await until(
        Promise.allSettled(peers.map((peer, n) => peer.logPin({ ...old, name: `by ${n}` }, { onlyIf: old }))),
      );
      const winners = results.flatMap(({ status }, n) => (status === 'fulfilled' ? [n] : []));
      assert.equal(winners.length, 1);
      for (const peer of peers) {
        await until(peer.waitForSync());
        assert.equal(peer.pinset().get(old.cid)?.name, `by ${winners[0]}`);
      }
    });

    withPeers('unpinning what is not pinned is no failure', async ({ peers, until }) => {
      for (const peer of peers) await until(peer.logUnpin(pinOf(cidNumber(1))));
    });

    withPeers('after waitForSync every peer holds what was acknowledged before', async ({ peers, until }) => {
      const writes = Array.from({ length: 30 }, (_, n) => peers[n % peers.length]?.logPin(pinOf(cidNumber(n))));
      await until(Promise.all(writes));
      for (const peer of peers) {
        await until(peer.waitForSync());
        assert.equal(peer.pinset().count(), 30);
      }
    });

    withPeers('after readBarrier a peer shows what any other has just acknowledged', async ({ peers, until }) => {
      for (const [n, writer] of peers.entries()) {
        await until(writer.logPin(pinOf(cidNumber(n))));
        for (const reader of peers) {
          await until(reader.readBarrier());
          assert.equal(reader.pinset().count(), n + 1);
        }
      }
    });

    withPeers('all pinsets list the same pins in the same order, in pages', async ({ peers, until }) => {
      const [first] = peers;
      await until(Promise.all(Array.from({ length: 25 }, (_, n) => first?.logPin(pinOf(cidNumber(n))))));
      const lists: string[][] = [];
      for (const peer of peers) {
        await until(peer.waitForSync());
        const pages = await collect(peer.pinset().pages({ pageSize: 10 }));
        assert.ok(pages.every((page) => page.length >= 1 && page.length <= 10));
        lists.push(pages.flat().map(({ cid }) => cid.key));
      }
      assert.equal(lists[0]?.length, 25);
      for (const list of lists) assert.deepEqual(list, lists[0]);
    });

    withPeers('peers are listed in ascending order, the same by all, and trusted', async ({ peers }) => {
      const expected = await peers[0]?.peers();
      assert.ok(expected !== undefined);
      assert.equal(expected.length, 3);
      assert.deepEqual([...expected].sort(), expected);
      for (const peer of peers) {
        assert.deepEqual(await peer.peers(), expected);
        for (const id of expected) assert.equal(peer.isTrustedPeer(id), true);
      }
    });

    withPeers(
      'the leader is a member, the same for all',
      async ({ peers, until }) => {
        for (const peer of peers) await until(peer.waitForSync());
        const [leader = ''] = peers.map((peer) => peer.leader());
        for (const peer of peers) assert.equal(peer.leader(), leader);
        assert.ok((await peers[0]?.peers())?.includes(leader));
      },
      traits.noLeaderBecause,
    );

    withPeers('ready resolves again and again, and an aborted wait rejects', async ({ peers, until }) => {
      for (const peer of peers) {
        await until(peer.ready());
        await until(peer.ready());
        await assert.rejects(until(peer.logPin(pinOf(cidNumber(1)), { signal: AbortSignal.abort() })));
      }
    });

    withPeers('start and stop can be called twice; clean only after stop', async ({ peers, until }) => {
      const [peer] = peers;
      assert.ok(peer !== undefined);
      await until(peer.start());
      await assert.rejects(until(peer.clean()));
      await until(peer.stop());
      await until(peer.stop());
      await assert.rejects(until(peer.logPin(pinOf(cidNumber(1)))));
      await until(peer.clean());
      await until(peer.clean());
    });
  });
}
