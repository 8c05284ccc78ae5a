import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from '../../test/support/collect.ts';
import { type FakeAnswer, type FakeApi, startFakeApi } from '../../test/support/fake-api.ts';
import { Cid, parseStatusFilter } from '../model/index.ts';
import { type Client, createClient, failoverTransport, fetchTransport, type Transport, waitFor } from './index.ts';

const cid = Cid.parse('QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o');
const peer = '12D3KooWBCJm4uy27rCNUQPwtsC3Wtc3M9YTP4i9c7fLFfC3ZYWT';
const status = (name: string) => JSON.stringify({ cid: cid.toString(), peer_map: { [peer]: { status: name } } });

type Answers = Parameters<typeof startFakeApi>[0];

async function withApi(answers: Answers, act: (client: Client, api: FakeApi) => Promise<void>): Promise<void> {
  const api = await startFakeApi(answers);
  try {
    await act(createClient({ url: api.url }), api);
  } finally {
    await api.close();
  }
}

/** A transport that answers without a network. */
function canned(answer: FakeAnswer & { readonly chunks?: readonly string[] }, sent: string[] = []): Transport {
  return async (request) => {
    sent.push(`${request.method} ${request.path} ${request.headers.Authorization ?? ''}`.trim());
    const chunks = answer.chunks ?? [typeof answer.body === 'string' ? answer.body : (answer.body ?? []).join('\n')];
    return {
      status: answer.status ?? 200,
      body: (async function* () {
        for (const chunk of chunks) yield new TextEncoder().encode(chunk);
      })(),
      streamErrors: () => answer.trailers ?? [],
    };
  };
}

test('requests are those of the Go client', async () => {
  const sent: string[] = [];
  const client = createClient({ transport: canned({ body: status('pinned') }, sent) });
  await client.status(cid, { local: true });
  await collect(client.statusAll({ filter: parseStatusFilter('error,pinned') }));
  await collect(client.statusCids([cid, cid]));
  await client.recover(cid);
  await collect(client.recoverAll());
  await client.pin(cid, { name: 'a b', metadata: { k: 'v&' } });
  await client.pinPath('/ipfs/x/a?b c/ü');
  await client.unpinPath(`/ipfs/${cid}`);
  await collect(client.allocations({ types: ['pin', 'meta-pin'] }));
  await client.peerRemove(peer);
  await client.repoGc({ local: true });
  const options = 'replication-max=0&replication-min=0&shard-size=0&user-allocations=';
  assert.deepEqual(sent, [
    `GET /pins/${cid}?local=true`,
    'GET /pins?local=false&filter=error%2Cpinned&cids=',
    `GET /pins?local=false&filter=&cids=${cid},${cid}`,
    `POST /pins/${cid}/recover?local=false`,
    'POST /pins/recover?local=false',
    `POST /pins/${cid}?meta-k=v%26&mode=recursive&name=a+b&${options}`,
    `POST /pins/ipfs/x/a%3Fb%20c/%C3%BC?mode=recursive&name=&${options}`,
    `DELETE /pins/ipfs/${cid}`,
    'GET /allocations?filter=pin%2Cmeta-pin',
    `DELETE /peers/${peer}`,
    'POST /ipfs/gc?local=true',
  ]);
});

test('a linearizable read is asked for in the query', async () => {
  const sent: string[] = [];
  const client = createClient({ transport: canned({ body: '' }, sent) });
  const pin = createClient({ transport: canned({ body: `{"cid":"${cid}"}` }, sent) });
  await pin.allocation(cid, { linearizable: true });
  await pin.allocation(cid, { linearizable: false });
  await collect(client.allocations({ linearizable: true }));
  await collect(client.allocations());
  assert.deepEqual(sent, [
    `GET /allocations/${cid}?linearizable=true`,
    `GET /allocations/${cid}`,
    'GET /allocations?filter=all&linearizable=true',
    'GET /allocations?filter=all',
  ]);
});

test('credentials go with every request', async () => {
  const sent: string[] = [];
  const transport = canned({ body: '{"version":"1"}' }, sent);
  await createClient({ transport, credentials: { user: 'u', password: 'pä' } }).version();
  await createClient({ transport, credentials: { token: 't' } }).version();
  assert.deepEqual(sent, ['GET /version Basic dTpww6Q=', 'GET /version Bearer t']);
});

test('refusals carry status and message, whatever form they have', async () => {
  const cases: readonly [FakeAnswer, number, string][] = [
    [
      { status: 404, body: '{"code":404,"message":"pin is not part of the pinset"}\n' },
      404,
      'pin is not part of the pinset',
    ],
    [{ status: 400, body: '{"code":400,"message":"first"}\n{"cid":"x"}\n' }, 400, 'first'],
    [{ status: 400, body: 'plain text\n' }, 400, 'plain text\n'],
    [{ status: 405, body: '' }, 405, 'status 405 without a body'],
  ];
  for (const [answer, code, message] of cases) {
    const client = createClient({ transport: canned(answer) });
    await assert.rejects(client.id(), { code: 'client/refused', status: code, message });
    await assert.rejects(collect(client.peers()), { code: 'client/refused', status: code, message });
  }
});

test('a list may be cut anywhere, ends at 204, and fails when its trailer says so', async () => {
  const chunks = [
    `${status('pinned')}\n${status('pin')}`.slice(0, 50),
    `${status('pinned')}\n`.slice(50),
    `${status('remote')}`,
  ];
  const whole = createClient({ transport: canned({ chunks, trailers: [''] }) });
  assert.deepEqual(
    (await collect(whole.statusAll())).map((info) => info.peerMap[peer]?.status),
    ['pinned', 'remote'],
  );
  const none = createClient({ transport: canned({ status: 204, body: '' }) });
  assert.deepEqual(await collect(none.statusAll()), []);
  const broken = createClient({
    transport: canned({ body: `${status('pinned')}\n`, trailers: ['', 'a failed', 'b failed'] }),
  });
  const seen: unknown[] = [];
  await assert.rejects(
    async () => {
      for await (const info of broken.statusAll()) seen.push(info);
    },
    { code: 'client/stream', status: 500, message: 'a failed; b failed' },
  );
  assert.equal(seen.length, 1);
});

test('answers that are not of the API are told', async () => {
  const client = createClient({ transport: canned({ body: '<html>' }) });
  await assert.rejects(client.version(), { code: 'client/bad-answer', message: /expected JSON, found "<html>"/ });
  const redirected = createClient({ transport: canned({ status: 302, body: '' }) });
  await assert.rejects(collect(redirected.peers()), { code: 'client/bad-answer' });
});

test('fetchTransport talks to a server, and says when there is none', async () => {
  await withApi(
    (_method, path) =>
      path.startsWith('/peers?') ? { body: ['{"id":""}', '{"id":""}'] } : { body: '{"version":"1.2.3"}\n' },
    async (client, api) => {
      assert.equal(await client.version(), '1.2.3');
      assert.equal((await collect(client.peers())).length, 2);
      await api.close();
      await assert.rejects(client.version(), { code: 'client/unreachable', status: 0, outcome: 'refused' });
      // The connection was refused: nobody can have pinned anything.
      await assert.rejects(client.pin(cid), { code: 'client/unreachable', outcome: 'refused' });
    },
  );
});

test('a request ends when its time is over or its signal fires', async () => {
  await withApi(
    () => undefined,
    async (_client, api) => {
      const client = createClient({ url: api.url, timeoutMs: 1 });
      await assert.rejects(client.version(), { code: 'client/timeout', status: 0 });
      await assert.rejects(client.pin(cid), { code: 'client/timeout', outcome: 'unknown' });
      const signal = AbortSignal.abort();
      await assert.rejects(createClient({ url: api.url }).version({ signal }), { code: 'client/aborted', status: 0 });
    },
  );
});

test('failoverTransport goes on only where there is no answer', async () => {
  const down = fetchTransport({ url: 'http://127.0.0.1:1', fetch: () => Promise.reject(new Error('down')) });
  const refusing = canned({ status: 500, body: 'no' });
  const up = canned({ body: '{"version":"2"}' });
  assert.equal(await createClient({ transport: failoverTransport([down, up]) }).version(), '2');
  await assert.rejects(createClient({ transport: failoverTransport([refusing, up]) }).version(), { status: 500 });
  await assert.rejects(createClient({ transport: failoverTransport([down, down]) }).version(), /down$/);
});

test('waitFor waits for the target on as many peers as asked', async () => {
  const names = ['pinning', 'pin_queued', 'pinned', 'pinned'];
  await withApi(
    (_method, _path, count) => ({ body: status(names[count - 1] ?? 'pinned') }),
    async (client, api) => {
      const info = await waitFor(client, { cid, target: 'pinned', intervalMs: 0 });
      assert.equal(info.peerMap[peer]?.status, 'pinned');
      assert.equal(api.requests.length, 3);
    },
  );
});

test('waitFor gives up at an error status and at its signal', async () => {
  const failed = createClient({ transport: canned({ body: status('pin_error') }) });
  await assert.rejects(waitFor(failed, { cid, target: 'pinned', intervalMs: 0 }), {
    code: 'client/status-error',
    message: 'error has occurred while attempting to reach status: pinned',
  });
  const pending = createClient({ transport: canned({ body: status('pinning') }) });
  const signal = AbortSignal.timeout(5);
  await assert.rejects(waitFor(pending, { cid, target: 'pinned', intervalMs: 1, signal }), {
    code: 'client/aborted',
    message: 'context deadline exceeded',
  });
});

test('waitFor skips remote peers when everybody shall have pinned, and counts up to the limit', async () => {
  const peers = { a: { status: 'pinned' }, b: { status: 'remote' }, c: { status: 'pinned' } };
  const client = createClient({ transport: canned({ body: JSON.stringify({ cid: `${cid}`, peer_map: peers }) }) });
  await waitFor(client, { cid, target: 'pinned', intervalMs: 0 });
  await waitFor(client, { cid, target: 'pinned', limit: 2, intervalMs: 0 });
});
