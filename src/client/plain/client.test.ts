import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from '../../../test/support/collect.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { HastyClock } from '../../../test/support/hasty-clock.ts';
import { cidNumber } from '../../../test/support/pins.ts';
import { type Client, type ClientOptions, createClient, OperatingError, RequestError, WaitError } from './index.ts';

const cid = 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o';
const random = { integer: () => 0 };

/** Pauses take no time, and limits are never over. */
const pauses = (): { now: () => number; after: HastyClock['after'] } => {
  const hasty = new HastyClock();
  return { now: () => 0, after: (delayMs, act) => (delayMs > 10_000 ? () => undefined : hasty.after(delayMs, act)) };
};

/** A client whose peers answer without a network, and what they were asked: `METHOD path`. */
function clientOf(
  answer: (path: string, count: number) => Response | Promise<Response>,
  options: ClientOptions = {},
): { readonly client: Client; readonly asked: string[] } {
  const asked: string[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { pathname, search } = new URL(String(input));
    asked.push(`${init?.method} ${pathname}${search}`);
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    init?.signal?.throwIfAborted();
    init?.signal?.addEventListener('abort', () => reject(init.signal?.reason));
    return Promise.race([answer(pathname + search, asked.length), aborted]);
  };
  return { client: createClient({ fetch, clock: pauses(), random, ...options }), asked };
}

/** The status of a pin on peers that are named by their place. */
const statusOn = (...statuses: readonly string[]): Response => {
  const peers = statuses.map((status, i) => [
    `12D3KooW${i}`,
    { peername: `peer${i}`, status, error: status === 'pin_error' ? 'no space' : '' },
  ]);
  return Response.json({ cid, name: '', peer_map: Object.fromEntries(peers) });
};

const lines = (...items: readonly object[]): Response =>
  new Response(items.map((item) => `${JSON.stringify(item)}\n`).join(''));
const end = (items: number, more: object = {}): object => ({ end_of_stream: true, items, errors: [], ...more });

test('waitFor ends when all that are to keep the pin have it, or as many as asked', async () => {
  const looks = [statusOn('pin_queued', 'remote'), statusOn('pinning', 'remote'), statusOn('pinned', 'remote')];
  const all = clientOf((_, count) => looks[count - 1] ?? statusOn());
  const { peers } = await all.client.waitFor(cid);
  assert.deepEqual(
    Object.values(peers).map(({ status }) => status),
    ['pinned', 'remote'],
  );
  assert.equal(all.asked.length, 3);

  // One that has failed does not matter when another is enough.
  const some = clientOf((_, count) => statusOn('pin_error', count < 3 ? 'pinning' : 'pinned', 'pinning'));
  await some.client.waitFor(cid, { count: 1 });
  assert.equal(some.asked.length, 3);

  const least = clientOf((path) =>
    path.startsWith('/allocations/')
      ? Response.json({ cid, replication_factor_min: 2, replication_factor_max: 3 })
      : statusOn('pinned', 'pinning', 'pinned'),
  );
  await least.client.waitFor(cid, { count: 'min', local: true });
  assert.deepEqual(least.asked, [`GET /allocations/${cid}`, `GET /pins/${cid}?local=true`]);

  const gone = clientOf((_, count) => statusOn(count < 2 ? 'pinned' : 'unpinned', 'unpinned'));
  await gone.client.waitFor(cid, { status: 'unpinned' });
});

test('waitFor ends at once when too many have failed, and tells on whom', async () => {
  const { client, asked } = clientOf(() => statusOn('pinned', 'pin_error', 'pinning'));
  await assert.rejects(client.waitFor(cid), (error) => {
    assert.ok(error instanceof WaitError);
    assert.equal(error.code, 'client/hopeless');
    assert.equal(Object.keys(error.last?.peers ?? {}).length, 3);
    assert.equal(
      error.message,
      `Cannot wait longer for "${cid}": pinned on 1 of 3 peers, pin_error on peer1 (no space), pinning on peer2`,
    );
    return true;
  });
  assert.equal(asked.length, 1);
});

test('waitFor ends when its time is over, and says what was still missing of what was asked', async () => {
  const clock = new FakeClock();
  const { client, asked } = clientOf(() => statusOn('pinned', 'pinning', 'pinning'), { clock });
  const waiting = client.waitFor(cid, { count: 2, timeoutMs: 1000, intervalMs: 400 });
  const told = assert.rejects(waiting, {
    code: 'client/not-reached',
    message: `Cannot wait longer for "${cid}": pinned on 1 of 2 peers, pinning on peer1, pinning on peer2`,
  });
  await clock.advance(1000);
  await told;
  assert.equal(asked.length, 3);
  assert.equal(clock.pendingCount, 0);

  const { client: mute } = clientOf(() => new Promise(() => undefined), { clock });
  const deaf = assert.rejects(mute.waitFor(cid, { timeoutMs: 50 }), {
    code: 'client/not-reached',
    message: `Cannot wait longer for "${cid}": no answer`,
  });
  await clock.advance(50);
  await deaf;
  assert.equal(clock.pendingCount, 0);
});

test('waitFor passes refusals on, and ends with its signal between two looks', async () => {
  const refused = clientOf(() => Response.json({ code: 401, message: 'Unauthorized' }, { status: 401 }));
  await assert.rejects(refused.client.waitFor(cid), { code: 'client/refused', status: 401 });
  const stop = new AbortController();
  const pending = clientOf((_, count) => {
    if (count === 2) stop.abort();
    return statusOn('pinning');
  });
  await assert.rejects(pending.client.waitFor(cid, { signal: stop.signal }), { code: 'client/aborted', status: 0 });
  assert.equal(pending.asked.length, 2);
});

test('a search goes on page by page, and a page that breaks off is asked for again', async () => {
  const broken = (): Response =>
    new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(`{"cid":"${cidNumber(2)}"}\n`));
        },
        pull(controller) {
          controller.error(new Error('reset'));
        },
      }),
    );
  const { client, asked } = clientOf((path, count) => {
    if (count === 2) return broken();
    return path.includes('cursor=next')
      ? lines({ cid: `${cidNumber(2)}` }, end(1))
      : lines({ cid: `${cidNumber(1)}` }, end(1, { next: 'next' }));
  });
  const list = client.search({ name: 'x', metadata: { team: 'web' } });
  assert.deepEqual(
    (await collect(list)).map((entry) => entry.cid),
    [`${cidNumber(1)}`, `${cidNumber(2)}`],
  );
  assert.equal(list.complete, true);
  assert.equal(asked.length, 3);
  assert.ok(asked.every((path) => path.includes('limit=1000') && path.includes('name=x')));
  assert.equal(asked[1], asked[2]);
});

test('statuses of many CIDs are asked for in requests that peers take', async () => {
  const wanted = Array.from({ length: 130 }, (_, i) => `${cidNumber(i)}`);
  const { client, asked } = clientOf((path) => {
    const cids = new URLSearchParams(path.slice(path.indexOf('?'))).get('cids')?.split(',') ?? [];
    return lines(...cids.map((item) => ({ cid: item, peer_map: {} })), end(cids.length));
  });
  const list = client.statusOf(wanted);
  const seen = (await collect(list)).map((item) => item.cid);
  assert.deepEqual(seen, wanted);
  assert.equal(list.complete, true);
  assert.equal(asked.length, 3);
  assert.ok(asked.every((path) => path.length < 8000));
});

test('a list that a peer could not finish is an error after what came, never a short list', async () => {
  const { client } = clientOf(() => lines({ cid, name: 'a' }, end(1, { errors: ['the store is closed'] })));
  const pins = client.pins();
  const seen: string[] = [];
  await assert.rejects(
    async () => {
      for await (const { name } of pins) seen.push(name);
    },
    { code: 'client/stream', message: 'the store is closed' },
  );
  assert.deepEqual([seen, pins.complete], [['a'], false]);
});

test('wrong arguments are named before anything is sent', async () => {
  const { client, asked } = clientOf(() => statusOn('pinned'));
  const wrong: readonly [Promise<unknown>, RegExp][] = [
    [client.pin('nonsense'), /found "nonsense"/],
    [client.addPeer('x'), /the peer: found "x"/],
    [client.metrics(''), /the metric/],
    [client.waitFor(cid, { timeoutMs: 0 }), /timeoutMs: found 0, expected milliseconds, more than 0 and at most/],
    [client.waitFor(cid, { timeoutMs: Number.POSITIVE_INFINITY }), /timeoutMs/],
    [client.waitFor(cid, { intervalMs: -1 }), /intervalMs/],
    [client.waitFor(cid, { count: 0 }), /count: found 0, expected a number of peers, 1 or more, or "min"/],
    [client.addDirectory([{ path: 'a/x' }, { path: 'b/y' }], { wrap: false }), /below one directory/],
  ];
  for (const [promise, message] of wrong) await assert.rejects(promise, { code: 'client/bad-argument', message });
  const options: readonly [ClientOptions, RegExp][] = [
    [{ url: [] }, /at least one address/],
    [{ url: 'ftp://peer' }, /http:\/\/127/],
    [{ timeoutMs: Number.NaN }, /timeoutMs/],
    [{ retries: -1 }, /retries: found -1/],
    [{ balance: JSON.parse('"random"') }, /balance: found "random", expected one of failover, round-robin/],
  ];
  for (const [option, message] of options) {
    assert.throws(() => createClient(option), { code: 'client/bad-argument', message });
  }
  assert.throws(
    () => createClient({ url: 'http://user:secret@peer:9094' }),
    (error) => error instanceof OperatingError && !error.message.includes('secret'),
  );
  assert.deepEqual(asked, []);
});

test('of several peers the next is asked when one is not there, and what may have been done is not given to it', async () => {
  const asked: string[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { host } = new URL(String(input));
    asked.push(`${init?.method} ${host}`);
    if (host === 'b' || host === 'd') return Response.json(init?.method === 'GET' ? { version: '1' } : { cid });
    // As Node tells that nobody listens, and that one who did went away.
    const code = host === 'a' ? 'ECONNREFUSED' : 'ECONNRESET';
    throw new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) });
  };
  const clock = pauses();
  const client = createClient({ url: ['http://a', 'http://b', 'http://c'], fetch, clock, random });
  assert.equal(await client.version(), '1');
  assert.equal(await client.version(), '1');
  assert.equal((await client.unpin(cid)).cid, cid);
  // The one that has not answered rests.
  assert.deepEqual(asked, ['GET a', 'GET b', 'GET b', 'DELETE b']);

  asked.length = 0;
  const torn = createClient({ url: ['http://c', 'http://b'], fetch, clock, random });
  await assert.rejects(torn.unpin(cid), { code: 'client/unreachable', outcome: 'unknown' });
  assert.deepEqual(asked, ['DELETE c']);

  asked.length = 0;
  const turning = createClient({ url: ['http://b', 'http://d'], balance: 'round-robin', fetch, clock, random });
  for (let i = 0; i < 3; i += 1) await turning.version();
  assert.deepEqual(asked, ['GET b', 'GET d', 'GET b']);
});

test('an event whose data is no document is told', async () => {
  const { client } = clientOf(() => new Response('id: 1-1\nevent: pin\ndata: {"a":\n\n'));
  await assert.rejects(collect(client.events()), (error) => {
    assert.ok(error instanceof RequestError);
    assert.match(error.message, /^Cannot read event: /);
    return error.code === 'client/bad-answer';
  });
});
