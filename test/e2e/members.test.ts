/** Members leave a cluster of real peers: `ctl peers rm` and `peers ls` while it happens. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '../../src/base/index.ts';
import { openPinset } from '../../src/cluster/index.ts';
import { pin, pinset, waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import { createRaftFolder } from '../../src/io/store/index.ts';
import { serviceProgram, startPeers, type TestPeer, type TestPeersOptions } from '../support/peers.ts';
import { cidNumber } from '../support/pins.ts';

const limitMs = 60_000;
const ctlProgram = join(dirname(serviceProgram), 'ipfs-cluster-ctl.cjs');

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function ctl({ apiAddress }: TestPeer, ...args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(process.execPath, [ctlProgram, '--host', apiAddress, ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const done: Ran = { code: 0, stdout: '', stderr: '' };

async function idOf({ folder }: TestPeer): Promise<string> {
  return (JSON.parse(await readFile(join(folder, 'identity.json'), 'utf8')) as { id: string }).id;
}

/** The lines of `peers ls` that begin a peer, as they are on all of these peers when they know of each other alone. */
async function waitForMembers(peers: readonly TestPeer[]): Promise<void> {
  const others = peers.length - 1;
  const expected = await Promise.all(
    peers.map(async (peer) => `${await idOf(peer)} | ${peer.name} | Sees ${others} other peers`),
  );
  for (const peer of peers) {
    await waitFor(
      async () =>
        (await ctl(peer, 'peers', 'ls')).stdout
          .split('\n')
          .filter((line) => / \| Sees /.test(line))
          .sort(),
      (lines) => lines.join('\n') === expected.toSorted().join('\n'),
      (lines) => `${peer.name} lists ${lines.join('; ')}, expected ${expected.join('; ')}`,
      limitMs,
    );
  }
}

async function waitForEnd(peer: TestPeer): Promise<void> {
  await waitFor(
    async () => await readdir(peer.folder),
    (names) => names.includes('raft.old.0') && !isAlive(peer),
    (names) => `${peer.name} has ${names.join(', ')}: its data is not a backup yet, or it has not ended`,
    limitMs,
  );
}

function isAlive({ process: { pid = 0 } }: TestPeer): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Starts the peer, which is not expected to become ready, and waits until its log says this. */
async function startAndHear(peer: TestPeer, pattern: RegExp): Promise<void> {
  const file = join(peer.folder, 'daemon.log');
  const before = (await readFile(file, 'utf8')).length;
  peer.process.start().catch(() => {});
  await waitFor(
    async () => (await readFile(file, 'utf8')).slice(before),
    (log) => pattern.test(log),
    (log) => `${peer.name} says only\n${log}`,
    limitMs,
  );
}

async function leaderOf(peers: readonly TestPeer[]): Promise<TestPeer> {
  const found = await waitFor(
    async () => peers.toSorted((a, b) => b.process.leaderTerm() - a.process.leaderTerm())[0],
    (peer) => (peer?.process.leaderTerm() ?? 0) > 0,
    () => 'no leader',
    limitMs,
  );
  assert.ok(found);
  return found;
}

async function refusesToRemoveTheLast(peer: TestPeer): Promise<void> {
  assert.deepEqual(await ctl(peer, 'peers', 'rm', await idOf(peer)), {
    code: 2,
    stdout: 'An error occurred:\n  Code: 500\n  Message: cannot remove ourselves from a 1-peer cluster\n',
    stderr: '',
  });
}

/** Peers that look every second whether they are members, and end when they are not. */
const watchful: TestPeersOptions = {
  mayEnd: true,
  change: (config) => ({
    ...config,
    cluster: { ...config.cluster, peerWatchIntervalMs: 1000 },
    raft: config.raft && { ...config.raft, waitForLeaderTimeoutMs: 5000 },
  }),
};

/** Of a peer, the others. */
const without = (peers: readonly TestPeer[], gone: TestPeer): TestPeer[] => peers.filter((peer) => peer !== gone);

test('the leader is removed through a follower, a follower removes itself, and the last peer stays', async () => {
  const { peers, end } = await startPeers(watchful);
  try {
    await waitForMembers(peers);
    const [stranger] = peers.map(() => '12D3KooWRUgsb5Qs7DYUfhgME6Xudhn95MkQ9cEBdNsMTXSR2qCT');
    assert.ok(peers[0] && stranger);
    const stderr = `warning: ${await idOf(peers[0])} did not know ${stranger} as a member\n`;
    assert.deepEqual(await ctl(peers[0], 'peers', 'rm', stranger), { ...done, stderr });
    await waitForMembers(peers);

    const leader = await leaderOf(peers);
    const two = without(peers, leader);
    assert.ok(two[0]);
    assert.deepEqual(await ctl(two[0], 'peers', 'rm', await idOf(leader)), done);
    await waitForEnd(leader);
    await waitForMembers(two);
    await pin(two[0].apiUrl, cidNumber(1).toString(), 'by two');

    const second = await leaderOf(two);
    const [follower] = without(two, second);
    assert.ok(follower);
    assert.deepEqual(await ctl(follower, 'peers', 'rm', await idOf(follower)), done);
    await waitForEnd(follower);
    await waitForMembers([second]);
    await refusesToRemoveTheLast(second);
    await pin(second.apiUrl, cidNumber(2).toString(), 'by one');
    assert.equal((await pinset(second.apiUrl)).length, 2);
  } finally {
    await end();
  }
});

test('a dead peer is removed, and the leader removes itself', async () => {
  const { peers, end } = await startPeers(watchful);
  try {
    const leader = await leaderOf(peers);
    const [dead, other] = without(peers, leader);
    assert.ok(dead && other);
    await dead.process.kill();
    assert.deepEqual(await ctl(other, 'peers', 'rm', await idOf(dead)), done);
    await waitForMembers([leader, other]);
    // Back, it hears of it from those whom it takes for its fellow members, and ends.
    await startAndHear(dead, /no longer in peerset: .* --bootstrap/);
    await waitForEnd(dead);
    // Started once more it does not make a cluster of its own.
    await startAndHear(dead, /is a member of nothing: it was removed .* --bootstrap/);
    await assert.rejects(pin(dead.apiUrl, cidNumber(2).toString(), 'by nobody'), /leader/);
    await dead.process.stop();
    assert.deepEqual(await ctl(leader, 'peers', 'rm', await idOf(leader)), done);
    await waitForEnd(leader);
    await waitForMembers([other]);
    await refusesToRemoveTheLast(other);
    await pin(other.apiUrl, cidNumber(1).toString(), 'by one');
  } finally {
    await end();
  }
});

test('a peer that was removed while it was dead joins again through --bootstrap, with the data that it has', async () => {
  const { peers, end } = await startPeers(watchful);
  try {
    const leader = await leaderOf(peers);
    const [dead, other] = without(peers, leader);
    assert.ok(dead && other);
    await pin(other.apiUrl, cidNumber(1).toString(), 'by three');
    await dead.process.kill();
    assert.deepEqual(await ctl(other, 'peers', 'rm', await idOf(dead)), done);
    await waitForMembers([leader, other]);
    await pin(other.apiUrl, cidNumber(2).toString(), 'by two');

    const { addresses } = (await (await fetch(`${other.apiUrl}/id`)).json()) as { addresses: string[] };
    await dead.process.start(['--bootstrap', addresses[0] ?? '']);
    await waitForMembers(peers);
    const listed = await ctl(dead, '--enc=json', 'pin', 'ls', '--linearizable');
    assert.deepEqual([listed.code, listed.stdout.match(/"by (three|two)"/g)?.sort()], [0, ['"by three"', '"by two"']]);
    await pin(dead.apiUrl, cidNumber(3).toString(), 'by three again');
    assert.equal((await pinset(leader.apiUrl)).length, 3);
    assert.deepEqual(
      (await readdir(dead.folder)).filter((name) => name.includes('.old')),
      [],
    );
  } finally {
    await end();
  }
});

test('a removal that cannot be committed leaves the voter its data; committed later, it ends the voter', async () => {
  const { peers, end } = await startPeers(watchful);
  try {
    const leader = await leaderOf(peers);
    const [removed, away] = without(peers, leader);
    assert.ok(removed && away);
    await waitForMembers(peers);
    await away.process.kill();
    // On two disks, one of which is that of the peer to be removed.
    await pin(leader.apiUrl, cidNumber(1).toString(), 'by two');
    const { code, stdout } = await ctl(leader, 'peers', 'rm', await idOf(removed));
    assert.equal(code, 2, stdout);

    // It has had ten looks by now.
    assert.doesNotThrow(() => process.kill(removed.process.pid ?? 0, 0), 'it runs');
    await removed.process.kill();
    assert.deepEqual(await dataFolders(removed), ['raft']);
    assert.deepEqual(await membersOnDisk(removed), [await idOf(leader), await idOf(away)].sort());
    assert.equal(await pinsOnDisk(removed), 1);

    // Those who remain elect one that has the removal, and commit it. Nobody tells the removed peer: it asks.
    const ended = assert.rejects(removed.process.start(), /ended before it was ready/);
    await away.process.start();
    await ended;
    await waitForEnd(removed);
    await waitForMembers([leader, away]);
    await waitFor(
      async () => (await pinset(away.apiUrl)).length,
      (count) => count === 1,
      (count) => `${away.name} has ${count} pins`,
      limitMs,
    );
  } finally {
    await end();
  }
});

async function dataFolders({ folder }: TestPeer): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith('raft')).sort();
}

/** The members by the last configuration in its log, committed or not. */
async function membersOnDisk({ folder }: TestPeer): Promise<string[]> {
  const { log, state } = await createRaftFolder(join(folder, 'raft'), { backupsRotate: 1 }).open();
  try {
    const last = (await log.load()).entries.findLast((entry) => entry.type === 'configuration');
    return last?.configuration.servers.map(({ id }) => id).sort() ?? [];
  } finally {
    await state.close();
  }
}

async function pinsOnDisk({ folder }: TestPeer): Promise<number> {
  const { state } = await createRaftFolder(join(folder, 'raft'), { backupsRotate: 1 }).open();
  try {
    return openPinset(state, {
      log: silentLogger,
      observer: { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} },
    }).count();
  } finally {
    await state.close();
  }
}
