import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  comparableHeaders,
  type Exchange,
  readExchanges,
  recordedHeaders,
  send,
} from '../../../test/support/rest-vectors.ts';
import { OperatingError, silentLogger } from '../../base/index.ts';
import type { ClusterApi } from '../../cluster/ports.ts';
import {
  Cid,
  defaultPinOptions,
  encodePin,
  type OperationInfo,
  type Pin,
  pinJson,
  StoredPin,
  stateKey,
} from '../../model/index.ts';
import type { ApiOptions, CorsOptions, HttpLimits } from '../kit/index.ts';
import { bindRestApi, type RestApi } from './index.ts';

const limits: HttpLimits = {
  readTimeoutMs: 0,
  readHeaderTimeoutMs: 5_000,
  writeTimeoutMs: 0,
  idleTimeoutMs: 120_000,
  maxHeaderBytes: 4_096,
};
const defaultCors: CorsOptions = {
  allowedOrigins: ['*'],
  allowedMethods: ['GET'],
  allowedHeaders: [],
  exposedHeaders: ['Content-Type', 'X-Stream-Output', 'X-Chunked-Output', 'X-Content-Length'],
  allowCredentials: true,
  maxAgeSeconds: 0,
};
const defaults: ApiOptions = { listen: ['/ip4/127.0.0.1/tcp/0'], limits, cors: defaultCors, headers: {} };

/** These exchanges end before the cluster is asked for more than its version. */
const cluster = {
  version: () => ({ version: '1.1.6' }),
  isTokenRevoked: () => false,
} as Partial<ClusterApi> as ClusterApi;

async function serve(
  options: ApiOptions,
  more: Partial<ClusterApi> = {},
): Promise<{ readonly api: RestApi; readonly base: string }> {
  const api = await bindRestApi(options);
  api.serve({ cluster: { ...cluster, ...more }, log: silentLogger, now: () => ({ seconds: 1_795_415_600, nanos: 0 }) });
  const port = /tcp\/(\d+)/.exec(api.addresses()[0] ?? '')?.[1] ?? '';
  return { api, base: `http://127.0.0.1:${port}` };
}

async function check(base: string, exchange: Exchange): Promise<void> {
  const answer = await send(base, exchange.request);
  assert.equal(answer.status, exchange.response.status);
  assert.deepEqual(
    comparableHeaders(answer.headers, answer.status),
    comparableHeaders(recordedHeaders(exchange), answer.status),
  );
  assert.equal(answer.body, exchange.response.body);
}

describe('REST routing as recorded', async () => {
  let served: Awaited<ReturnType<typeof serve>>;
  before(async () => {
    served = await serve(defaults);
  });
  after(() => served.api.close());
  // The others need a cluster behind them; they run with real peers.
  const needCluster = /^(encoded-path|absolute-form|query-|get-pins-recover)/;
  for (const exchange of (await readExchanges('routing')).filter(({ name }) => !needCluster.test(name))) {
    it(exchange.name, () => check(served.base, exchange));
  }
});

/** The peer with credentials in the recordings. */
const guarded: ApiOptions = {
  ...defaults,
  credentials: { full: { alice: 'secret1', bob: 'hunter2' }, readOnly: {} },
  headers: { 'X-Custom': ['a', 'b'], 'Content-Type': ['text/x-custom'] },
};

describe('cross-origin rules as recorded', async () => {
  let plain: Awaited<ReturnType<typeof serve>>;
  let configured: Awaited<ReturnType<typeof serve>>;
  before(async () => {
    plain = await serve(defaults);
    configured = await serve({
      ...guarded,
      cors: {
        ...defaultCors,
        allowedOrigins: ['http://ok.example', 'http://*.wild.example'],
        allowedMethods: ['GET', 'POST'],
        allowedHeaders: ['X-Foo'],
        maxAgeSeconds: 600,
      },
    });
  });
  after(() => Promise.all([plain.api.close(), configured.api.close()]));
  for (const exchange of await readExchanges('cors')) {
    const isConfigured = exchange.name.startsWith('cfg-') || exchange.name.includes('unauthenticated');
    it(exchange.name, () => check(isConfigured ? configured.base : plain.base, exchange));
  }
});

describe('authentication as recorded', async () => {
  let served: Awaited<ReturnType<typeof serve>>;
  before(async () => {
    served = await serve(guarded);
  });
  after(() => served.api.close());
  for (const exchange of await readExchanges('auth')) it(exchange.name, () => check(served.base, exchange));
});

it('POST /token is refused as recorded when there are no credentials', async () => {
  const { api, base } = await serve(defaults);
  const exchange = (await readExchanges('basic')).find(({ name }) => name === 'token-no-auth-configured');
  assert.ok(exchange !== undefined);
  await check(base, exchange);
  await api.close();
});

describe('what CRDT peers cannot do, as recorded', async () => {
  for (const name of ['peer-rm-crdt', 'peer-add-unreachable']) {
    const exchange = (await readExchanges('peers')).find((one) => one.name === name);
    it(name, async () => {
      assert.ok(exchange !== undefined);
      const { message } = JSON.parse(exchange.response.body) as { message: string };
      const asked: string[] = [];
      const refuse = async (peer: string): Promise<never> => {
        asked.push(peer);
        throw new OperatingError('test/refused', message);
      };
      const { api, base } = await serve(defaults, { peerRemove: refuse, peerAdd: refuse });
      await check(base, exchange);
      assert.equal(asked.length, 1);
      assert.ok(`${exchange.request.path}${exchange.request.body}`.includes(asked[0] ?? ' '));
      await api.close();
    });
  }
});

it('a body that is too long is answered, and what it asks for is not done', async () => {
  const { api, base } = await serve(defaults);
  const body = `{"peer_id":"${'x'.repeat(200_000)}"}`;
  const answer = await fetch(`${base}/peers`, { method: 'POST', body });
  assert.equal(answer.status, 413);
  assert.match(await answer.text(), /request body is longer than 65536 bytes/);
  assert.equal((await fetch(`${base}/version`)).status, 200);
  await api.close();
});

it('a redirect never leads to another host', async () => {
  const { api, base } = await serve(defaults);
  const answer = await fetch(`${base}//page.example/`, { redirect: 'manual' });
  assert.equal(answer.status, 307);
  assert.equal(answer.headers.get('location'), '/page.example');
  await api.close();
});

it('GET /health/replication counts, and counts by the word of the members when told to', async () => {
  const counts = { pins: 3, belowMin: 1, atMin: 0, aboveMin: 0, full: 2, overMax: 0 };
  const none = { pins: 0, belowMin: 0, atMin: 0, aboveMin: 0, full: 0, overMax: 0 };
  const stand: Partial<ClusterApi> = {
    replication: async ({ isVerified }) => ({
      ...counts,
      allocated: counts,
      everywhere: none,
      shards: none,
      meta: 4,
      peers: { a: { allocated: 3, pinned: 2, isMember: true, isAlive: true } },
      isVerified,
      unanswered: {},
    }),
  };
  const api = await bindRestApi(defaults);
  // Proof: the route asks for nothing else.
  api.serve({ cluster: stand as ClusterApi, log: silentLogger, now: () => ({ seconds: 0, nanos: 0 }) });
  const port = /tcp\/(\d+)/.exec(api.addresses()[0] ?? '')?.[1] ?? '';
  const ask = async (query: string): Promise<string> =>
    await (await fetch(`http://127.0.0.1:${port}/health/replication${query}`)).text();
  const part = '{"pins":3,"below_min":1,"at_min":0,"above_min":0,"full":2,"over_max":0';
  const empty = '{"pins":0,"below_min":0,"at_min":0,"above_min":0,"full":0,"over_max":0}';
  const expected = (verified: boolean): string =>
    `${part},"allocated":${part}},"everywhere":${empty},"shards":${empty},"meta":4,` +
    `"peers":{"a":{"allocated":3,"pinned":2,"member":true,"alive":true}},"verified":${verified},"unanswered":{}}\n`;
  assert.equal(await ask(''), expected(false));
  assert.equal(await ask('?verify=true'), expected(true));
  assert.match(await ask('?verify=yes'), /parameter verify: found \\"yes\\", expected \\"true\\" or \\"false\\"/);
  await api.close();
});

it('GET /operations asks this peer or all, for all or one CID, and refuses what it cannot read', async () => {
  const cid = Cid.parse('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy');
  const asked: string[] = [];
  const rows = (who: string) =>
    async function* (wanted: Cid | undefined): AsyncGenerator<OperationInfo, void> {
      asked.push(`${who} ${wanted}`);
      yield {
        peer: '',
        peername: who,
        cid: wanted ?? null,
        name: '',
        type: 'pin',
        phase: 'error',
        cause: 'no_progress',
        error: 'no new block',
        since: { seconds: 1_767_225_600, nanos: 0 },
        phaseSince: null,
        attempts: 2,
        nextTry: null,
        queue: 'none',
        position: 0,
      };
    };
  const stand: Partial<ClusterApi> = { operations: rows('all'), operationsLocal: rows('own') };
  const api = await bindRestApi(defaults);
  // Proof: the route asks for nothing else.
  api.serve({ cluster: stand as ClusterApi, log: silentLogger, now: () => ({ seconds: 0, nanos: 0 }) });
  const port = /tcp\/(\d+)/.exec(api.addresses()[0] ?? '')?.[1] ?? '';
  const ask = async (query: string): Promise<string> =>
    await (await fetch(`http://127.0.0.1:${port}/operations${query}`)).text();
  assert.equal(
    await ask(`?local=true&cid=${cid}`),
    `{"peer":"","peername":"own","cid":"${cid}","name":"","type":"pin","phase":"error","cause":"no_progress",` +
      '"error":"no new block","since":"2026-01-01T00:00:00Z","attempts":2,"queue":"none","position":0}\n',
  );
  await ask('?local=false');
  assert.deepEqual(asked, [`own ${cid}`, 'all undefined']);
  assert.match(await ask('?cid=nonsense'), /"code":400,"message":"error decoding Cid/);
  assert.match(await ask('?local=yes'), /parameter local: found \\"yes\\", expected \\"true\\" or \\"false\\"/);
  assert.equal(asked.length, 2);
  await api.close();
});

describe('linearizable=true', () => {
  const pin: Pin = {
    ...defaultPinOptions,
    cid: Cid.parse('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy'),
    type: 'pin',
    allocations: [],
    maxDepth: -1,
    reference: null,
    timestamp: null,
    origins: [],
  };
  /** What this peer has not applied when it is asked comes with the barrier. */
  async function ask(path: string, failure?: Error): Promise<{ status: number; body: string; barriers: number }> {
    let barriers = 0;
    const stand = {
      readBarrier: async () => {
        barriers++;
        if (failure !== undefined) throw failure;
      },
      pinGet: () => {
        if (barriers === 0) throw new OperatingError('cluster/not-pinned', 'pin is not part of the pinset');
        return pin;
      },
      pinsetRevision: () => pin,
      storedPins: async function* () {
        if (barriers > 0) yield [new StoredPin(stateKey(pin.cid), encodePin(pin))];
      },
    };
    const api = await bindRestApi(defaults);
    // Proof: these routes ask for nothing else.
    const cluster = stand as Partial<ClusterApi> as ClusterApi;
    api.serve({ cluster, log: silentLogger, now: () => ({ seconds: 1_767_225_600, nanos: 0 }) });
    try {
      const port = /tcp\/(\d+)/.exec(api.addresses()[0] ?? '')?.[1] ?? '';
      const answer = await fetch(`http://127.0.0.1:${port}${path}`);
      return { status: answer.status, body: await answer.text(), barriers };
    } finally {
      await api.close();
    }
  }
  const one = `/allocations/${pin.cid}`;
  const body = `${pinJson.print(pin)}\n`;

  it('waits for what others have acknowledged', async () => {
    assert.deepEqual(await ask(`${one}?linearizable=true`), { status: 200, body, barriers: 1 });
    assert.deepEqual(await ask('/allocations?filter=all&linearizable=true'), { status: 200, body, barriers: 1 });
  });

  it('is not asked for unless it is said', async () => {
    const absent = '{"code":404,"message":"pin is not part of the pinset"}\n';
    for (const query of ['', '?linearizable=', '?linearizable=false']) {
      assert.deepEqual(await ask(one + query), { status: 404, body: absent, barriers: 0 });
      assert.deepEqual(await ask(`/allocations${query}`), { status: 204, body: '', barriers: 0 });
    }
  });

  it('is refused with 503, or 504 when it took too long', async () => {
    const cases = [
      ['consensus/no-leader', 503],
      ['consensus/no-read-index', 503],
      ['consensus/read-only', 503],
      ['consensus/timeout', 504],
    ] as const;
    for (const [code, status] of cases) {
      const failed = { status, body: `{"code":${status},"message":"Cannot confirm"}\n`, barriers: 1 };
      const failure = new OperatingError(code, 'Cannot confirm');
      assert.deepEqual(await ask(`${one}?linearizable=true`, failure), failed);
      assert.deepEqual(await ask('/allocations?linearizable=true', failure), failed);
    }
  });

  it('is refused when it is misspelt', async () => {
    const message = 'parameter linearizable: found \\"1\\", expected \\"true\\" or \\"false\\"';
    const refused = { status: 400, body: `{"code":400,"message":"${message}"}\n`, barriers: 0 };
    assert.deepEqual(await ask(`${one}?linearizable=1`), refused);
    assert.deepEqual(await ask('/allocations?linearizable=1'), refused);
  });
});

describe('members over HTTP', () => {
  const peer = '12D3KooWRUgsb5Qs7DYUfhgME6Xudhn95MkQ9cEBdNsMTXSR2qCT';
  const stranger = '12D3KooWBCJm4uy27rCNUQPwtsC3Wtc3M9YTP4i9c7fLFfC3ZYWT';

  it('are cordoned, drained, freed, and shown', async () => {
    const told: string[] = [];
    const members: Pick<ClusterApi, 'cordonPeer' | 'memberStates'> = {
      cordonPeer: async (id, mode) => {
        if (id === stranger) throw new OperatingError('cluster/no-member', `${id} is no member of this cluster`);
        told.push(`${mode} ${id}`);
      },
      memberStates: async () => [
        {
          peer,
          peername: 'p',
          state: 'drained',
          cordon: 'draining',
          since: null,
          pins: 0,
        },
        {
          peer: stranger,
          peername: 'q',
          state: 'gone',
          cordon: 'none',
          since: { seconds: 1_767_225_600, nanos: 0 },
          pins: 7,
        },
      ],
    };
    const api = await bindRestApi(defaults);
    // Only these are asked for.
    api.serve({ cluster: members as ClusterApi, log: silentLogger, now: () => ({ seconds: 1_767_225_600, nanos: 0 }) });
    try {
      const base = `http://127.0.0.1:${/tcp\/(\d+)/.exec(api.addresses()[0] ?? '')?.[1]}`;
      const post = async (path: string) => {
        const answer = await fetch(`${base}/peers/${path}`, { method: 'POST' });
        return [answer.status, await answer.text()];
      };
      for (const act of ['cordon', 'drain', 'uncordon']) assert.deepEqual(await post(`${peer}/${act}`), [204, '']);
      assert.deepEqual(told, [`cordoned ${peer}`, `draining ${peer}`, `none ${peer}`]);
      assert.deepEqual(await post(`${stranger}/drain`), [
        404,
        `{"code":404,"message":"${stranger} is no member of this cluster"}\n`,
      ]);
      assert.equal((await post('x/drain'))[0], 400);
      assert.equal((await post(`${peer}/drained`))[0], 404);
      const answer = await fetch(`${base}/health/peers`);
      assert.equal(
        await answer.text(),
        `[{"peer":"${peer}","peername":"p","state":"drained","cordon":"draining","pins":0},` +
          `{"peer":"${stranger}","peername":"q","state":"gone","cordon":"none","since":"2026-01-01T00:00:00Z","pins":7}]\n`,
      );
    } finally {
      await api.close();
    }
  });
});
