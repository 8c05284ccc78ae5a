import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { send } from '../../../test/support/rest-vectors.ts';
import { silentLogger } from '../../base/index.ts';
import { type ApiOptions, type ApiRoute, type ApiServer, bindApi, RequestError, sendJson } from './index.ts';

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

  it('opens what needs nothing to GET, in one spelling', async () => {
    assert.deepEqual(await ask('GET', '/open'), [202, '']);
    for (const path of ['/open/', '//open', '/x/../open', '/OPEN', '/open/.', '/x%2f..%2fopen']) {
      assert.equal((await send(base, { method: 'GET', path })).status, 401, path);
    }
    assert.equal((await ask('POST', '/open'))[0], 401);
    assert.equal((await ask('GET', '/things/x'))[0], 401);
  });
});
