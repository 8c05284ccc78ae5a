/** All peers of a cluster end, at once or one after the other, and come back knowing no more than what they had saved by then. */
import assert from 'node:assert/strict';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pin, pinset, waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import { startPeers, type TestPeer, type TestPeers } from '../support/peers.ts';
import { cidNumber } from '../support/pins.ts';

const limitMs = 60_000;

/** Three peers made like any that a user makes: the first stands alone, the others join it by its address. */
async function joined(): Promise<TestPeers> {
  const { peers, end } = await startPeers({
    isStarted: false,
    change: (config) => ({
      ...config,
      raft: config.raft && { ...config.raft, initPeerset: [], waitForLeaderTimeoutMs: 5000 },
    }),
  });
  try {
    for (const { folder } of peers) await writeFile(join(folder, 'peerstore'), '');
    const [first, ...others] = peers;
    assert.ok(first);
    await first.process.start();
    const address = await addressOf(first);
    for (const { process } of others) await process.start(['--bootstrap', address]);
    return { peers, end };
  } catch (error) {
    await end();
    throw error;
  }
}

async function addressOf({ apiUrl }: TestPeer): Promise<string> {
  const { addresses } = (await (await fetch(`${apiUrl}/id`)).json()) as { addresses: string[] };
  const [address] = addresses;
  assert.ok(address);
  return address;
}

/** Pins through each peer in turn. @returns what was acknowledged. */
async function pinAll(peers: readonly TestPeer[], from: number, to: number): Promise<string[]> {
  const cids: string[] = [];
  for (let n = from; n < to; n++) {
    const cid = cidNumber(n).toString();
    const peer = peers[n % peers.length];
    assert.ok(peer);
    await pin(peer.apiUrl, cid, `pin ${n}`);
    cids.push(cid);
  }
  return cids;
}

async function expectAll(peers: readonly TestPeer[], acknowledged: readonly string[]): Promise<void> {
  const expected = acknowledged.toSorted();
  for (const peer of peers) {
    await waitFor(
      () => pinset(peer.apiUrl),
      (cids) => cids.join() === expected.join(),
      (cids) => `${peer.name} lists ${cids.length} pins, ${expected.length} were acknowledged`,
      limitMs,
    );
  }
}

test('three peers that were killed together right after a pin come back by themselves with every acknowledged pin', async () => {
  const { peers, end } = await joined();
  try {
    // Killed as soon as the last one is ready, and again later.
    await Promise.all(peers.map((peer) => peer.process.kill()));
    await Promise.all(peers.map((peer) => peer.process.start()));
    const early = await pinAll(peers, 1, 10);
    await Promise.all(peers.map((peer) => peer.process.kill()));
    const [first, ...others] = peers;
    assert.ok(first);
    const alone = first.process.start();
    await waitFor(
      async () => await readFile(join(first.folder, 'daemon.log'), 'utf8'),
      (log) => /2 of 2 other members are not reached \(.*connection refused.*peerstore\\?".*--bootstrap/.test(log),
      (log) => `the first peer says only\n${log}`,
      limitMs,
    );
    await Promise.all([alone, ...others.map((peer) => peer.process.start())]);
    await expectAll(peers, early);
    await expectAll(peers, [...early, ...(await pinAll(peers, 10, 13))]);
  } finally {
    await end();
  }
});

test('peers that stop one after the other remember each other, and what an operator wrote stays', async () => {
  const { peers, end } = await joined();
  try {
    const [first, second, third] = peers;
    assert.ok(first && second && third);
    const acknowledged = await pinAll(peers, 1, 4);
    const addresses = [await addressOf(first), await addressOf(second)];
    const own = `# the rack in the cellar\n/dns4/first.invalid/tcp/9096/p2p/${addresses[0]?.split('/p2p/')[1]}\n`;
    const file = join(third.folder, 'peerstore');
    await third.process.stop();
    await writeFile(file, own);
    await appendFile(file, `${addresses[1]}\n`);
    await third.process.start();
    for (const { process } of [first, second, third]) await process.stop();
    const text = await readFile(file, 'utf8');
    assert.ok(text.startsWith(`${own}${addresses[1]}\n`), text);
    for (const address of addresses) assert.ok(text.split('\n').includes(address), text);

    await Promise.all(peers.map((peer) => peer.process.start()));
    await expectAll(peers, acknowledged);
  } finally {
    await end();
  }
});
