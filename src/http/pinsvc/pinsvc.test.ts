/** The pinning service over three whole peers in this process. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { settle } from '../../../test/support/fake-clock.ts';
import { MemoryCluster } from '../../../test/support/memory-cluster.ts';
import { cidNumber, pinOf } from '../../../test/support/pins.ts';
import { OperatingError, silentLogger } from '../../base/index.ts';
import type { PeerOptions } from '../../cluster/index.ts';
import { createMemoryDatastore } from '../../cluster/memory-datastore.ts';
import { defaultPinOptions, pinsvcStates, timeFromNanos } from '../../model/index.ts';
import type { ApiOptions } from '../kit/index.ts';
import { bindPinsvcApi } from './index.ts';

const options: ApiOptions = {
  listen: ['/ip4/127.0.0.1/tcp/0'],
  limits: {
    readTimeoutMs: 0,
    readHeaderTimeoutMs: 5_000,
    writeTimeoutMs: 0,
    idleTimeoutMs: 120_000,
    maxHeaderBytes: 8_192,
  },
  cors: {
    allowedOrigins: ['*'],
    allowedMethods: ['GET', 'POST', 'DELETE'],
    allowedHeaders: ['authorization', 'content-type'],
    exposedHeaders: [],
    allowCredentials: false,
    maxAgeSeconds: 0,
  },
  headers: {},
};

interface Status {
  readonly requestid: string;
  readonly status: string;
  readonly created: string;
  readonly pin: { readonly cid: string; readonly name?: string; readonly meta?: object; readonly origins?: string[] };
  readonly delegates: readonly string[];
  readonly info: { readonly status_details?: string; readonly pinned_until?: string };
}
interface Results {
  readonly count: number;
  readonly results: readonly Status[];
}

async function service(
  t: TestContext,
  peerOptions: Partial<PeerOptions> = {},
  more: Partial<ApiOptions> = {},
  hasIndex: boolean = false,
) {
  const cluster = new MemoryCluster();
  if (hasIndex) cluster.openSearchStore = async () => createMemoryDatastore();
  await cluster.start(3, peerOptions);
  for (const { id, ipfs } of cluster.nodes) {
    ipfs.identity = { id, addresses: [`/ip4/10.0.0.1/tcp/4001/p2p/${id}`], error: '' };
  }
  await cluster.clock.advance(60_000);
  const serve = async (node: number): Promise<string> => {
    const api = await bindPinsvcApi({ ...options, ...more });
    t.after(() => api.close());
    const { peer } = cluster.node(node);
    api.serve({ cluster: peer, log: silentLogger, now: () => timeFromNanos(cluster.clock.wallNanos()) });
    return `http://127.0.0.1:${/tcp\/(\d+)/.exec(api.addresses()[0] ?? '')?.[1]}`;
  };
  t.after(() => cluster.stop());
  const base = await serve(0);
  const ask = async <T>(method: string, path: string, body?: object | string, headers = {}) => {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(base + path, { method, headers, ...(text === undefined ? {} : { body: text }) });
    const answer = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      json: (answer === '' ? undefined : JSON.parse(answer)) as T,
    };
  };
  const list = async (query = ''): Promise<Results> => {
    const { status, json } = await ask<Results>('GET', `/pins?${query}`);
    assert.equal(status, 200, JSON.stringify(json));
    return json;
  };
  return { cluster, ask, list, serve };
}

const allStates = `status=${pinsvcStates.join(',')}`;
const cid = (n: number): string => cidNumber(n).toString();
const cids = ({ results }: Results): string[] => results.map(({ pin }) => pin.cid);

test('a pin is accepted, told, listed and removed', async (t) => {
  const { cluster, ask, list } = await service(t);
  const origins = ['/ip4/203.0.113.142/tcp/4001/p2p/12D3KooWDgbURNzNJsMDzCUcGWutirMW464fi5x5m8CBn6iZRgvo'];
  const meta = { app: 'x', '<b>': '"' };
  const added = await ask<Status>('POST', '/pins', { cid: cid(1), name: 'one', meta, origins, unknown: 1 });
  assert.equal(added.status, 202);
  assert.equal(added.headers.get('content-type'), 'application/json');
  assert.deepEqual(added.json.pin, { cid: cid(1), name: 'one', origins, meta });
  assert.equal(added.json.status, 'queued');
  assert.equal(added.json.delegates.length, 3);
  for (const delegate of added.json.delegates) assert.match(delegate, /\/p2p\/[^/]+$/);
  await settle();
  const got = await ask<Status>('GET', `/pins/${added.json.requestid}`);
  assert.equal(got.status, 200);
  assert.deepEqual({ ...got.json, info: {} }, { ...added.json, status: 'pinned', info: {} });
  assert.equal(got.json.info.status_details, 'pinned on 3 of 3 peers, needed on 3');
  assert.deepEqual(await list(), { count: 1, results: [got.json] });
  const removed = await ask('DELETE', `/pins/${added.json.requestid}`);
  assert.deepEqual([removed.status, removed.json], [202, undefined]);
  const gone = await ask<object>('GET', `/pins/${added.json.requestid}`);
  assert.deepEqual([gone.status, gone.json], [404, { error: { reason: 'NOT_FOUND', details: 'pin not found' } }]);
  assert.deepEqual(await list(allStates), { count: 0, results: [] });
  assert.equal((await ask('DELETE', `/pins/${added.json.requestid}`)).status, 404);
  assert.equal(cluster.writes.length, 2);
});

test('requests that cannot be carried out are refused with their reason, and do nothing', async (t) => {
  const { cluster, ask } = await service(t);
  const refused = async (status: number, details: RegExp, ...request: Parameters<typeof ask>) => {
    const answer = await ask<{ error: { reason: string; details: string } }>(...request);
    assert.equal(answer.status, status, JSON.stringify(answer.json));
    assert.match(answer.json.error.details, details);
    assert.equal(
      answer.json.error.reason,
      status === 404 ? 'NOT_FOUND' : status === 413 ? 'PAYLOAD_TOO_LARGE' : 'BAD_REQUEST',
    );
  };
  await refused(400, /cid: found none, expected the CID to pin/, 'POST', '/pins', { name: 'x' });
  await refused(400, /cid: found none/, 'POST', '/pins', { cid: null });
  await refused(400, /cid: invalid cid/, 'POST', '/pins', { cid: 'foo' });
  await refused(400, /expected JSON, found "\{"/, 'POST', '/pins', '{');
  await refused(400, /expected JSON, found ""/, 'POST', '/pins', '');
  await refused(400, /expected an object, found a list/, 'POST', '/pins', '[]');
  await refused(400, /origins\[0\]: /, 'POST', '/pins', { cid: cid(1), origins: ['foo'] });
  const origins = new Array(21).fill('/ip4/1.2.3.4/tcp/1');
  await refused(400, /origins: found 21 addresses, expected at most 20/, 'POST', '/pins', { cid: cid(1), origins });
  await refused(400, /meta: a: expected a text, found 1/, 'POST', '/pins', { cid: cid(1), meta: { a: 1 } });
  const meta = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [i, '']));
  await refused(400, /meta: found 1001 entries, expected at most 1000/, 'POST', '/pins', { cid: cid(1), meta });
  await refused(400, /name: found 256 characters, expected at most 255/, 'POST', '/pins', {
    cid: cid(1),
    name: 'é'.repeat(256),
  });
  await refused(413, /longer than 65536 bytes/, 'POST', '/pins', { cid: cid(1), name: 'x'.repeat(70_000) });
  await refused(400, /error decoding requestID: invalid cid/, 'POST', '/pins/foo', { cid: cid(1) });
  await refused(404, /pin not found/, 'POST', `/pins/${cid(2)}`, { cid: cid(1) });
  await refused(400, /parameter limit/, 'GET', '/pins?limit=0');
  await refused(404, /not found/, 'GET', '/nope');
  assert.equal(cluster.writes.length, 0);
  assert.equal((await ask('POST', '/pins', { cid: cid(1), name: 'é'.repeat(255) })).status, 202);
});

test('a follower refuses to pin', async (t) => {
  const { ask } = await service(t, { followerMode: true });
  const { status, json } = await ask<{ error: { reason: string } }>('POST', '/pins', { cid: cid(1) });
  assert.deepEqual([status, json.error.reason], [403, 'FORBIDDEN']);
});

test('replacing: the new pin is on the same peers with its own options, the old one has gone', async (t) => {
  const { cluster, ask, list } = await service(t);
  const { peer } = cluster.node(1);
  const factors = { replicationFactorMin: 1, replicationFactorMax: 2 };
  const old = await peer.pin(cidNumber(1), { ...defaultPinOptions, ...factors, name: 'old', metadata: { a: 'b' } });
  const replaced = await ask<Status>('POST', `/pins/${cid(1)}`, { cid: cid(2), name: 'new' });
  assert.equal(replaced.status, 202);
  assert.equal(replaced.json.requestid, cid(2));
  const { name, metadata, allocations, replicationFactorMin, replicationFactorMax } = peer.pinGet(cidNumber(2));
  assert.deepEqual({ replicationFactorMin, replicationFactorMax }, factors);
  assert.deepEqual(
    [name, metadata, [...(allocations ?? [])].sort()],
    ['new', null, [...(old.allocations ?? [])].sort()],
  );
  assert.equal((await ask('GET', `/pins/${cid(1)}`)).status, 404);
  assert.deepEqual(cids(await list(allStates)), [cid(2)]);
  // The new one is there before the old one goes.
  assert.deepEqual(cluster.writes.map(({ kind, pin }) => [kind, pin.cid.toString()]).slice(1), [
    ['pin', cid(2)],
    ['unpin', cid(1)],
  ]);
});

test('replacing a pin by one of the same CID changes it, and keeps it', async (t) => {
  const { ask, list } = await service(t);
  await ask('POST', '/pins', { cid: cid(1), name: 'before' });
  const { status, json } = await ask<Status>('POST', `/pins/${cid(1)}`, { cid: cid(1), name: 'after' });
  assert.deepEqual([status, json.requestid], [202, cid(1)]);
  const { count, results } = await list(allStates);
  assert.deepEqual([count, results[0]?.pin.name], [1, 'after']);
});

test('when the old pin cannot be removed, the answer says that both are there', async (t) => {
  const { cluster, ask } = await service(t);
  await ask('POST', '/pins', { cid: cid(1) });
  cluster.onWrite = (_by, { cid: written }) => {
    if (written.equals(cidNumber(1))) throw new OperatingError('consensus/no-leader', 'no leader');
  };
  const { status, json } = await ask<{ error: { details: string } }>('POST', `/pins/${cid(1)}`, { cid: cid(2) });
  assert.equal(status, 500);
  assert.equal(json.error.details, `${cid(2)} is pinned, and ${cid(1)} still is: no leader`);
});

test('a pin that another peer has acknowledged a moment ago is found', async (t) => {
  const { cluster, ask } = await service(t);
  cluster.late = 0;
  await cluster.node(1).peer.pin(cidNumber(1), defaultPinOptions);
  assert.equal((await ask('GET', `/pins/${cid(1)}`)).status, 200);
});

test('lists are newest first, in pages that neither repeat nor lose a pin, whatever the order of the CIDs', async (t) => {
  const { cluster, list } = await service(t);
  const seconds = (n: number): number => 1_700_000_000 + ((n * 7) % 5);
  for (let n = 0; n < 60; n++)
    cluster.agree('pin', pinOf(cidNumber(n), { timestamp: { seconds: seconds(n), nanos: 0 } }));
  await settle();
  for (const query of [allStates, 'status=pinned', 'match=partial&name=']) {
    const seen: Status[] = [];
    let before = '';
    let counts = 60;
    for (;;) {
      const { count, results } = await list(`${query}&limit=7${before === '' ? '' : `&before=${before}`}`);
      assert.equal(count, counts, query);
      if (results.length === 0) break;
      seen.push(...results);
      counts -= results.length;
      before = results.at(-1)?.created ?? '';
    }
    assert.equal(new Set(seen.map(({ requestid }) => requestid)).size, 60);
    const times = seen.map(({ created }) => created);
    assert.deepEqual(times, [...times].sort().reverse());
    assert.equal(new Set(times).size, 60);
  }
  assert.equal((await list()).results.length, 10);
  const middle = (await list(`${allStates}&limit=1000`)).results[29]?.created ?? '';
  assert.equal((await list(`${allStates}&after=${middle}`)).count, 29);
  assert.equal((await list(`${allStates}&before=${middle}`)).count, 30);
  assert.equal((await list(`after=${middle}`)).count, 29);
});

for (const hasIndex of [false, true]) {
  test(`filters combine, ${hasIndex ? 'with' : 'without'} an index`, (t) => filtersCombine(t, hasIndex));
}

async function filtersCombine(t: TestContext, hasIndex: boolean): Promise<void> {
  const { cluster, list } = await service(t, {}, {}, hasIndex);
  const add = (n: number, name: string, metadata: Record<string, string> | null = null) =>
    cluster.agree('pin', pinOf(cidNumber(n), { name, metadata, timestamp: { seconds: 1_700_000_000 + n, nanos: 0 } }));
  cluster.node(0).ipfs.onAct = async (_act, failing) => {
    if (failing.equals(cidNumber(3))) throw new OperatingError('ipfs/x', 'no such block');
  };
  add(1, 'Report');
  add(2, 'report', { app: 'x' });
  add(3, 'report', { app: 'x', more: 'y' });
  add(4, 'other', { app: 'x' });
  cluster.agree('pin', pinOf(cidNumber(5), { type: 'meta-pin', name: 'report', reference: cidNumber(6) }));
  await settle();
  const meta = encodeURIComponent('{"app":"x"}');
  assert.deepEqual(cids(await list('name=report')), [cid(3), cid(2)]);
  assert.deepEqual(cids(await list('name=report&match=iexact')), [cid(3), cid(2), cid(1)]);
  assert.deepEqual(cids(await list(`meta=${meta}`)), [cid(4), cid(3), cid(2)]);
  assert.deepEqual(cids(await list(`meta=${meta}&name=report`)), [cid(3), cid(2)]);
  assert.deepEqual(cids(await list(`meta=${meta}&name=report&status=failed`)), [cid(3)]);
  assert.deepEqual(cids(await list(`cid=${cid(2)},${cid(3)},${cid(4)},${cid(9)}`)), [cid(4), cid(3), cid(2)]);
  assert.deepEqual(cids(await list(`cid=${cid(2)},${cid(3)},${cid(4)}&name=report&status=pinned`)), [cid(2)]);
  assert.deepEqual(
    await list(`cid=${cid(2)},${cid(3)}&limit=1`).then(({ count, results }) => [count, results.length]),
    [2, 1],
  );
  // Nothing is asked for: what is pinned.
  assert.deepEqual(cids(await list()), [cid(4), cid(2), cid(1)]);
  assert.deepEqual(cids(await list('status=failed')), [cid(3)]);
  // Parts of sharded content are none of the service's pins.
  assert.deepEqual(cids(await list(allStates)), [cid(4), cid(3), cid(2), cid(1)]);
  assert.deepEqual(cids(await list(`cid=${cid(5)}`)), []);
  const { created = '' } = (await list(`cid=${cid(2)}`)).results[0] ?? {};
  assert.deepEqual(cids(await list(`${allStates}&after=${created}`)), [cid(4), cid(3)]);
  assert.deepEqual(cids(await list(`name=report&after=${created}`)), [cid(3)]);
  assert.deepEqual(cids(await list(`name=report&before=${created}`)), []);
  // What has changed is looked at as it is.
  add(2, 'renamed', { app: 'x' });
  assert.deepEqual(cids(await list('name=report')), [cid(3)]);
  assert.deepEqual(cids(await list('name=renamed')), [cid(2)]);
}

test('the state of a pin is that of enough replicas, whatever single ones say', async (t) => {
  const { cluster, ask, list } = await service(t);
  const [first, second, third] = cluster.members;
  const failOn = (nodes: readonly number[]): void => {
    for (const n of nodes) {
      cluster.node(n).ipfs.onAct = () => Promise.reject(new OperatingError('ipfs/x', 'no such block'));
    }
  };
  failOn([1]);
  const allocations = [first ?? '', second ?? '', third ?? ''];
  const twoOfThree = { replicationFactorMin: 2, replicationFactorMax: 3, allocations };
  cluster.agree('pin', pinOf(cidNumber(1), twoOfThree));
  await settle();
  const { json } = await ask<Status>('GET', `/pins/${cid(1)}`);
  assert.equal(json.status, 'pinned');
  assert.match(
    json.info.status_details ?? '',
    /^pinned on 2 of 3 peers, needed on 2; peer-1: pin_error: no such block$/,
  );
  failOn([0, 1]);
  cluster.agree('pin', pinOf(cidNumber(2), twoOfThree));
  await settle();
  assert.equal((await ask<Status>('GET', `/pins/${cid(2)}`)).json.status, 'failed');
  assert.deepEqual(cids(await list()), [cid(1)]);
  assert.deepEqual(cids(await list('status=failed')), [cid(2)]);
});

test('pins of a peer that cannot be asked are not failed', async (t) => {
  const { cluster, ask } = await service(t);
  cluster.agree('pin', pinOf(cidNumber(1)));
  await settle();
  cluster.cut(cluster.node(2).id);
  const { json } = await ask<Status>('GET', `/pins/${cid(1)}`);
  assert.equal(json.status, 'pinning');
  assert.match(json.info.status_details ?? '', /^pinned on 2 of 3 peers, needed on 3; peer-2: cluster_error: /);
});

test('a pin that expires says so', async (t) => {
  const { cluster, ask } = await service(t);
  cluster.agree('pin', pinOf(cidNumber(1), { expireAt: { seconds: 1_800_000_000, nanos: 0 } }));
  const { json } = await ask<Status>('GET', `/pins/${cid(1)}`);
  assert.equal(json.info.pinned_until, '2027-01-15T08:00:00Z');
});

test('access tokens: whoever has none is refused, one with the password gets one, one that may read only cannot pin', async (t) => {
  const credentials = { full: { alice: 'secret1' }, readOnly: { bob: 'hunter2' } };
  const { ask } = await service(t, {}, { credentials });
  const none = await ask<object>('GET', '/pins');
  assert.deepEqual(
    [none.status, none.json],
    [401, { error: { reason: 'UNAUTHORIZED', details: 'unauthorized: no auth provided' } }],
  );
  const wrong = await ask<object>('GET', '/pins', undefined, { authorization: 'Bearer purposefullyInvalid' });
  assert.deepEqual([wrong.status, Object.keys(wrong.json)], [401, ['error']]);
  const basic = (user: string) => ({ authorization: `Basic ${Buffer.from(user).toString('base64')}` });
  const { json } = await ask<{ token: string }>('POST', '/token', undefined, basic('alice:secret1'));
  const bearer = { authorization: `Bearer ${json.token}` };
  assert.equal((await ask('POST', '/pins', { cid: cid(1) }, bearer)).status, 202);
  assert.equal((await ask<Results>('GET', `/pins?${allStates}`, undefined, basic('bob:hunter2'))).json.count, 1);
  const readOnly = await ask<{ error: { reason: string } }>(
    'DELETE',
    `/pins/${cid(1)}`,
    undefined,
    basic('bob:hunter2'),
  );
  assert.deepEqual([readOnly.status, readOnly.json.error.reason], [403, 'FORBIDDEN']);
  assert.equal((await ask('GET', '/health')).status, 204);
});

test('a page of another site may use it where it is configured so', async (t) => {
  const { ask } = await service(t, {}, { credentials: { full: { alice: 'secret1' }, readOnly: {} } });
  const preflight = await ask('OPTIONS', '/pins', undefined, {
    origin: 'https://app.example',
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,content-type',
  });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get('access-control-allow-origin'), '*');
  assert.equal(preflight.headers.get('access-control-allow-methods'), 'POST');
  assert.equal(preflight.headers.get('access-control-allow-headers'), 'authorization,content-type');
});
