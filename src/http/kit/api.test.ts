import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { send } from '../../../test/support/rest-vectors.ts';
import { silentLogger } from '../../base/index.ts';
import {
  type ApiCall,
  type ApiOptions,
  type ApiRoute,
  type ApiServer,
  bindApi,
  RequestError,
  sendJson,
} from './index.ts';

const options: ApiOptions = {
  listen: ['/ip4/127.0.0.1/tcp/0'],
  limits: {
    readTimeoutMs: 0,
    readHeaderTimeoutMs: 5_000,
    writeTimeoutMs: 0,
    idleTimeoutMs: 120_000,
    maxHeaderBytes: 4_096,
  },
  credentials: { full: { root: 'all' }, readOnly: { guest: 'some', root: 'less' } },
  cors: {
    allowedOrigins: ['*'],
    allowedMethods: ['GET'],
    allowedHeaders: [],
    exposedHeaders: [],
    allowCredentials: true,
    maxAgeSeconds: 0,
  },
  headers: { 'X-Own': ['a', 'b'] },
};

/** An API of two things, with errors of its own form. */
const routes = [
  { id: 'look', method: 'GET', path: '/things/{name}', access: 'read' },
  { id: 'make', method: 'POST', path: '/things', access: 'write' },
  { id: 'open', method: 'GET', path: '/open', access: 'none' },
] as const satisfies readonly ApiRoute[];

describe('bindApi', () => {
  let api: ApiServer;
  let base: string;
  const made: string[] = [];
  before(async () => {
    api = await bindApi(options);
    api.serve(
      {
        routes,
        handle: async (route, call) => {
          switch (route.id) {
            case 'look':
              return sendJson(call, JSON.stringify([call.param('name'), call.query.get('q'), call.principal?.user]));
            case 'make':
              made.push(await call.text());
              throw new RequestError(409, 'made already');
            case 'open':
              return call.send(202, '');
          }
        },
        printError: (status, message) => `oh ${status} ${message}`,
      },
      { log: silentLogger, now: () => ({ seconds: 0, nanos: 0 }) },
    );
    base = `http://127.0.0.1:${/tcp\/(\d+)/.exec(api.addresses()[0] ?? '')?.[1]}`;
  });
  after(() => api.close());

  async function ask(method: string, path: string, user?: string, body?: string): Promise<[number, string]> {
    const answer = await fetch(base + path, {
      method,
      ...(body === undefined ? {} : { body }),
      ...(user === undefined ? {} : { headers: { Authorization: `Basic ${btoa(user)}` } }),
    });
    return [answer.status, await answer.text()];
  }

  it('answers through the handler of the row, and prints errors as the API does', async () => {
    assert.deepEqual(await ask('GET', '/things/a%20b?q=c+d', 'root:all'), [200, '["a b","c d","root"]\n']);
    assert.deepEqual(await ask('GET', '/nothing', 'root:all'), [404, 'oh 404 not found']);
    assert.deepEqual(await ask('POST', '/things', 'root:all', 'new'), [409, 'oh 409 made already']);
    assert.deepEqual(made.splice(0), ['new']);
  });

  it('lets read-only credentials read, and nothing else', async () => {
    assert.deepEqual(await ask('GET', '/things/x', 'guest:some'), [200, '["x","","guest"]\n']);
    assert.deepEqual(await ask('POST', '/things', 'guest:some', 'new'), [
      403,
      'oh 403 forbidden: these credentials may read only',
    ]);
    assert.deepEqual(made, []);
    assert.deepEqual(await ask('POST', '/nothing', 'guest:some'), [404, 'oh 404 not found']);
  });

  it('takes a user who is in both lists by the full one alone', async () => {
    assert.equal((await ask('GET', '/things/x', 'root:less'))[0], 401);
  });

  it('tells pages of allowed origins why they are refused, and adds nothing for others', async () => {
    const headersOf = async (origin: string | undefined): Promise<(string | null)[]> => {
      const headers = origin === undefined ? {} : { Origin: origin };
      const answer = await fetch(`${base}/things/x`, { headers });
      assert.deepEqual([answer.status, await answer.text()], [401, 'oh 401 unauthorized: no auth provided']);
      return ['Access-Control-Allow-Origin', 'Vary'].map((name) => answer.headers.get(name));
    };
    assert.deepEqual(await headersOf('http://a.example'), ['*', 'Origin']);
    assert.deepEqual(await headersOf(undefined), [null, null]);
  });

  it('opens what needs nothing to GET, in one spelling', async () => {
    assert.deepEqual(await ask('GET', '/open'), [202, '']);
    for (const path of ['/open/', '//open', '/x/../open', '/OPEN', '/open/.', '/x%2f..%2fopen']) {
      assert.equal((await send(base, { method: 'GET', path })).status, 401, path);
    }
    assert.equal((await ask('POST', '/open'))[0], 401);
    assert.equal((await ask('GET', '/things/x'))[0], 401);
  });
});

describe('bindApi with settings of its own', () => {
  /** Serves one route in the way `handle` says while `act` runs. */
  async function serving(
    more: Partial<ApiOptions>,
    handle: (call: ApiCall) => Promise<unknown>,
    act: (port: number) => Promise<void>,
  ): Promise<void> {
    const api = await bindApi({ ...options, ...more });
    api.serve(
      { routes, handle: (_, call) => handle(call), printError: (status, message) => `oh ${status} ${message}` },
      { log: silentLogger, now: () => ({ seconds: 1_800_000_000, nanos: 0 }) },
    );
    try {
      await act(Number(/tcp\/(\d+)/.exec(api.addresses()[0] ?? '')?.[1]));
    } finally {
      await api.close();
    }
  }

  it('limits what a user and an address may ask in a minute, wrong passwords included, but not whether it is up', async () => {
    await serving(
      { rateLimitPerMinute: 3 },
      async (call) => call.send(200, 'ok'),
      async (port) => {
        const look = (user: string) =>
          fetch(`http://127.0.0.1:${port}/things/x`, { headers: { Authorization: `Basic ${btoa(user)}` } });
        assert.deepEqual(
          [(await look('guest:some')).status, (await look('guest:some')).status, (await look('guest:guess')).status],
          [200, 200, 401],
        );
        const late = await look('root:all');
        assert.deepEqual([late.status, late.headers.get('x-own')], [429, 'a, b']);
        const seconds = Number(late.headers.get('retry-after'));
        assert.ok(seconds >= 1 && seconds <= 20, `${seconds} s`);
        assert.equal(await late.text(), `oh 429 too many requests: wait ${seconds} s`);
        for (let i = 0; i < 5; i++) assert.equal((await fetch(`http://127.0.0.1:${port}/open`)).status, 200);
      },
    );
  });

  it('writes a line a request to a file, in the common log format', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-log-'));
    try {
      const accessLogFile = join(folder, 'access.log');
      for (let round = 0; round < 2; round++) {
        await serving(
          { accessLogFile },
          async (call) => call.send(200, 'häm'),
          async (port) => {
            await (await fetch(`http://127.0.0.1:${port}/open?a=1`)).text();
            await (await fetch(`http://127.0.0.1:${port}/"no`)).text();
          },
        );
      }
      const line = (rest: string): string =>
        `127\\.0\\.0\\.1 - - \\[\\d\\d/Jan/2027:\\d\\d:\\d\\d:\\d\\d [+-]\\d{4}\\] ${rest}\n`;
      const round = line('"GET /open\\?a=1 HTTP/1\\.1" 200 4') + line('"GET /%22no HTTP/1\\.1" 401 37');
      assert.match(await readFile(accessLogFile, 'utf8'), new RegExp(`^${round}${round}$`));
      assert.equal((await stat(accessLogFile)).mode & 0o133, 0);
      const nowhere = bindApi({ ...options, accessLogFile: join(folder, 'no', 'access.log') });
      await assert.rejects(nowhere, { code: 'http/log-file' });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('does nothing by a body that was broken off', async () => {
    const done: string[] = [];
    const asked = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<unknown>();
    const take = async (call: ApiCall): Promise<void> => {
      asked.resolve();
      try {
        done.push(await call.text());
      } catch (error) {
        answered.resolve(error);
        throw error;
      }
    };
    await serving({}, take, async (port) => {
      const socket = connect({ port, host: '127.0.0.1' });
      await once(socket, 'connect');
      const authorization = `Authorization: Basic ${btoa('root:all')}`;
      socket.write(`POST /things HTTP/1.1\r\nHost: x\r\n${authorization}\r\nContent-Length: 9\r\n\r\n{"a":1}`);
      await asked.promise;
      socket.destroy();
      assert.match(String(await answered.promise), /error reading request body/);
      assert.deepEqual(done, []);
    });
  });
});
