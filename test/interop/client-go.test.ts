/** `ipfs-cluster/client` with a Go peer: what both kinds can, alike; what only ours can, refused in one way. Needs `GO_CLUSTER_BIN`. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Client, createClient } from '../../src/client/plain/index.ts';
import { freePorts } from '../../src/cmd/service/demo/ports.ts';
import { createIpfsNode, createRpcServer } from '../../src/ipfs-node/index.ts';
import { closedPort } from '../support/closed-port.ts';
import { collect } from '../support/collect.ts';
import { createMembers, goPrograms, type Member } from '../support/members.ts';
import { cidNumber } from '../support/pins.ts';

const skip = goPrograms === undefined ? 'GO_CLUSTER_BIN is not set: the client with Go peers is NOT tested' : false;
if (skip !== false) console.warn(skip);

const user = 'web';
const password = 'team';
/** Content that the IPFS node has, so that a pin is soon done; and what nobody has. */
const cid = 'bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4';
const missing = `${cidNumber(1)}`;

describe('ipfs-cluster/client and a Go peer', { skip }, () => {
  let folder: string;
  let ipfs: ReturnType<typeof createIpfsNode> | undefined;
  let go: Member | undefined;
  let client: Client;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'client-go-'));
    const rpcListen = `/ip4/127.0.0.1/tcp/${(await freePorts(1))[0] ?? 0}`;
    const swarmListen = ['/ip4/127.0.0.1/tcp/0'];
    ipfs = createIpfsNode({ folder: join(folder, 'ipfs'), rpcListen, swarmListen, createRpc: createRpcServer });
    await ipfs.start();
    [go] = await createMembers(folder, [
      {
        kind: 'go',
        ipfsAddress: rpcListen,
        change: ({ restapi, ...config }) => ({
          ...config,
          restapi: restapi && { ...restapi, basicAuthCredentials: { [user]: password } },
        }),
      },
    ]);
    await go?.start();
    client = createClient({ url: go?.apiUrl ?? '', credentials: { user, password } });
  });

  after(async () => {
    await go?.kill();
    await ipfs?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('tells who it is, its members, metrics and traffic', async () => {
    await client.health();
    assert.match(await client.version(), /^1\.1\.6/);
    const { id, peername } = await client.id();
    assert.deepEqual([id, peername], [go?.id, 'go1']);
    assert.deepEqual(
      (await collect(client.peers())).map((peer) => peer.id),
      [id],
    );
    assert.ok((await client.metricNames()).includes('ping'));
    assert.deepEqual(
      (await client.metrics('ping')).map((metric) => [metric.name, metric.peer, metric.isValid]),
      [['ping', id, true]],
    );
    assert.deepEqual(await client.alerts(), []);
    assert.equal((await client.graph()).clusterId, id);
    assert.equal(typeof (await client.bandwidth()), 'object');
  });

  it('takes files, streams and directories', async () => {
    const stream = async function* (): AsyncGenerator<Uint8Array> {
      yield new TextEncoder().encode('hello ');
      yield new TextEncoder().encode('world\n');
    };
    for (const content of ['hello world\n', new Blob(['hello world\n']), stream()]) {
      assert.equal((await client.addFile(content, { cidVersion: 1, name: 'file' })).cid, cid);
    }
    const names: string[] = [];
    const site = await client.addDirectory(
      [
        { path: 'index.html', content: '<p>hello</p>' },
        { path: 'img/dot.bin', content: new Uint8Array([1, 2, 3]) },
      ],
      { cidVersion: 1, onAdded: ({ name }) => names.push(name) },
    );
    assert.equal(site.cid, 'bafybeifh7bo6a55ybgdynudqn4u4z22de4fvgdpsuo3vdszyssgbhundum');
    assert.deepEqual(names.sort(), ['', 'img', 'img/dot.bin', 'index.html']);
    assert.equal((await client.get(site.cid))?.cid, site.cid);
  });

  it('pins, waits, lists, recovers and unpins', async () => {
    const expireAt = new Date('2100-01-01T00:00:00Z');
    const entry = await client.pin(cid, { name: 'by cid', metadata: { team: 'web' }, expireAt });
    assert.deepEqual(
      [entry.cid, entry.name, entry.metadata, entry.expireAt],
      [cid, 'by cid', { team: 'web' }, expireAt],
    );
    assert.equal((await client.waitFor(cid, { count: 'min' })).name, 'by cid');
    assert.equal((await client.get(cid))?.name, 'by cid');
    await client.pin(missing);

    // A server of Go sends trailers, which `fetch` hides.
    const pins = client.pins();
    const listed = (await collect(pins)).map((pin) => pin.cid);
    assert.equal(listed.length, 3);
    assert.ok(listed.includes(cid) && listed.includes(missing));
    assert.equal(pins.complete, 'unknown');
    const statuses = client.statusAll({ filter: ['pinned', 'queued', 'pinning'] });
    assert.equal((await collect(statuses)).length, 3);
    assert.equal((await collect(client.statusOf([cid]))).length, 1);
    assert.deepEqual(await collect(client.statusAll({ filter: ['unpinning'] })), []);
    assert.equal((await client.recover(cid)).cid, cid);
    await collect(client.recoverAll());

    assert.equal((await client.unpin(cid)).cid, cid);
    assert.equal(await client.get(cid), undefined);
    await assert.rejects(client.unpin(cid), { code: 'client/refused', status: 404 });
  });

  it('gives tokens, and refuses wrong credentials', async () => {
    const url = go?.apiUrl ?? '';
    const tokens: string[] = [];
    const token = async (): Promise<string> => {
      tokens.push(await client.token());
      return tokens.at(-1) ?? '';
    };
    assert.equal((await createClient({ url, credentials: { token } }).id()).id, go?.id);
    assert.equal(tokens.length, 1);
    const refused = { code: 'client/refused', status: 401 };
    await assert.rejects(createClient({ url }).id(), refused);
    await assert.rejects(createClient({ url, credentials: { user, password: 'x' } }).id(), refused);
    await assert.rejects(createClient({ url, credentials: { token: 'x' } }).id(), { code: 'client/refused' });
  });

  it('refuses what only our peers know, and reads a search as the whole list', async () => {
    const only: readonly Promise<unknown>[] = [
      client.explain(cid),
      client.cordonPeer(go?.id ?? '', 'cordoned'),
      client.members(),
      collect(client.rebalance({ dryRun: true })),
      collect(client.operations()),
      client.replication(),
      client.revokeToken('x'),
      collect(client.events()),
    ];
    const refusals = await Promise.allSettled(only);
    for (const [at, refusal] of refusals.entries()) {
      assert.equal(refusal.status, 'rejected', `call ${at}`);
      assert.equal(refusal.reason.code, 'client/refused', `call ${at}: ${refusal.reason}`);
      assert.ok([404, 405].includes(refusal.reason.status), `call ${at}: ${refusal.reason}`);
    }
    const page = client.pins({ limit: 1 });
    assert.ok((await collect(page)).length > 1);
    assert.equal(page.next, undefined);
  });

  it('goes on with another peer when this one is not there', async () => {
    const none = `http://127.0.0.1:${await closedPort()}`;
    const both = createClient({ url: [none, go?.apiUrl ?? ''], credentials: { user, password } });
    assert.equal((await both.id()).id, go?.id);
    assert.equal((await both.pin(cid)).cid, cid);
    await go?.kill();
    await assert.rejects(
      createClient({ url: [none, go?.apiUrl ?? ''], credentials: { user, password }, retries: 0 }).unpin(cid),
      { code: 'client/unreachable', outcome: 'refused' },
    );
  });
});
