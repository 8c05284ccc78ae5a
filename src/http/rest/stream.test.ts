/** Long lists: flat memory, no faster than the client reads, and an end when it goes. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { test } from 'node:test';
import { OperatingError, silentLogger } from '../../base/index.ts';
import type { ClusterApi, EventPage, EventsOptions } from '../../cluster/ports.ts';
import { Cid, encodePin, type GlobalStatusRow, type Pin, routes, StoredPin, stateKey } from '../../model/index.ts';
import { bindRestApi } from './index.ts';

const pin: Pin = {
  cid: Cid.parse('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy'),
  type: 'pin',
  allocations: [],
  maxDepth: -1,
  reference: null,
  timestamp: { seconds: 1_700_000_000, nanos: 0 },
  replicationFactorMin: -1,
  replicationFactorMax: -1,
  name: 'x'.repeat(100),
  mode: 'recursive',
  shardSize: 0,
  userAllocations: null,
  expireAt: null,
  metadata: null,
  pinUpdate: null,
  origins: [],
};
const stored = new StoredPin(stateKey(pin.cid), encodePin(pin));
const label = {
  peer: '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5',
  peername: 'p',
  ipfsPeerId: '',
  ipfsAddresses: [],
};
const row = { status: 'pinned', timestamp: undefined, error: '', attemptCount: 0, priorityPin: false } as const;
const pageSize = 100;

interface Source {
  /** Pins handed out. */
  count: number;
  readonly ended: Promise<void>;
  readonly cluster: ClusterApi;
}

/** A pinset of so many pins, which may fail at its end. */
function source(total: number, failure?: Error): Source {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const state = { count: 0 };
  async function* storedPins(): AsyncIterable<readonly StoredPin[]> {
    try {
      while (state.count < total) {
        state.count += pageSize;
        yield Array.from({ length: pageSize }, () => stored);
      }
      if (failure !== undefined) throw failure;
    } finally {
      resolve();
    }
  }
  async function* statusPages(): AsyncIterable<readonly GlobalStatusRow[]> {
    for await (const page of storedPins()) yield page.map((of) => ({ pin: of, peers: [[label, row]] }));
  }
  return Object.assign(state, {
    ended,
    cluster: { storedPins, statusPages, pinsetRevision: () => state } as Partial<ClusterApi> as ClusterApi,
  });
}

async function get(
  cluster: ClusterApi,
  use: (response: IncomingMessage, sent: ClientRequest) => Promise<void>,
  path: string = '/allocations',
  method: string = 'GET',
): Promise<void> {
  const api = await bindRestApi({
    listen: ['/ip4/127.0.0.1/tcp/0'],
    limits: {
      readTimeoutMs: 0,
      readHeaderTimeoutMs: 5_000,
      writeTimeoutMs: 0,
      idleTimeoutMs: 120_000,
      maxHeaderBytes: 4_096,
    },
    cors: {
      allowedOrigins: ['*'],
      allowedMethods: ['GET'],
      allowedHeaders: [],
      exposedHeaders: [],
      allowCredentials: true,
      maxAgeSeconds: 0,
    },
    headers: {},
  });
  try {
    api.serve({ cluster, log: silentLogger, now: () => ({ seconds: 1_767_225_600, nanos: 0 }) });
    const port = Number(/tcp\/(\d+)/.exec(api.addresses()[0] ?? '')?.[1]);
    const sent = request({ host: '127.0.0.1', port, path, method, agent: false });
    sent.end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    await use(response, sent);
  } finally {
    await api.close();
  }
}

test('list memory is flat: 100,000 pins pass without being collected, and the trailer is empty (R29)', async () => {
  const total = 100_000;
  const { cluster } = source(total);
  await get(cluster, async (response) => {
    const heapBefore = process.memoryUsage().heapUsed;
    let heapMost = 0;
    let size = 0;
    let lineCount = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      for (const byte of chunk) if (byte === 10) lineCount += 1;
      heapMost = Math.max(heapMost, process.memoryUsage().heapUsed);
    }
    assert.equal(lineCount, total);
    assert.deepEqual(response.rawTrailers, ['X-Stream-Error', '']);
    // Collected, the list would be held as text at least once.
    assert.ok(size > 45_000_000);
    assert.ok(heapMost - heapBefore < size, `heap grew by ${heapMost - heapBefore} bytes for a list of ${size}`);
  });
});

test('a slow client is bounded, a vanished one ends the work: one that does not read stops the list (R29)', async () => {
  const held = source(Number.POSITIVE_INFINITY);
  await get(held.cluster, async (response, sent) => {
    response.pause();
    // The source stands still when a turn of the loop after another passes without a page.
    let last = -1;
    let quietTurns = 0;
    while (quietTurns < 200) {
      quietTurns = held.count === last ? quietTurns + 1 : 0;
      last = held.count;
      await new Promise((resolve) => setImmediate(resolve));
    }
    sent.destroy();
    await held.ended;
    assert.ok(held.count < 100_000, `${held.count} pins were taken for a client that reads none`);
  });
});

test('a slow client is bounded, a vanished one ends the work: status of all as well (R29)', async () => {
  const held = source(Number.POSITIVE_INFINITY);
  await get(
    held.cluster,
    async (response, sent) => {
      const [first] = (await once(response, 'data')) as [Buffer];
      assert.match(first.toString(), /^\{"cid":"bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"/);
      response.pause();
      sent.destroy();
      await held.ended;
      assert.ok(held.count < 100_000, `${held.count} pins were taken for a client that reads none`);
    },
    '/pins',
  );
});

test('GET /allocations: a failure after the first item is told in the trailer', async () => {
  const { cluster } = source(pageSize, new OperatingError('test/lost', 'the rest is\nlost'));
  await get(cluster, async (response) => {
    assert.equal(response.statusCode, 200);
    for await (const chunk of response) void chunk;
    assert.deepEqual(response.rawTrailers, ['X-Stream-Error', 'the rest is lost']);
  });
});

test('end-record=true: the last line tells the end, of long, empty and broken lists alike', async () => {
  const lost = new OperatingError('test/lost', 'the rest is\n"lost"');
  const cases: readonly (readonly [pins: number, failure: Error | undefined, end: string])[] = [
    [3 * pageSize, undefined, `{"end_of_stream":true,"items":${3 * pageSize},"errors":[]}`],
    [0, undefined, '{"end_of_stream":true,"items":0,"errors":[]}'],
    [pageSize, lost, `{"end_of_stream":true,"items":${pageSize},"errors":["the rest is\\n\\"lost\\""]}`],
  ];
  for (const route of ['/allocations', '/pins']) {
    for (const [total, failure, end] of cases) {
      await get(
        source(total, failure).cluster,
        async (response) => {
          assert.equal(response.statusCode, 200);
          const lines = (await text(response)).split('\n');
          assert.equal(lines.pop(), '');
          assert.equal(lines.pop(), end);
          assert.equal(lines.length, total);
          assert.deepEqual(response.rawTrailers, ['X-Stream-Error', failure === undefined ? '' : 'the rest is "lost"']);
        },
        `${route}?end-record=true`,
      );
    }
  }
});

test('end-record=true: what fails before the first item is an error as ever, and so is another value', async () => {
  const failed = source(0, new OperatingError('test/lost', 'all is lost'));
  await get(
    failed.cluster,
    async (response) => {
      assert.equal(response.statusCode, 500);
      assert.equal(await text(response), '{"code":500,"message":"all is lost"}\n');
    },
    '/allocations?end-record=true',
  );
  await get(
    failed.cluster,
    async (response) => {
      assert.equal(response.statusCode, 400);
      assert.match(await text(response), /parameter end-record: found \\"1\\", expected \\"true\\" or \\"false\\"/);
    },
    '/allocations?end-record=1',
  );
});

test('GET /events: who does not read holds the peer back, and is told when cut off; a peer that is full refuses', async () => {
  let count = 0;
  let cut: () => void = () => assert.fail('nobody reads');
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  async function* events({ onCut }: EventsOptions): AsyncGenerator<EventPage, void> {
    cut = onCut;
    try {
      for (;;) {
        count += 1;
        yield { id: `e-${count}`, events: [{ id: `e-${count}`, type: 'pin', data: 'x'.repeat(10_000) }] };
      }
    } finally {
      resolve();
    }
  }
  await get(
    { events } as Partial<ClusterApi> as ClusterApi,
    async (response) => {
      const [first] = (await once(response, 'data')) as [Buffer];
      assert.match(first.toString(), /^retry: 1000\n/);
      response.pause();
      let last = -1;
      for (let quietTurns = 0; quietTurns < 200; last = count) {
        quietTurns = count === last ? quietTurns + 1 : 0;
        await new Promise((next) => setImmediate(next));
      }
      assert.ok(count < 10_000, `${count} pages were taken for a client that reads none`);
      const failed = once(response, 'error');
      cut();
      await ended;
      response.resume();
      assert.match(String(await failed), /aborted/);
    },
    '/events',
  );
  // biome-ignore lint/correctness/useYield: it fails before there is anything
  async function* full(): AsyncGenerator<EventPage, void> {
    throw new OperatingError('cluster/too-many-readers', 'Cannot follow events: 256 readers do already');
  }
  await get(
    { events: full } as Partial<ClusterApi> as ClusterApi,
    async (response) => {
      assert.equal(response.statusCode, 503);
      assert.equal(await text(response), '{"code":503,"message":"Cannot follow events: 256 readers do already"}\n');
    },
    '/events',
  );
});

test('every route that streams a list knows end-record, and no other does', async () => {
  const lists = routes.filter(({ query }) => query.some(({ name }) => name === 'end-record'));
  const expected = ['getPeers', 'getAllocations', 'getPins', 'postRecoverAll', 'postRebalance', 'getOperations'];
  assert.deepEqual(
    lists.map(({ id }) => id),
    expected,
  );
  async function* nothing(): AsyncGenerator<never, void> {}
  const names = ['peers', 'storedPins', 'statusPages', 'recoverAll', 'rebalance', 'operations'];
  // Proof: the lists ask for nothing else.
  const lister = Object.fromEntries(names.map((name) => [name, nothing]));
  const cluster = { ...lister, pinsetRevision: () => lister } as unknown as ClusterApi;
  for (const { method, path } of lists) {
    await get(
      cluster,
      async (response) => assert.equal(await text(response), '{"end_of_stream":true,"items":0,"errors":[]}\n'),
      `${path}?end-record=true`,
      method,
    );
  }
});

async function text(response: IncomingMessage): Promise<string> {
  let all = '';
  for await (const chunk of response as AsyncIterable<Buffer>) all += chunk.toString();
  return all;
}
