/**
 * Every door of running peers with every kind of credentials: the REST API over TCP, over a unix socket and over libp2p, and the
 * pinning service. And that nothing secret is in the log of the peers, which say all that they can, or in an answer.
 */
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { hexDecode } from '../../src/base/index.ts';
import { createPeerDialer, type PeerDialer } from '../../src/http/dial/index.ts';
import { cidNumber } from '../support/pins.ts';
import { type PinningPeers, startPinningPeers } from '../support/pinsvc.ts';

const word = (): string => randomBytes(12).toString('hex');
const passwords = { full: word(), reading: word(), wrong: word() };
const clusterSecret = randomBytes(32).toString('hex');
const basic = (user: string, password: string): string => `Basic ${btoa(`${user}:${password}`)}`;
const full = basic('alice', passwords.full);
const reading = basic('bob', passwords.reading);
const apiCredentials = {
  basicAuthCredentials: { alice: passwords.full },
  readOnlyCredentials: { bob: passwords.reading },
};
const cid = cidNumber(1).toString();

/** Has them say all that they can. */
process.env.IPFS_CLUSTER_LOG_LEVEL = 'debug';

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** How a request gets to a peer, and what reads and what writes there. */
interface Door {
  readonly reads: readonly string[];
  readonly writes: readonly (readonly [method: string, path: string, body: string])[];
  readonly connect: () => Promise<RequestOptions>;
}

const unsignedPart = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
function jwt(header: object, claims: object, password: string, hash = 'sha256'): string {
  const signed = `${unsignedPart(header)}.${unsignedPart(claims)}`;
  return `${signed}.${createHmac(hash, password).update(signed).digest('base64url')}`;
}

describe('doors of running peers', () => {
  let peers: PinningPeers;
  let dialer: PeerDialer;
  const doors = new Map<string, Door>();
  /** Whatever must not be seen, by name. */
  const secrets = new Map<string, string>();
  const bodies: string[] = [];
  let now = 0;
  let sockets: string;

  before(async () => {
    now = Math.floor(Date.now() / 1000);
    sockets = await mkdtemp(join(tmpdir(), 'doors-'));
    peers = await startPinningPeers({
      count: 2,
      pinsvcapi: apiCredentials,
      change: (config) => ({
        ...config,
        cluster: { ...config.cluster, secret: clusterSecret },
        restapi: config.restapi && {
          ...config.restapi,
          ...apiCredentials,
          httpListenMultiaddress: [
            ...config.restapi.httpListenMultiaddress,
            `/unix${join(sockets, config.cluster.peername)}`,
          ],
        },
      }),
    });
    const [first] = peers.peers;
    assert.ok(first !== undefined);
    const onPort = (url: string) => async (): Promise<RequestOptions> => ({
      host: '127.0.0.1',
      port: new URL(url).port,
    });
    const rest = {
      reads: ['/pins', '/id', `/pins/${cid}`, '/api', '/openapi.json', '/events', '/nosuch'],
      writes: [
        ['POST', `/pins/${cid}`, ''],
        ['DELETE', `/pins/${cid}`, ''],
        ['POST', '/add', ''],
        ['POST', '/ipfs/gc?local=true', ''],
        ['POST', '/token', ''],
      ] as const,
    };
    dialer = await createPeerDialer({
      address: `${(await identityOf(0)).address}`,
      secret: hexDecode(clusterSecret),
    });
    doors.set('REST', { ...rest, connect: onPort(first.apiUrl) });
    doors.set('unix socket', { ...rest, connect: async () => ({ socketPath: join(sockets, 'peer1'), agent: false }) });
    doors.set('libp2p', {
      ...rest,
      connect: async () => {
        const connection = await dialer.connect();
        return { createConnection: () => connection };
      },
    });
    doors.set('pinning service', {
      reads: ['/pins', '/api', '/openapi.json', `/pins/${cid}`],
      writes: [
        ['POST', '/pins', JSON.stringify({ cid })],
        ['POST', `/pins/${cid}`, JSON.stringify({ cid })],
        ['DELETE', `/pins/${cid}`, ''],
        ['POST', '/token', ''],
      ],
      connect: onPort(peers.services[0] ?? ''),
    });
    for (const [name, password] of Object.entries(passwords)) secrets.set(`the ${name} password`, password);
    secrets.set('full credentials', full.slice(6)).set('reading credentials', reading.slice(6));
    secrets.set('the secret of the cluster', clusterSecret);
    for (const [i, { folder }] of peers.peers.entries()) {
      const { private_key: key } = JSON.parse(await readFile(join(folder, 'identity.json'), 'utf8')) as {
        private_key: string;
      };
      secrets.set(`the private key of peer ${i + 1}`, key);
    }
  });
  after(async () => {
    await dialer?.close();
    await peers?.end();
    await rm(sockets, { recursive: true, force: true });
  });

  async function identityOf(i: number): Promise<{ address: string }> {
    const response = await fetch(`${peers.peers[i]?.apiUrl}/id`, { headers: { authorization: full } });
    const { addresses } = (await response.json()) as { addresses: string[] };
    return { address: addresses.find((address) => address.includes('127.0.0.1')) ?? '' };
  }

  async function ask(door: Door, method: string, path: string, authorization: string, body = ''): Promise<Answer> {
    const request = httpRequest({
      ...(await door.connect()),
      method,
      path,
      headers: {
        Host: 'x',
        'Content-Length': Buffer.byteLength(body),
        ...(authorization === '' ? {} : { Authorization: authorization }),
      },
    });
    request.end(body);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const status = response.statusCode ?? 0;
    if (response.headers['content-type'] === 'text/event-stream') {
      response.destroy();
      return { status, body: '' };
    }
    const text = Buffer.concat(await response.toArray()).toString();
    if (!path.startsWith('/token') || status !== 200) bodies.push(text);
    return { status, body: text };
  }

  async function tokenOf(door: Door, query: string, authorization: string = full): Promise<string> {
    const { status, body } = await ask(door, 'POST', `/token${query}`, authorization);
    assert.equal(status, 200, body);
    const { token } = JSON.parse(body) as { token: string };
    secrets.set(`a token${query}`, token);
    return `Bearer ${token}`;
  }

  for (const name of ['REST', 'unix socket', 'libp2p', 'pinning service']) {
    it(`${name}: each kind of credentials may what it may`, async () => {
      const door = doors.get(name);
      assert.ok(door !== undefined);
      const revoked = await tokenOf(door, '?expires-in=1h');
      const revocation = JSON.stringify({ token: revoked.slice(7) });
      assert.equal((await ask(door, 'POST', '/token/revoke', full, revocation)).status, 200);
      const bearer = (header: object, claims: object, password: string, hash?: string): string => {
        const token = jwt(header, claims, password, hash);
        secrets.set(`${name}: ${JSON.stringify([header, claims, password])}`, token);
        return `Bearer ${token}`;
      };
      const hs256 = { alg: 'HS256', typ: 'JWT' };
      const nobody = {
        'no credentials': '',
        'a wrong password': basic('alice', passwords.wrong),
        'no password': basic('alice', ''),
        'somebody unknown': basic('constructor', passwords.full),
        'the password of another user': basic('alice', passwords.reading),
        'another scheme': `Digest ${passwords.full}`,
        'an expired token': bearer(hs256, { iss: 'alice', exp: now - 10 }, passwords.full),
        'a token of tomorrow': bearer(hs256, { iss: 'alice', nbf: now + 86_400 }, passwords.full),
        'a token of another cluster': bearer(hs256, { iss: 'alice' }, passwords.wrong),
        'a token of nobody': bearer(hs256, { iss: 'mallory' }, passwords.full),
        'a token without issuer': bearer(hs256, {}, passwords.full),
        'a token that is not signed': `Bearer ${unsignedPart({ alg: 'none' })}.${unsignedPart({ iss: 'alice' })}.`,
        'a token said to be signed otherwise': bearer({ alg: 'RS256' }, { iss: 'alice' }, passwords.full),
        'a token said to be signed with another hash': bearer({ alg: 'HS512' }, { iss: 'alice' }, passwords.full),
        'a token of an unknown scope': bearer(hs256, { iss: 'alice', scope: 'admin' }, passwords.full),
        'a revoked token': revoked,
      };
      for (const [kind, authorization] of Object.entries(nobody)) {
        for (const path of door.reads) {
          assert.equal((await ask(door, 'GET', path, authorization)).status, 401, `${kind}: GET ${path}`);
        }
        for (const [method, path, body] of door.writes) {
          const { status } = await ask(door, method, path, authorization, body);
          assert.equal(status, 401, `${kind}: ${method} ${path}`);
        }
        assert.equal((await ask(door, 'GET', '/health', authorization)).status, 204, kind);
      }
      for (const authorization of [reading, await tokenOf(door, '?expires-in=1h&scope=read')]) {
        for (const path of door.reads) {
          const { status } = await ask(door, 'GET', path, authorization);
          assert.ok(status === 204 || status === 200 || status === 404, `GET ${path}: ${status}`);
        }
        for (const [method, path, body] of door.writes) {
          const { status } = await ask(door, method, path, authorization, body);
          assert.equal(status, 403, `${method} ${path}`);
        }
      }
      for (const authorization of [full, await tokenOf(door, ''), await tokenOf(door, '?expires-in=1h')]) {
        for (const [method, path, body] of door.writes) {
          const { status } = await ask(door, method, path, authorization, body);
          // A token that expires gets no other one.
          assert.ok(status !== 401 && (status !== 403 || path === '/token'), `${method} ${path}: ${status}`);
        }
      }
    });
  }

  it('nothing secret is in what the peers log, or in an answer', async () => {
    const door = doors.get('REST');
    assert.ok(door !== undefined);
    // Where they do not belong, and where they break something.
    const [token = ''] = [...secrets].find(([name]) => name.startsWith('a token?')) ?? [];
    const kept = secrets.get(token) ?? '';
    await ask(door, 'GET', `/nosuch?token=${kept}&password=${passwords.full}`, full);
    await ask(door, 'POST', '/token/revoke', full, `{"token":"${kept}`);
    await ask(door, 'POST', '/peers', full, `{"peer_id":"${passwords.full}"`);
    await ask(door, 'GET', '/version', `Basic ${passwords.full}`);
    await ask(door, 'GET', '/version', `Bearer ${kept}x`);
    const proxied = peers.peers[0]?.proxyAddress.split('/').at(-1) ?? '';
    const viaProxy = await fetch(`http://127.0.0.1:${proxied}/api/v0/id`, {
      method: 'POST',
      headers: { authorization: full },
    });
    bodies.push(await viaProxy.text());
    const logs = await Promise.all(peers.peers.map(({ folder }) => readFile(join(folder, 'daemon.log'), 'utf8')));
    const told = [...logs, ...bodies].join('\n');
    assert.match(told, /"level":"debug"|DEBUG/i);
    assert.ok(secrets.size > 20 && told.length > 10_000);
    for (const [name, secret] of secrets) {
      assert.ok(
        !told.includes(secret),
        `${name} is in ${bodies.some((body) => body.includes(secret)) ? 'an answer' : 'the log'}`,
      );
    }
  });
});
