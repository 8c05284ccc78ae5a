import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from '../../test/support/collect.ts';
import { type FakeAnswer, type FakeApi, startFakeApi } from '../../test/support/fake-api.ts';
import { HastyClock } from '../../test/support/hasty-clock.ts';
import { Cid } from '../model/index.ts';
import {
  type Client,
  type ClientOptions,
  createClient,
  failoverTransport,
  fetchTransport,
  type Transport,
} from './index.ts';

const cid = Cid.parse('QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o');
const pin = `{"cid":"${cid}"}`;
const end = (items: number, more: object = {}): string =>
  JSON.stringify({ end_of_stream: true, items, errors: [], ...more });

type Answers = Parameters<typeof startFakeApi>[0];

async function withApi(
  answers: Answers | readonly FakeAnswer[],
  options: ClientOptions,
  act: (client: Client, api: FakeApi, clock: HastyClock) => Promise<void>,
): Promise<void> {
  const answer: Answers = typeof answers === 'function' ? answers : (_method, _path, count) => answers[count - 1];
  const api = await startFakeApi(answer);
  const clock = new HastyClock();
  const random = { integer: () => 0 };
  try {
    await act(createClient({ url: api.url, clock, random, ...options }), api, clock);
  } finally {
    await api.close();
  }
}

const cut: FakeAnswer = { cut: 'head' };

test('a call without an answer is repeated with growing pauses, as often as allowed', async () => {
  await withApi([cut, cut, { body: '{"version":"1"}' }], { retries: 2 }, async (client, api, clock) => {
    assert.equal(await client.version(), '1');
    assert.equal(api.requests.length, 3);
    assert.deepEqual(clock.delays, [100, 200]);
  });
  await withApi([cut, cut, cut], { retries: 1 }, async (client, api) => {
    await assert.rejects(client.version(), { code: 'client/unreachable', status: 0 });
    assert.equal(api.requests.length, 2);
  });
});

test('what may not be done twice is not repeated; what comes to the same is', async () => {
  const answers: Answers = (method) => (method === 'DELETE' ? cut : { body: pin });
  await withApi(answers, { retries: 3 }, async (client, api) => {
    await assert.rejects(client.unpin(cid), { code: 'client/unreachable', outcome: 'unknown' });
    assert.equal(api.requests.length, 1);
  });
  await withApi([cut, { body: pin }], { retries: 3 }, async (client, api) => {
    assert.equal((await client.pin(cid)).cid.toString(), cid.toString());
    assert.equal(api.requests.length, 2);
    assert.equal(api.requests[0], api.requests[1]);
  });
  await withApi([cut, { body: '{"id":""}' }], { retries: 3 }, async (client, api) => {
    await client.peerAdd('12D3KooWBCJm4uy27rCNUQPwtsC3Wtc3M9YTP4i9c7fLFfC3ZYWT');
    // The first was read before the connection broke.
    assert.equal(api.bodies.length, 2);
    assert.equal(api.bodies[0], api.bodies[1]);
    assert.match(api.bodies[1] ?? '', /peer_id/);
  });
});

test('an answer of the peer is never asked for again, whatever it is', async () => {
  await withApi([{ status: 500, body: 'no' }], { retries: 3 }, async (client, api) => {
    await assert.rejects(client.version(), { code: 'client/refused', status: 500 });
    assert.equal(api.requests.length, 1);
  });
});

test('a document that breaks off is asked for again; a list only until something of it was given out', async () => {
  const half: FakeAnswer = { body: '{"vers', cut: 'body' };
  await withApi([half, { body: '{"version":"1"}' }], { retries: 1 }, async (client) => {
    assert.equal(await client.version(), '1');
  });
  const nothingYet: FakeAnswer = { body: pin.slice(0, 9), cut: 'body' };
  await withApi([nothingYet, { body: [pin, end(1)] }], { retries: 1 }, async (client) => {
    const list = client.allocations();
    assert.equal((await collect(list)).length, 1);
    assert.equal(list.complete, true);
  });
  await withApi([{ body: [pin], cut: 'body' }, { body: [pin, end(1)] }], { retries: 1 }, async (client, api) => {
    const list = client.allocations();
    let seen = 0;
    await assert.rejects(
      async () => {
        for await (const _ of list) seen += 1;
      },
      { code: 'client/cut', status: 0 },
    );
    assert.deepEqual([seen, list.complete, api.requests.length], [1, false, 1]);
  });
});

test('a list tells whether it is complete: by its end record, its trailer, or not at all', async () => {
  const cases: readonly (readonly [FakeAnswer, unknown, number, string?])[] = [
    [{ body: [pin, end(1, { next: 'abc' })] }, true, 1, 'abc'],
    [{ body: [end(0)] }, true, 0],
    [{ status: 204 }, true, 0],
    [{ body: [pin] }, 'unknown', 1],
    // One document without a line end, as a proxy may send it.
    [{ body: pin }, 'unknown', 1],
  ];
  for (const [answer, complete, count, next] of cases) {
    await withApi([answer], {}, async (client, api) => {
      const list = client.allocations();
      assert.equal(list.complete, undefined);
      assert.equal((await collect(list)).length, count);
      assert.deepEqual([list.complete, list.next], [complete, next]);
      assert.equal(api.requests[0], 'GET /allocations?filter=all&end-record=true');
    });
  }
  const trailing: Transport = async () => ({
    status: 200,
    body: new Blob([`${pin}\n`]).stream(),
    streamErrors: () => [''],
  });
  const list = createClient({ transport: trailing }).allocations();
  await collect(list);
  assert.equal(list.complete, true);
});

test('a cut list is an error wherever it was cut', async () => {
  const lines = [pin, pin, end(2)].map((line) => `${line}\n`).join('');
  for (let length = 1; length < lines.length - 1; length += 1) {
    const text = lines.slice(0, length);
    // Between two documents nothing but the end record can tell.
    const isWhole = text === `${pin}\n` || text === pin || text === `${pin}\n${pin}` || text === `${pin}\n${pin}\n`;
    const transport: Transport = async () => ({ status: 200, body: new Blob([text]).stream(), streamErrors: () => [] });
    const list = createClient({ transport }).allocations();
    if (isWhole) {
      await collect(list);
      assert.equal(list.complete, 'unknown');
      continue;
    }
    await assert.rejects(collect(list), { code: 'client/cut' }, text);
    assert.equal(list.complete, false);
  }
  await withApi([{ body: [pin, end(2)] }], {}, async (client) => {
    await assert.rejects(collect(client.allocations()), { message: /the peer has sent 2 items, 1 came/ });
  });
  await withApi([{ body: [pin, end(1, { errors: ['a failed', 'b failed'] })] }], {}, async (client) => {
    const list = client.allocations();
    await assert.rejects(collect(list), { code: 'client/stream', status: 500, message: 'a failed; b failed' });
    assert.equal(list.complete, false);
  });
});

test('a page is given out when it is whole, and asked for again until then', async () => {
  await withApi([{ body: [pin], cut: 'body' }, { body: [pin, pin, end(2)] }], { retries: 1 }, async (client, api) => {
    assert.equal((await collect(client.allocations({ limit: 2 }))).length, 2);
    assert.match(api.requests[1] ?? '', /limit=2/);
  });
  // A Go peer knows no pages; it is not held in memory.
  await withApi([{ body: [pin, pin, pin], cut: 'body' }], { retries: 1 }, async (client) => {
    let seen = 0;
    await assert.rejects(
      async () => {
        for await (const _ of client.allocations({ limit: 2 })) seen += 1;
      },
      { code: 'client/cut' },
    );
    assert.equal(seen, 3);
  });
});

test('each iteration of a list asks anew', async () => {
  await withApi([{ body: [pin] }, { body: [pin, pin] }], {}, async (client) => {
    const list = client.allocations();
    assert.deepEqual([(await collect(list)).length, (await collect(list)).length], [1, 2]);
  });
});

test('a token is got once, kept, and got anew when it is not accepted', async () => {
  const answers: Answers = (_method, _path, _count, headers) =>
    headers.authorization === 'Bearer old'
      ? { status: 401, body: '{"code":401,"message":"no"}' }
      : { body: '{"version":"1"}' };
  const tokens = ['old', 'new', 'never'];
  let asked = 0;
  const token = async (): Promise<string> => tokens[asked++] ?? '';
  await withApi(answers, { credentials: { token } }, async (client, api) => {
    await Promise.all([client.version(), client.version(), client.version()]);
    await client.version();
    assert.equal(asked, 2);
    assert.equal(api.requests.length, 7);
  });
  await withApi(
    () => ({ status: 401, body: 'no' }),
    { credentials: { token: async () => 'x' } },
    async (client, api) => {
      await assert.rejects(client.version(), { code: 'client/refused', status: 401 });
      assert.equal(api.requests.length, 2);
    },
  );
  const broken = { token: () => Promise.reject(new Error('no token')) };
  await withApi(
    () => ({ body: '{"version":"1"}' }),
    { credentials: broken },
    async (client) => {
      await assert.rejects(client.version(), /no token/);
    },
  );
});

test('tokens are asked for with their limits, and revoked', async () => {
  const answers: Answers = (_method, path) => ({
    body: path.startsWith('/token/') ? '{"missed":{"a":"b"}}' : '{"token":"t"}',
  });
  await withApi(answers, {}, async (client, api) => {
    assert.equal(await client.token(), 't');
    assert.equal(await client.token({ expiresIn: '24h', scope: 'read' }), 't');
    assert.deepEqual(await client.revokeToken('t'), { a: 'b' });
    assert.deepEqual(api.requests, ['POST /token', 'POST /token?expires-in=24h&scope=read', 'POST /token/revoke']);
    assert.equal(api.bodies[2], '{"token":"t"}');
  });
});

test('round-robin asks each peer in its turn, and one that is down last until it has rested', async () => {
  const asked: string[] = [];
  const down = new Set<string>();
  const peer = (name: string): Transport =>
    fetchTransport({
      url: `http://${name}`,
      fetch: async () => {
        asked.push(name);
        if (down.has(name)) throw new Error('down');
        return new Response('{"version":"1"}');
      },
    });
  let now = 0;
  const options = { balance: 'round-robin', restMs: 10_000, clock: { now: () => now } } as const;
  const client = createClient({ transport: failoverTransport([peer('a'), peer('b'), peer('c')], options) });
  const turns = async (count: number): Promise<string> => {
    asked.length = 0;
    for (let i = 0; i < count; i += 1) await client.version();
    return asked.join('');
  };
  assert.equal(await turns(4), 'abca');
  down.add('c');
  assert.equal(await turns(5), 'bcaaba');
  now = 10_000;
  down.clear();
  assert.equal(await turns(3), 'abc');
  for (const name of ['a', 'b', 'c']) down.add(name);
  await assert.rejects(turns(1), { code: 'client/unreachable' });
  down.clear();
  assert.equal(await turns(1), 'b');
});

test('what one peer may have done is not given to another, unless nobody took it', async () => {
  const asked: string[] = [];
  const failing = (name: string, cause: Error): Transport =>
    fetchTransport({
      url: `http://${name}`,
      fetch: async () => {
        asked.push(name);
        throw cause;
      },
    });
  const refused = Object.assign(new Error('no'), { code: 'ECONNREFUSED' });
  const reset = Object.assign(new Error('no'), { code: 'ECONNRESET' });
  const client = createClient({
    transport: failoverTransport([
      failing('a', new TypeError('fetch failed', { cause: refused })),
      failing('b', new TypeError('fetch failed', { cause: reset })),
      failing('c', refused),
    ]),
  });
  await assert.rejects(client.unpin(cid), { code: 'client/unreachable', outcome: 'unknown' });
  assert.deepEqual(asked, ['a', 'b']);
});

test('a list that is ended while it is read fails, though all of it has come', async () => {
  const body = [pin, pin, pin, end(3)];
  await withApi([{ body }], {}, async (client) => {
    const stop = new AbortController();
    const list = client.allocations({ signal: stop.signal });
    let count = 0;
    await assert.rejects(
      async () => {
        for await (const _ of list) {
          count += 1;
          stop.abort();
        }
      },
      { code: 'client/aborted', status: 0 },
    );
    assert.deepEqual([count, list.complete], [1, false]);
  });
});
