/** The `state` commands beside real peers: what was acknowledged is exported, running or killed, and starts a cluster anew. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pin, pinset, waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import { serviceProgram, startPeers, type TestPeer } from '../support/peers.ts';
import { cidNumber } from '../support/pins.ts';

const limitMs = 60_000;

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function service({ folder }: TestPeer, ...args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(process.execPath, [serviceProgram, '--config', folder, ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

async function succeeded(ran: Promise<Ran>): Promise<Ran> {
  const { code, stdout, stderr } = await ran;
  assert.equal(code, 0, stderr);
  return { code, stdout, stderr };
}

const cidsOf = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { cid: string }).cid)
    .sort();

/** Peers answer a write when it is applied where it was agreed; the others hear of it a moment later. */
async function waitForPins(peers: readonly TestPeer[], count: number): Promise<void> {
  for (const peer of peers) {
    await waitFor(
      () => pinset(peer.apiUrl),
      (cids) => cids.length === count,
      (cids) => `${peer.name} lists ${cids.length} of ${count} pins`,
      limitMs,
    );
  }
}

async function digestsOf(peers: readonly TestPeer[]): Promise<string[]> {
  const texts = await Promise.all(peers.map((peer) => succeeded(service(peer, 'state', 'digest'))));
  return texts.map(({ stdout }) => stdout.split('\n')[0] ?? '');
}

/** Pins the CIDs of these numbers through all peers in turn. @returns the CIDs. */
async function pinAll(peers: readonly TestPeer[], from: number, to: number): Promise<string[]> {
  const cids: string[] = [];
  for (let n = from; n < to; n++) {
    const cid = cidNumber(n).toString();
    await pin(peers[n % peers.length]?.apiUrl ?? '', cid, `pin ${n}`);
    cids.push(cid);
  }
  return cids;
}

test('acknowledged pins are exported from running and from killed peers, and start a cluster anew', async () => {
  const old = await startPeers();
  const fresh = await startPeers({ isStarted: false });
  try {
    const first = await pinAll(old.peers, 0, 30);
    await waitForPins(old.peers, first.length);
    const leader = old.peers.toSorted((a, b) => b.process.leaderTerm() - a.process.leaderTerm())[0];
    assert.ok(leader);
    for (const peer of old.peers) {
      const { stdout, stderr } = await succeeded(service(peer, 'state', 'export'));
      assert.deepEqual(cidsOf(stdout), first.toSorted());
      assert.match(stderr, /asking its HTTP API/);
    }
    assert.equal(new Set(await digestsOf(old.peers)).size, 1);
    const refused = await service(leader, 'state', 'import', '-f', '/dev/null');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^error obtaining execution lock: .*another peer is running/);

    const acknowledged = [...first, ...(await pinAll(old.peers, 30, 50))].sort();
    await Promise.all(old.peers.map((peer) => peer.process.kill()));
    const file = join(leader.folder, 'pins.json');
    await succeeded(service(leader, 'state', 'export', '--file', file));
    assert.deepEqual(cidsOf(await readFile(file, 'utf8')), acknowledged);

    for (const peer of fresh.peers) {
      const { stderr } = await succeeded(service(peer, 'state', 'import', '--yes', file));
      assert.match(stderr, /^state successfully imported: 50 pins; the members are /);
    }
    const [digest] = await digestsOf([leader]);
    assert.deepEqual(new Set(await digestsOf(fresh.peers)), new Set([digest]));
    await Promise.all(fresh.peers.map((peer) => peer.process.start()));
    const late = await pinAll(fresh.peers, 50, 53);
    await waitForPins(fresh.peers, 53);
    for (const peer of fresh.peers) assert.deepEqual(await pinset(peer.apiUrl), [...acknowledged, ...late].sort());
    assert.equal(new Set(await digestsOf(fresh.peers)).size, 1);
  } finally {
    await old.end();
    await fresh.end();
  }
});

test('a pinset that is imported on one peer alone comes to those that join it', async () => {
  const { peers, end } = await startPeers({ isStarted: false });
  try {
    const [first, ...others] = peers;
    assert.ok(first);
    const file = join(first.folder, 'pins.json');
    await writeFile(file, Array.from({ length: 2000 }, (_, n) => `{"cid": "${cidNumber(n)}"}`).join(' '));
    await succeeded(service(first, 'state', 'import', '--yes', '--alone', file));
    await first.process.start();
    const { id } = JSON.parse(await readFile(join(first.folder, 'identity.json'), 'utf8'));
    const { cluster } = JSON.parse(await readFile(join(first.folder, 'service.json'), 'utf8'));
    const address = `${[cluster.listen_multiaddress].flat()[0]}/p2p/${id}`;
    for (const peer of others) await peer.process.start(['--bootstrap', address]);
    await waitForPins(peers, 2000);
    await pinAll(peers, 2000, 2003);
    await waitForPins(peers, 2003);
    assert.equal(new Set(await digestsOf(peers)).size, 1);
  } finally {
    await end();
  }
});
