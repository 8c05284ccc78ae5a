/** Every route against every kind of credentials, and spellings that might lead past them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { type LogFields, type Logger, OperatingError } from '../../base/index.ts';
import type { ClusterApi } from '../../cluster/ports.ts';
import { type RevokedToken, type Route, routes } from '../../model/index.ts';
import { bindRestApi, type RestApi } from './index.ts';

/** What was asked of the cluster. */
const reached: string[] = [];
const revoked = new Map<string, RevokedToken>();
/** Answers nothing, and remembers that it was asked. */
const cluster = new Proxy(
  {},
  {
    get: (_, name) => (argument: unknown) => {
      if (name === 'isTokenRevoked') return revoked.has(String(argument));
      if (name === 'revokeToken') {
        // The test gives nothing else.
        const token = argument as RevokedToken;
        revoked.set(token.hash, token);
        return Promise.resolve({ missed: { 'a-member': 'it is down' } });
      }
      reached.push(String(name));
      throw new OperatingError('test/reached', `asked for ${String(name)}`);
    },
  },
) as ClusterApi;

/** Everything that was logged. */
const logged: string[] = [];
const logTo = (message: string, fields?: LogFields): void => void logged.push(message + JSON.stringify(fields ?? {}));
const log: Logger = { error: logTo, warn: logTo, info: logTo, debug: logTo, scope: () => log };

let api: RestApi;
let port: number;
let nowSeconds = 1_800_000_000;

interface Answer {
  readonly status: number;
  readonly body: string;
}

async function ask(method: string, path: string, authorization?: string, body = ''): Promise<Answer> {
  const headers = {
    'Content-Length': Buffer.byteLength(body),
    ...(authorization === undefined ? {} : { Authorization: authorization }),
  };
  const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') };
}

const basic = (user: string, password: string): string => `Basic ${btoa(`${user}:${password}`)}`;
const bearer = (token: string): string => `Bearer ${token}`;

async function issue(authorization: string, query = ''): Promise<string> {
  const { status, body } = await ask('POST', `/token${query}`, authorization);
  assert.equal(status, 200, body);
  return (JSON.parse(body) as { token: string }).token;
}

const secrets = ['all-of-it', 'a-look-only', 'guessed-wrong'] as const;
const full = basic('root', secrets[0]);
const readOnly = basic('guest', secrets[1]);

before(async () => {
  api = await bindRestApi({
    listen: ['/ip4/127.0.0.1/tcp/0'],
    limits: {
      readTimeoutMs: 0,
      readHeaderTimeoutMs: 5_000,
      writeTimeoutMs: 0,
      idleTimeoutMs: 120_000,
      maxHeaderBytes: 4_096,
    },
    credentials: { full: { root: secrets[0] }, readOnly: { guest: secrets[1] } },
    cors: {
      allowedOrigins: ['*'],
      allowedMethods: ['GET', 'POST', 'DELETE'],
      allowedHeaders: [],
      exposedHeaders: [],
      allowCredentials: true,
      maxAgeSeconds: 0,
    },
    headers: {},
  });
  api.serve({ cluster, log, now: () => ({ seconds: nowSeconds, nanos: 0 }) });
  port = Number(/tcp\/(\d+)/.exec(api.addresses()[0] ?? '')?.[1]);
});
after(() => api.close());

const cid = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy';
const parameters: Readonly<Record<string, string>> = {
  hash: cid,
  peer: '12D3KooWRUgsb5Qs7DYUfhgME6Xudhn95MkQ9cEBdNsMTXSR2qCT',
  path: cid,
  name: 'ping',
};

/** A request of the route: of words the first one. */
function pathOf(route: Route): string {
  return route.path.replace(/\{(\w+)(?::([^}]+))?\}/g, (_, name: string, pattern = '') => {
    return parameters[name] ?? pattern.split('|')[0];
  });
}

describe('every route', () => {
  /** Kind of credentials to what they allow. */
  const kinds: Record<string, { readonly authorization?: string; readonly access: 'none' | 'read' | 'write' }> = {
    none: { access: 'none' },
    'another scheme': { authorization: 'Digest username="root"', access: 'none' },
    'a wrong password': { authorization: basic('root', secrets[2]), access: 'none' },
    'an unknown user': { authorization: basic('toString', ''), access: 'none' },
    'the password of another user': { authorization: basic('root', secrets[1]), access: 'none' },
    'no token': { authorization: 'Bearer x.y.z', access: 'none' },
    'read-only credentials': { authorization: readOnly, access: 'read' },
    'full credentials': { authorization: full, access: 'write' },
  };
  before(async () => {
    const expired = await issue(full, '?expires-in=1s');
    const revokedToken = await issue(full, '?expires-in=1h');
    assert.equal((await ask('POST', '/token/revoke', full, JSON.stringify({ token: revokedToken }))).status, 200);
    const limited = await issue(full, '?expires-in=24h');
    const reading = await issue(full, '?expires-in=24h&scope=read');
    nowSeconds += 2;
    kinds['a token'] = { authorization: bearer(await issue(full)), access: 'write' };
    kinds['a token that expires'] = { authorization: bearer(limited), access: 'write' };
    kinds['a read-only token'] = { authorization: bearer(reading), access: 'read' };
    kinds['an expired token'] = { authorization: bearer(expired), access: 'none' };
    kinds['a revoked token'] = { authorization: bearer(revokedToken), access: 'none' };
  });

  for (const route of routes) {
    it(`${route.method} ${route.path} is for ${route.access}`, async () => {
      for (const [name, { authorization, access }] of Object.entries(kinds)) {
        const isAllowed = route.access === 'none' || access === 'write' || access === route.access;
        const { status, body } = await ask(route.method, pathOf(route), authorization, '{"peer_id":""}');
        if (isAllowed) {
          // A limited token must not beget tokens.
          const isTokenOfToken = route.id === 'postToken' && name === 'a token that expires';
          if (isTokenOfToken) assert.equal(status, 403);
          else assert.ok(status !== 401 && status !== 403, `${name}: ${status} ${body}`);
        } else {
          assert.equal(status, access === 'none' ? 401 : 403, `${name}: ${body}`);
          assert.deepEqual(reached, [], name);
        }
        reached.length = 0;
      }
    });
  }

  it('is in the table with the access that its method has, but for one', () => {
    const open = routes.filter(({ access }) => access === 'none').map(({ id }) => id);
    assert.deepEqual(open, ['getHealth']);
    for (const { id, method, access } of routes) {
      if (id !== 'getHealth') assert.equal(access, method === 'GET' ? 'read' : 'write', id);
    }
  });
});

describe('without credentials', () => {
  const tricks = [
    ...['/health/../id', '/health/..%2fid', '/health%2f..%2fid', '/health/%2e%2e/id', '/health/./../id', '//id'],
    ...['/health/', '/health//', '//health', '/./health', '/health/.', '/HEALTH', '/Health', '/health;x', '/health%00'],
    ...['/health%20', '/health%2f', '/health\\..\\id', '/health/graph', '/health%2fgraph', '/id', '/%69d', '/i%64/'],
    ...['/pins/health', '/pins/../health/../id', `/pins%2f${cid}`, `/allocations/${cid}/../../health/x`, '/', '*'],
    ...['http://x/id', 'http://health/id', 'http://x/health/../id', 'HTTP://x/id', 'http://root:all-of-it@x/id'],
    ...['/id?path=/health', '/id#/health', '/id;/health', '/?/health', '/token', '/token/revoke', '/nothing', '/%zz'],
  ];
  it('no spelling of a path reaches a handler', async () => {
    for (const path of tricks) {
      for (const method of ['GET', 'POST', 'DELETE', 'HEAD', 'PUT', 'PATCH', 'PROPFIND']) {
        const { status } = await ask(method, path);
        assert.ok(status === 401 || status === 400, `${method} ${path}: ${status}`);
      }
      // Not asked for credentials, so that browsers may ask before they send them; nothing answers to it.
      const { status } = await ask('OPTIONS', path);
      assert.ok([307, 301, 400, 404, 405].includes(status), `OPTIONS ${path}: ${status}`);
      assert.deepEqual(reached, [], path);
    }
  });

  it('nothing but GET /health is answered', async () => {
    for (const path of ['/health', '/%68ealth', '/health?x=1', 'http://x/health']) {
      assert.equal((await ask('GET', path)).status, 204, path);
    }
    for (const method of ['POST', 'HEAD', 'PUT', 'DELETE']) assert.equal((await ask(method, '/health')).status, 401);
    assert.deepEqual(reached, []);
  });
});

describe('tokens', () => {
  it('are refused in place of passwords and where they are malformed', async () => {
    const cases: readonly (readonly [query: string, status: number, message: RegExp])[] = [
      ['?expires-in=soon', 400, /parameter expires-in: .*invalid duration/],
      ['?expires-in=0.5s', 400, /parameter expires-in: found \\"0.5s\\", expected 1s to 87840h/],
      ['?expires-in=-1h', 400, /parameter expires-in/],
      ['?expires-in=999999h', 400, /parameter expires-in/],
      ['?scope=write', 400, /parameter scope: found \\"write\\", expected \\"read\\" or nothing/],
    ];
    for (const [query, status, message] of cases) {
      const answer = await ask('POST', `/token${query}`, full);
      assert.equal(answer.status, status, query);
      assert.match(answer.body, message);
    }
  });

  it('say what they are limited to', async () => {
    const token = await issue(full, '?expires-in=90m&scope=read');
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<
      string,
      unknown
    >;
    assert.deepEqual(Object.keys(claims), ['iss', 'exp', 'scope', 'jti']);
    assert.deepEqual([claims.iss, claims.exp, claims.scope], ['root', nowSeconds + 5400, 'read']);
    assert.notEqual(await issue(full, '?expires-in=90m&scope=read'), token);
    assert.equal(await issue(full), await issue(full));
  });

  it('count no more when they are revoked, over which members are named that did not take it', async () => {
    const token = await issue(full, '?expires-in=1h');
    const other = await issue(full, '?expires-in=1h');
    assert.equal((await ask('GET', '/nothing', bearer(token))).status, 404);
    const answer = await ask('POST', '/token/revoke', bearer(other), JSON.stringify({ token }));
    assert.deepEqual(answer, { status: 200, body: '{"missed":{"a-member":"it is down"}}\n' });
    assert.equal((await ask('GET', '/nothing', bearer(token))).status, 401);
    assert.equal((await ask('GET', '/nothing', bearer(other))).status, 404);
    // Again, for the members that were down.
    assert.equal((await ask('POST', '/token/revoke', full, JSON.stringify({ token }))).status, 200);
  });

  it('that never expire are revoked with all that would be the same', async () => {
    const token = await issue(full);
    assert.equal((await ask('POST', '/token/revoke', full, JSON.stringify({ token }))).status, 200);
    assert.equal((await ask('GET', '/nothing', bearer(token))).status, 401);
    const again = await ask('POST', '/token', full);
    assert.equal(again.status, 403);
    assert.match(again.body, /is revoked/);
    assert.equal((await ask('GET', '/nothing', bearer(await issue(full, '?expires-in=1h')))).status, 404);
    revoked.clear();
  });

  it('of others are not revoked, and no answer repeats what was sent', async () => {
    for (const body of ['', '{', '{"token":""}', '{"token":5}', '{"token":"a-secret.b.c"}', 'a-secret']) {
      const answer = await ask('POST', '/token/revoke', full, body);
      assert.equal(answer.status, 400, body);
      assert.doesNotMatch(answer.body, /a-secret/);
    }
    assert.equal(revoked.size, 0);
  });
});

it('nothing that was sent to prove who one is gets into the log', async () => {
  const token = await issue(full, '?expires-in=1h');
  await ask('GET', `/nothing?token=${token}&x=1&pass%77ord=${secrets[0]}`, full);
  await ask('GET', `http://root:${secrets[0]}@x/nothing`, bearer(token));
  await ask('POST', '/token/revoke', full, JSON.stringify({ token }));
  const text = logged.join('\n');
  assert.match(text, /"GET \/nothing\?token=\*\*\*&x=1&pass%77ord=\*\*\* HTTP\/1\.1" 404 \d+/);
  assert.match(text, /"GET http:\/\/\*\*\*@x\/nothing HTTP\/1\.1" 404 \d+/);
  for (const secret of [...secrets, token, ...[full, readOnly].map((header) => header.slice('Basic '.length))]) {
    assert.ok(!text.includes(secret), secret);
  }
});
