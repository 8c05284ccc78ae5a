/**
 * The main job on real processes: three peers, three IPFS nodes, real content, and the death and return of a peer.
 * Runs with embedded nodes always, and with real Kubo daemons when `KUBO_BIN` names the program.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pin, pinset, waitFor, waitPinned } from '../../src/cmd/service/demo/cluster-api.ts';
import { addDirectory, addText, cat } from '../../src/cmd/service/demo/content.ts';
import { startPeers, type TestPeer } from '../support/peers.ts';

const limitMs = 90_000;
const writerCount = 6;
const retryPauseMs = 20;
const sourceFolder = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'src', 'core');

const kubo = process.env.KUBO_BIN;
if (kubo === undefined) console.log('# KUBO_BIN is not set: the end-to-end test runs with embedded IPFS nodes only');

for (const [nodes, program] of [
  ['embedded IPFS nodes', undefined] as const,
  ...(kubo === undefined ? [] : [['Kubo daemons', kubo] as const]),
]) {
  describe(`three peers with ${nodes}`, () => {
    it('pin real content, and no acknowledged pin is lost when the leader is killed under writes', async () => {
      const { peers, end } = await startPeers(program === undefined ? {} : { kubo: program });
      try {
        await pinRealContent(peers);
        await surviveDeathOfLeader(peers);
      } finally {
        await end();
      }
    });
  });
}

async function pinRealContent(peers: readonly TestPeer[]): Promise<void> {
  const [first, second, third] = threeOf(peers);
  const added = await addDirectory(first.ipfsUrl, sourceFolder);
  assert.ok(added.files.length > 5);
  await pin(second.apiUrl, added.root, 'sources');
  await waitPinned(third.apiUrl, added.root, 3, limitMs);
  for (const file of added.files) {
    const found = await cat(third.ipfsUrl, `/ipfs/${added.root}/${file.path}`);
    assert.deepEqual(Buffer.from(found), await readFile(join(sourceFolder, file.path)));
  }
}

async function surviveDeathOfLeader(peers: readonly TestPeer[]): Promise<void> {
  const leader = await findLeader(peers);
  const others = peers.filter((peer) => peer !== leader);
  const acknowledged: string[] = [];
  let isOver = false;
  let count = 0;
  const writer = async (i: number): Promise<void> => {
    for (let turn = i; !isOver; turn++) {
      // Through all peers, the one that dies included: what it answered before must be there too. Each writer takes them in
      // turn by itself: with a turn that is shared, writers whose pauses end together can ask the dead peer alone, for ever.
      const target = peers[turn % peers.length] ?? leader;
      const number = count++;
      try {
        const cid = await addText(others[0]?.ipfsUrl ?? '', `text ${number}`);
        await pin(target.apiUrl, cid, `text-${number}`);
        acknowledged.push(cid);
      } catch {
        // Not acknowledged: it may be there or not. A dead peer's port is not tried thousands of times: one of the tries
        // could be connected to itself and hold the port that the peer needs again.
        await setTimeout(retryPauseMs);
      }
    }
  };
  const writers = Array.from({ length: writerCount }, (_, i) => writer(i));
  await waitFor(
    async () => acknowledged.length,
    (found) => found > 50,
    String,
    limitMs,
  );
  await leader.process.kill();
  const atDeath = acknowledged.length;
  await waitFor(
    async () => acknowledged.length,
    (found) => found > atDeath + 50,
    String,
    limitMs,
  );
  await leader.process.start();
  const atReturn = acknowledged.length;
  await waitFor(
    async () => acknowledged.length,
    (found) => found > atReturn + 20,
    String,
    limitMs,
  );
  isOver = true;
  await Promise.all(writers);

  const last = acknowledged.at(-1) ?? '';
  for (const peer of peers) {
    const found = await waitFor(
      () => pinset(peer.apiUrl),
      (cids) => cids.includes(last),
      (cids) => `${peer.name} lists ${cids.length} pins, not yet the last one`,
      limitMs,
    );
    const held = new Set(found);
    assert.deepEqual(
      acknowledged.filter((cid) => !held.has(cid)),
      [],
      `${peer.name} lost acknowledged pins`,
    );
  }
  for (const cid of new Set(acknowledged)) await waitPinned(leader.apiUrl, cid, 3, limitMs);
}

async function findLeader(peers: readonly TestPeer[]): Promise<TestPeer> {
  const found = await waitFor(
    async () => peers.toSorted((a, b) => b.process.leaderTerm() - a.process.leaderTerm())[0],
    (peer) => (peer?.process.leaderTerm() ?? 0) > 0,
    () => 'no leader',
    limitMs,
  );
  assert.ok(found);
  return found;
}

function threeOf(peers: readonly TestPeer[]): [TestPeer, TestPeer, TestPeer] {
  const [first, second, third] = peers;
  assert.ok(first && second && third);
  return [first, second, third];
}
