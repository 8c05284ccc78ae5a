/**
 * Raft clusters of Go peers and ours, all of them real programs: who joins whom, writes through every peer, the death of each
 * leader in turn, removal and return through either kind; at the end all hold the same pins, line by line.
 * Needs `GO_CLUSTER_BIN`, a folder with the Go programs; it stays on loopback and in temporary folders.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { RaftConfig, ServiceConfig } from '../../src/model/config/index.ts';
import { IpfsStandIn } from '../support/ipfs-stand-in.ts';
import { type Outcome, pin, pinset, unpin } from '../support/member-api.ts';
import {
  createMembers,
  goPrograms,
  leaderOf,
  type Member,
  type MemberKind,
  snapshotInstalled,
} from '../support/members.ts';
import { cidNumber } from '../support/pins.ts';

const skip =
  goPrograms === undefined ? 'GO_CLUSTER_BIN is not set: mixed clusters with Go peers are NOT tested' : false;
if (skip !== false) console.warn(skip);

const limitMs = 40_000;
/** A Go peer removes expired pins no sooner. */
const goSyncMs = 2000;
/** A Go peer says that it has not heard of the leader for too long. One of ours says nothing. */
const goTimedOut = /heartbeat timeout reached/;
/** Each of the three is elected once within a few deaths; so many never happen. */
const leadersMax = 25;

class MixedCluster {
  readonly members: readonly Member[];
  /** Names by CID, as acknowledged. */
  readonly expected: Map<string, string> = new Map<string, string>();
  readonly #folder: string;
  readonly #ipfs: readonly IpfsStandIn[];
  #written = 0;

  private constructor(folder: string, ipfs: readonly IpfsStandIn[], members: readonly Member[]) {
    this.#folder = folder;
    this.#ipfs = ipfs;
    this.members = members;
  }

  /** The first one begins; the others are told the peer to join when they are started. */
  static async make(kinds: readonly MemberKind[], raft: Partial<RaftConfig> = {}): Promise<MixedCluster> {
    const folder = await mkdtemp(join(tmpdir(), 'mixed-cluster-'));
    const ipfs = kinds.map(() => new IpfsStandIn());
    for (const node of ipfs) await node.start();
    const plans = kinds.map((kind, i) => ({
      kind,
      ipfsAddress: ipfs[i]?.multiaddress ?? '',
      isJoining: i > 0,
      raft,
      change: (config: ServiceConfig) => ({
        ...config,
        cluster: { ...config.cluster, stateSyncIntervalMs: goSyncMs },
      }),
    }));
    return new MixedCluster(folder, ipfs, await createMembers(folder, plans));
  }

  async end(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    await Promise.all(this.#ipfs.map((node) => node.stop()));
    await rm(this.#folder, { recursive: true, force: true });
    const deaths = this.members.flatMap(({ death }) => (death === undefined ? [] : [death]));
    assert.deepEqual(deaths, [], 'peers ended by themselves');
  }

  get running(): readonly Member[] {
    return this.members.filter(({ isRunning }) => isRunning);
  }

  /** Pins through the peer, and sometimes removes what it has pinned, until each write is acknowledged. */
  async write(member: Member, count = 3): Promise<void> {
    for (let i = 0; i < count; i++) {
      const cid = cidNumber(this.#written).toString();
      const name = `${this.#written++} by ${member.name}`;
      await eventually(`a pin through ${member.name}`, async () => done(await pin(member.apiUrl, cid, name)));
      this.expected.set(cid, name);
      if (i % 3 !== 2) continue;
      // A second try may find that the first one has done it.
      await eventually(`an unpin through ${member.name}`, async () => {
        const outcome = await unpin(member.apiUrl, cid);
        return outcome.type === 'refused' ? 'done' : done(outcome);
      });
      this.expected.delete(cid);
    }
  }

  /** Pins a few for a short time, and the last one of them again for ever. */
  async writeExpiring({ apiUrl, name }: Member): Promise<void> {
    const ask = async (cid: string, query: string): Promise<void> => {
      const signal = AbortSignal.timeout(limitMs);
      const answer = await fetch(`${apiUrl}/pins/${cid}?${query}`, { method: 'POST', signal });
      assert.ok(answer.ok, await answer.text());
    };
    const cids = Array.from({ length: 5 }, () => cidNumber(this.#written++).toString());
    for (const cid of cids) await ask(cid, 'name=short&expire-in=3s');
    const last = cids.at(-1) ?? '';
    await ask(last, 'name=again');
    this.expected.set(last, `again by ${name}`);
  }

  async writeThroughAll(count?: number): Promise<void> {
    for (const member of this.running) await this.write(member, count);
  }

  /** Removes the oldest pins through the peer. */
  async remove(member: Member, count: number): Promise<void> {
    for (const cid of [...this.expected.keys()].slice(0, count)) {
      await eventually(`the end of a pin through ${member.name}`, async () => done(await unpin(member.apiUrl, cid)));
      this.expected.delete(cid);
    }
  }

  leader(): Promise<Member> {
    return eventually('a leader', async () => leaderOf(this.running) ?? 'nobody');
  }

  /** Kills and restarts all others until this one is elected before them. */
  async makeLead(member: Member): Promise<void> {
    for (let n = 0; n < leadersMax && (await this.leader()) !== member; n++) {
      const others = this.running.filter((other) => other !== member);
      await Promise.all(others.map((other) => other.kill()));
      await Promise.all(others.map((other) => other.start()));
    }
    assert.equal(await this.leader(), member);
  }

  /** All that run hold exactly what was acknowledged, and list it in the same words. */
  async same(): Promise<void> {
    for (const member of this.running) {
      const wanted = [...this.expected.keys()].sort();
      await eventually(`the whole pinset on ${member.name}`, async () => {
        const found = [...(await pinset(member.apiUrl)).keys()].sort();
        if (found.join() === wanted.join()) return { found };
        const missing = wanted.filter((cid) => !found.includes(cid)).map((cid) => this.expected.get(cid));
        return `${found.length} of ${wanted.length} pins, not: ${missing.join(', ')}`;
      });
    }
    // Anew until they agree: who lags behind may have held the same before a pin and its removal came.
    await eventually('the same lists', async () => {
      const lists = await Promise.all(
        this.running.map(async ({ apiUrl }) => [...(await pinset(apiUrl)).values()].map(({ line }) => line).sort()),
      );
      const at = lists.findIndex((lines) => lines.join() !== lists[0]?.join());
      if (at < 0) return { lists };
      return `${this.running[at]?.name} and ${this.running[0]?.name} differ:\n${lists[at]?.join('\n')}\n${lists[0]?.join('\n')}`;
    });
  }

  /** Every pin is pinned by every member, as each of ours counts it: from the log, and from what all list. */
  async allHeld(): Promise<void> {
    for (const member of this.running.filter(({ kind }) => kind === 'ours')) {
      for (const verify of [false, true]) {
        await eventually(`pins held everywhere as ${member.name} counts, verified: ${verify}`, async () => {
          const answer = await fetch(`${member.apiUrl}/health/replication?verify=${verify}`, {
            signal: AbortSignal.timeout(limitMs),
          });
          const text = await answer.text();
          const { pins, full, unanswered } = JSON.parse(text) as { pins: number; full: number; unanswered: object };
          const isRight = pins === this.expected.size && full === pins && Object.keys(unanswered).length === 0;
          return isRight ? { full } : `${this.expected.size} pins, but ${text}`;
        });
      }
    }
  }

  async peersOf(member: Member): Promise<string[]> {
    const answer = await fetch(`${member.apiUrl}/peers`, { signal: AbortSignal.timeout(limitMs) });
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { id: string }).id)
      .sort();
  }

  async allKnow(ids: readonly string[]): Promise<void> {
    for (const member of this.running) {
      await eventually(`${ids.length} members in the eyes of ${member.name}`, async () => {
        const found = await this.peersOf(member);
        return found.join() === ids.toSorted().join() ? { found } : found.join();
      });
    }
  }
}

/** Asks until the answer is no text; a text says why not yet. */
async function eventually<T extends object>(what: string, ask: () => Promise<T | string>): Promise<T> {
  const deadline = performance.now() + limitMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const answer = await ask();
      if (typeof answer !== 'string') return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    await setTimeout(50);
  }
  return assert.fail(`${what} did not come within ${limitMs / 1000} s: ${String(last)}`);
}

function done(outcome: Outcome): Outcome | string {
  return outcome.type === 'done' ? outcome : outcome.why;
}

for (const kinds of [
  ['go', 'ours', 'go'],
  ['ours', 'go', 'ours'],
] as const) {
  describe(`a Raft cluster of ${kinds.join(', ')}`, { skip }, () => {
    let cluster: MixedCluster;
    let first: Member;
    let second: Member;
    let third: Member;
    let ids: readonly string[];

    before(async () => {
      cluster = await MixedCluster.make(kinds);
      [first, second, third] = threeOf(cluster.members);
      ids = cluster.members.map(({ id }) => id);
    });
    after(() => cluster?.end());

    test(`${kinds[1]} joins ${kinds[0]}, which leads`, async () => {
      await first.start();
      await cluster.write(first);
      await second.start({ bootstrap: first.address });
      await cluster.allKnow(ids.slice(0, 2));
      await cluster.writeThroughAll();
      await cluster.same();
    });

    test(`${kinds[2]} joins through ${kinds[1]}, which follows`, async () => {
      await third.start({ bootstrap: second.address });
      await cluster.allKnow(ids);
      await cluster.writeThroughAll();
      await cluster.same();
      await cluster.allHeld();
    });

    test('each leader in turn is killed and comes back', async () => {
      const killed = new Set<Member>();
      for (let n = 0; n < leadersMax && killed.size < cluster.members.length; n++) {
        const leader = await cluster.leader();
        // One of ours votes for a Go peer sooner than a Go peer for it, so two Go peers would follow each other for ever.
        const victims = killed.has(leader) ? [...killed] : [leader];
        killed.add(leader);
        await Promise.all(victims.map((member) => member.kill()));
        if (victims.length === 1) await cluster.writeThroughAll(1);
        await Promise.all(victims.map((member) => member.start()));
        for (const member of victims) await cluster.write(member, 1);
      }
      assert.equal(killed.size, cluster.members.length, 'each of them has led');
      await cluster.writeThroughAll();
      await cluster.same();
    });

    test('each is stopped in order and comes back', async () => {
      for (const member of cluster.members) {
        await member.stop();
        await cluster.writeThroughAll(1);
        await member.start();
        await cluster.write(member, 1);
      }
      await cluster.same();
    });

    test('ours hands its leadership over when it is stopped, and nobody waits for an election timeout', async () => {
      const ours = cluster.members.find(({ kind }) => kind === 'ours');
      assert.ok(ours);
      await cluster.makeLead(ours);
      await cluster.writeThroughAll(1);
      const others = cluster.members.filter((member) => member !== ours);
      for (const other of others) other.watchFor(goTimedOut);
      await ours.stop();
      await cluster.leader();
      for (const other of others) assert.equal(other.seen.get(goTimedOut), 0, `${other.name} waited`);
      await cluster.writeThroughAll(1);
      await ours.start();
      await cluster.write(ours, 1);
      await cluster.same();
    });

    test('pins expire, whoever leads and whoever is nearest, and one that is pinned again stays', async () => {
      const ours = cluster.members.filter((member) => member.kind === 'ours');
      const [one] = ours;
      const go = cluster.members.find((member) => member.kind === 'go');
      assert.ok(one !== undefined && go !== undefined);
      await cluster.makeLead(one);
      for (const member of cluster.members) await cluster.writeExpiring(member);
      await cluster.writeThroughAll(1);
      await cluster.same();
      // What Go peers themselves write under a Go leader takes the expiry of whatever came before.
      await cluster.makeLead(go);
      for (const member of ours) {
        await cluster.writeExpiring(member);
        await cluster.write(member, 1);
      }
      await cluster.same();
      await cluster.write(one, 1);
      await cluster.writeThroughAll(1);
      // Go peers have looked for expired pins by then.
      await setTimeout(2 * goSyncMs);
      await cluster.same();
    });

    for (const [by, whom] of [
      [1, 2],
      [1, 0],
      [2, 1],
    ] as const) {
      test(`${kinds[by]} ${by + 1} removes ${kinds[whom]} ${whom + 1}, which ends, and joins again`, async () => {
        const [remover, removed] = [cluster.members[by], cluster.members[whom]];
        assert.ok(remover !== undefined && removed !== undefined);
        const answer = await fetch(`${remover.apiUrl}/peers/${removed.id}`, {
          method: 'DELETE',
          signal: AbortSignal.timeout(limitMs),
        });
        assert.ok(answer.ok, await answer.text());
        await removed.ends(limitMs);
        await cluster.allKnow(ids.filter((id) => id !== removed.id));
        await cluster.writeThroughAll(1);
        await removed.start({ bootstrap: remover.address });
        await cluster.allKnow(ids);
        await cluster.writeThroughAll(1);
        await cluster.same();
      });
    }
  });
}

/** So few entries are kept that whoever is empty, or has been away for a moment, cannot do without a snapshot. */
const compacting: Partial<RaftConfig> = { snapshotThreshold: 8, trailingLogs: 2, snapshotIntervalMs: 200 };
/** Pins that are written between two things: far more than the entries that are kept. */
const manyPins = 40;

for (const kinds of [
  ['go', 'go', 'ours'],
  ['ours', 'ours', 'go'],
] as const) {
  const [leading, , following] = kinds;
  describe(`snapshots of ${leading} for ${following}`, { skip }, () => {
    let cluster: MixedCluster;
    let first: Member;
    let second: Member;
    let third: Member;

    before(async () => {
      cluster = await MixedCluster.make(kinds, compacting);
      [first, second, third] = threeOf(cluster.members);
      third.watchFor(snapshotInstalled);
      await first.start();
      await second.start({ bootstrap: first.address });
    });
    after(() => cluster?.end());

    test('an empty peer joins a cluster whose log begins late', async () => {
      await cluster.write(first, manyPins);
      // A Go peer adds a snapshot to what it holds, also when it starts again: pins that were removed after one it was sent
      // stay on it when the next one comes. Not asked of it.
      if (following === 'ours') await cluster.remove(second, 10);
      await hasSnapshot(await cluster.leader());
      const installedBefore = third.seen.get(snapshotInstalled) ?? 0;
      await third.start({ bootstrap: first.address });
      await cluster.same();
      assert.ok((third.seen.get(snapshotInstalled) ?? 0) > installedBefore, 'it was sent a snapshot');
      await cluster.writeThroughAll();
      await cluster.same();
    });

    test('a peer that was away comes back after its entries are gone, and what was removed meanwhile is gone', async () => {
      await third.kill();
      await cluster.write(second, manyPins);
      if (following === 'ours') await cluster.remove(first, 10);
      await hasSnapshot(await cluster.leader());
      const installedBefore = third.seen.get(snapshotInstalled) ?? 0;
      await third.start();
      await cluster.same();
      assert.ok((third.seen.get(snapshotInstalled) ?? 0) > installedBefore, 'it was sent a snapshot');
      await cluster.writeThroughAll();
      await cluster.same();
    });

    test('it goes on after a restart of its own, and after one of all', async () => {
      await third.kill();
      await third.start();
      await cluster.write(third);
      await cluster.same();
      await Promise.all(cluster.members.map((member) => member.kill()));
      await Promise.all(cluster.members.map((member) => member.start()));
      await cluster.writeThroughAll();
      await cluster.same();
    });
  });
}

/** A snapshot on the disk of the peer. */
async function hasSnapshot(member: Member): Promise<void> {
  await eventually(`a snapshot of ${member.name}`, async () => {
    const names = await readdir(join(member.folder, 'raft', 'snapshots'));
    const finished = names.filter((name) => !name.endsWith('.tmp'));
    return finished.length > 0 ? finished : 'none yet';
  });
}

function threeOf(members: readonly Member[]): [Member, Member, Member] {
  const [first, second, third] = members;
  assert.ok(first && second && third);
  return [first, second, third];
}
