/** `createCluster`: real peers with real IPFS nodes, as an embedding program has them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createClient } from '../../src/client/index.ts';
import { addText, cat } from '../../src/cmd/service/demo/content.ts';
import { type Cluster, type ClusterOptions, createCluster, type Logger } from '../../src/index.ts';
import { Cid } from '../../src/model/index.ts';
import { collect } from '../support/collect.ts';
import { cidNumber } from '../support/pins.ts';

const loopback = ['/ip4/127.0.0.1/tcp/0'];

/** The peers of each test. */
const started = new WeakMap<TestContext, Cluster[]>();

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-embed-'));
  t.after(async () => {
    // Hooks run in the order in which they were registered, and a peer writes into its folder until it has stopped.
    await Promise.all((started.get(t) ?? []).map((cluster) => cluster.stop()));
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

async function start(t: TestContext, folder: string, options: Partial<ClusterOptions> = {}): Promise<Cluster> {
  const cluster = await createCluster({
    folder,
    listen: loopback,
    ipfs: { type: 'embedded', swarmListen: loopback },
    ...options,
  });
  started.set(t, [...(started.get(t) ?? []), cluster]);
  return cluster;
}

function urlOf(address: string | undefined): string {
  return (address ?? '').replace(/^\/ip4\/([^/]+)\/tcp\/(\d+)$/, 'http://$1:$2');
}

test('two peers in one process agree, fetch content from each other, and come back as they were', async (t) => {
  const folders = [await makeFolder(t), await makeFolder(t)] as const;
  const first = await start(t, folders[0], { peername: 'first', http: { listen: loopback } });
  await first.ready;
  assert.match(first.secret, /^[0-9a-f]{64}$/);
  const joining = { peername: 'second', secret: first.secret, bootstrap: first.addresses };
  const second = await start(t, folders[1], joining);
  const events: string[] = [];
  second.on('pin', ({ cid, name }) => events.push(`pin ${name} ${cid}`));
  second.on('unpin', ({ cid }) => events.push(`unpin ${cid}`));
  await second.ready;
  assert.equal(second.leader(), first.id);

  const cid = await addText(urlOf(first.doors.ipfs), 'content of one');
  const entry = await second.pin(cid, { name: 'one', metadata: { from: 'test' } });
  assert.equal(entry.cid, cid);
  assert.deepEqual(first.get(Cid.parse(cid))?.metadata, { from: 'test' });
  const status = await first.waitFor(cid);
  assert.deepEqual(
    Object.values(status.peers)
      .map(({ peername, status }) => [peername, status])
      .sort(),
    [
      ['first', 'pinned'],
      ['second', 'pinned'],
    ],
  );
  assert.equal(Buffer.from(await cat(urlOf(second.doors.ipfs), `/ipfs/${cid}`)).toString(), 'content of one');
  const peers = await second.peers();
  assert.deepEqual(peers.map(({ id }) => id).sort(), [first.id, second.id].sort());
  assert.ok(peers.every(({ error, ipfs }) => error === '' && ipfs.id !== ''));

  // The HTTP API was asked for on the first only, and shows the same.
  assert.deepEqual(second.doors.http, []);
  const client = createClient({ url: urlOf(first.doors.http[0]) });
  assert.deepEqual(
    (await collect(client.allocations())).map(({ name }) => name),
    ['one'],
  );

  // A member goes on with its data instead of joining anew, even when the peer that took it in is no more.
  await second.stop();
  assert.equal(await second.ended, undefined);
  const gone = '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5';
  const again = await start(t, folders[1], { ...joining, bootstrap: [gone] });
  await again.ready;
  assert.equal(again.id, second.id);
  assert.deepEqual(
    (await collect(again.pins())).map(({ name }) => name),
    ['one'],
  );
  assert.deepEqual(
    (await readdir(folders[1])).filter((name) => name.includes('.old')),
    [],
  );

  await first.unpin(cid);
  assert.deepEqual(events, [`pin one ${cid}`]);
  assert.equal(first.get(cid), undefined);
  await first.removePeer(again.id);
  assert.match((await again.ended)?.message ?? '', /no longer in peerset/);
  assert.equal((await first.peers()).length, 1);
});

test('a peer that was removed while it was away joins again by its bootstrap peers, with the data that it has', async (t) => {
  const folders = [await makeFolder(t), await makeFolder(t), await makeFolder(t)] as const;
  const first = await start(t, folders[0]);
  await first.ready;
  const joining = { secret: first.secret, bootstrap: first.addresses };
  const second = await start(t, folders[1], joining);
  await second.ready;
  const third = await start(t, folders[2], joining);
  await third.ready;
  await third.stop();
  await first.removePeer(third.id);
  const cid = cidNumber(1).toString();
  await second.pin(cid, { name: 'missed' });

  const gone = '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5';
  const lines: string[] = [];
  const tell = (line: string): void => void lines.push(line);
  const log: Logger = { error: tell, warn: tell, info: tell, debug: () => {}, scope: () => log };
  const again = await start(t, folders[2], { ...joining, bootstrap: [gone, ...first.addresses], log });
  await again.ready;
  // The leader may have sent it its last messages: ready then, and no member yet.
  await again.readBarrier();
  assert.equal(again.get(cid)?.name, 'missed');
  await again.pin(cidNumber(2).toString(), { name: 'by all' });
  assert.deepEqual((await first.peers()).map(({ id }) => id).sort(), [first.id, second.id, third.id].sort());
  assert.ok(lines.some((line) => line.includes('nobody confirms that this peer is a member still')));
  assert.ok(lines.some((line) => line.startsWith(`bootstrap to ${gone} failed: `)));
  assert.deepEqual(
    (await readdir(folders[2])).filter((name) => name.includes('.old')),
    [],
  );
});

test('a folder has one peer at a time, and is free when a start has failed', async (t) => {
  const folder = await makeFolder(t);
  const busy = createServer().listen(0, '127.0.0.1');
  t.after(() => busy.close());
  await once(busy, 'listening');
  const address = busy.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const listen = [`/ip4/127.0.0.1/tcp/${port}`];
  await assert.rejects(start(t, folder, { listen }), {
    code: 'p2p/listen',
    message: /^cluster\.listen_multiaddress: Cannot listen on .*: the port is in use$/,
  });
  await assert.rejects(start(t, folder, { http: { listen } }), {
    code: 'http/listen',
    message: /^api\.restapi: Cannot listen on .*: the address is in use by another program$/,
  });
  const cluster = await start(t, folder);
  await assert.rejects(start(t, folder), { code: 'config/locked' });
  await cluster.ready;
  assert.equal((await readFile(join(folder, 'secret'), 'utf8')).trim(), cluster.secret);
  await Promise.all([cluster.stop(), cluster.stop()]);
  const other = await start(t, folder);
  assert.deepEqual([other.id, other.secret], [cluster.id, cluster.secret]);
  await other.stop();
  await writeFile(join(folder, 'secret'), 'short');
  await assert.rejects(start(t, folder), {
    code: 'config/bad-file',
    message: /secret: found 5 characters, expected 64/,
  });
});

test('arguments that are none are refused with what was found and expected', async (t) => {
  await using cluster = await start(t, await makeFolder(t));
  const cid = 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o';
  const refused = (act: Promise<unknown>, message: RegExp) =>
    assert.rejects(act, { code: 'embed/bad-argument', message });
  await refused(cluster.pin('bafy'), /^Cannot use the CID: found "bafy", expected a CID, as text or as an object \(/);
  // As from programs without types.
  await refused(cluster.pin(5 as never), /^Cannot use the CID: found 5, expected/);
  await refused(cluster.pin(cid, { name: 5 as never }), /^Cannot use name: found 5, expected a text$/);
  await refused(cluster.pin(cid, { mode: 'deep' as never }), /found "deep", expected "recursive" or "direct"$/);
  await refused(cluster.pin(cid, { replicationMin: 0 }), /replicationMin: found 0, expected -1/);
  await refused(cluster.pin(cid, { expireAt: new Date('x') }), /expireAt: found null, expected a Date$/);
  await refused(cluster.pin(cid, { origins: ['x'] }), /origins: found "x", expected a list of multiaddrs$/);
  await refused(cluster.pin(cid, { allocations: ['x'] }), /allocations: found "x", expected a list of peer ids$/);
  await refused(cluster.removePeer('x'), /the peer: found "x", expected a peer id/);
  await refused(collect(cluster.statusAll({ filter: ['pined' as never] })), /filter: found "pined", expected statuses/);
  await cluster.ready;
  await assert.rejects(cluster.unpin(cid), { code: 'cluster/not-pinned' });
  await assert.rejects(cluster.waitFor(cid, { timeoutMs: 300 }), {
    code: 'embed/not-reached',
    message: /^Cannot wait longer for "Qm.*": pinned on 0 of 1 peers, unpinned on /,
  });
});
