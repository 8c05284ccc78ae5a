/**
 * The Go ctl drives our peers. Needs `GO_CLUSTER_BIN`, a folder with the Go programs; it stays on loopback.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { waitPinned } from '../../src/cmd/service/demo/cluster-api.ts';
import { addText } from '../../src/cmd/service/demo/content.ts';
import { startPeers, type TestPeers } from '../support/peers.ts';

const bin = process.env.GO_CLUSTER_BIN;
const skip = bin === undefined ? 'GO_CLUSTER_BIN is not set: the Go ctl with our peers is NOT tested' : false;
if (skip !== false) console.warn(skip);

const limitMs = 60_000;

describe('the Go ctl and our peers', { skip }, () => {
  let started: TestPeers;
  let host: string;
  let cid: string;
  let ids: string[];

  before(async () => {
    started = await startPeers({ count: 2 });
    const [first] = started.peers;
    assert.ok(first);
    host = first.apiAddress;
    cid = await addText(first.ipfsUrl, 'pinned by the Go ctl');
    ids = await Promise.all(
      started.peers.map(async (peer) => ((await (await fetch(`${peer.apiUrl}/id`)).json()) as { id: string }).id),
    );
  });
  after(() => started?.end());

  /** Standard output; fails when the program does. */
  function ctl(...argv: string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      execFile(join(bin ?? '', 'ipfs-cluster-ctl'), ['--host', host, ...argv], (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`ctl ${argv.join(' ')}: ${error.message}\n${stdout}\n${stderr}`));
      });
    });
  }

  test('id names the peer, its addresses and its IPFS node', async () => {
    const text = await ctl('id');
    assert.match(text, new RegExp(`^${ids[0]} \\| peer1 \\| Sees 1 other peers\n`));
    assert.match(text, /> Addresses:\n {4}- \/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/12D3Koo/);
    assert.match(text, /> IPFS: 12D3Koo\w+\n {4}- \/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/12D3Koo/);
  });

  test('peers ls lists both', async () => {
    const text = await ctl('peers', 'ls');
    for (const [i, id] of ids.entries()) {
      assert.match(text, new RegExp(`^${id} \\| peer${i + 1} \\| Sees 1 other peers$`, 'm'));
    }
  });

  test('pin add, pin ls, status and pin rm', async () => {
    const added = await ctl('pin', 'add', '--name', 'one & <two>', '--metadata', 'k=v', '--wait', cid);
    assert.match(added, new RegExp(`^${cid} \\| one & <two>:\n`));
    await waitPinned(started.peers[0]?.apiUrl ?? '', cid, 2, limitMs);

    const listed = await ctl('pin', 'ls');
    assert.match(
      listed,
      new RegExp(`^${cid} \\| one & <two> \\| PIN \\| Repl\\. Factor: -1 \\| Allocations: \\[everywhere\\]`),
    );
    const status = await ctl('status', cid);
    for (const name of ['peer1', 'peer2']) {
      assert.match(status, new RegExp(`^ {4}> ${name} +: PINNED \\| .*\\| Attempts: 0 \\| Priority: false$`, 'm'));
    }
    assert.match(await ctl('status', '--filter', 'pinned'), new RegExp(cid));
    const json = JSON.parse(await ctl('--enc=json', 'status', cid)) as { peer_map: object };
    assert.deepEqual(Object.keys(json.peer_map).sort(), ids.toSorted());

    await ctl('pin', 'rm', '--wait', cid);
    assert.equal(await ctl('pin', 'ls'), '');
    await assert.rejects(ctl('pin', 'rm', cid), /pin is not part of the pinset/);
    await assert.rejects(
      ctl('pin', 'add', '--rmin', '3', '--rmax', '2', cid),
      /replication_factor_min is larger than max/,
    );
  });

  test('health graph draws both peers and their nodes', async () => {
    const text = await ctl('health', 'graph');
    assert.match(text, /^digraph cluster \{/);
    for (const id of ids) assert.ok(text.includes(id), `${id} is not in the graph`);
    assert.match(text, /I0 .*label/);
  });
});
