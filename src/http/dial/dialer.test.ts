/** HTTP between two real libp2p hosts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import { silentLogger } from '../../base/index.ts';
import type { Host } from '../../cluster/ports.ts';
import { createHost } from '../../io/p2p/index.ts';
import { type ApiServer, bindApi, libp2pHttpProtocol, sendLines } from '../kit/index.ts';
import { createPeerDialer, type PeerDialer, type PeerDialerOptions } from './index.ts';

const secret = new Uint8Array(32).fill(3);
const routes = [
  { id: 'echo', method: 'POST', path: '/echo', access: 'read' },
  { id: 'list', method: 'GET', path: '/list', access: 'read' },
  { id: 'endless', method: 'GET', path: '/endless', access: 'read' },
  { id: 'open', method: 'GET', path: '/open', access: 'none' },
] as const;

let api: ApiServer;
const hosts: Host[] = [];
const dialers: PeerDialer[] = [];
const logged: string[] = [];
const ended = Promise.withResolvers<void>();

async function startHost(key: Uint8Array | null): Promise<Host> {
  const privateKey = privateKeyToProtobuf(await generateKeyPair('Ed25519'));
  const options = { privateKey, secret: key, listen: ['/ip4/127.0.0.1/tcp/0'], pubsub: null };
  const host = await createHost(options, { logger: silentLogger });
  hosts.push(host);
  await host.start();
  return host;
}

async function dial(options: PeerDialerOptions): Promise<PeerDialer> {
  const dialer = await createPeerDialer(options);
  dialers.push(dialer);
  return dialer;
}

const addressOf = (host: Host | undefined): string => host?.addresses()[0] ?? '';

interface Asked {
  readonly method?: string;
  readonly body?: string;
  readonly authorization?: string;
  readonly agent?: Agent;
}

async function ask(connection: Duplex, path: string, { method = 'GET', body = '', authorization }: Asked = {}) {
  const request = httpRequest({
    method,
    path,
    createConnection: () => connection,
    headers: {
      'Content-Length': Buffer.byteLength(body),
      ...(authorization === undefined ? {} : { Authorization: authorization }),
    },
  });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode, body: Buffer.concat(chunks).toString(), trailers: response.rawTrailers };
}

const root = { authorization: `Basic ${btoa('root:pass')}` };

async function* lines(count: number): AsyncGenerator<string, void> {
  for (let i = 0; i < count; i++) yield `${i}`.padEnd(1000, '.');
}

async function* endless(): AsyncGenerator<string, void> {
  try {
    for (;;) yield 'x'.repeat(1000);
  } finally {
    ended.resolve();
  }
}

before(async () => {
  api = await bindApi({
    listen: [],
    limits: {
      readTimeoutMs: 0,
      readHeaderTimeoutMs: 5_000,
      writeTimeoutMs: 0,
      idleTimeoutMs: 120_000,
      maxHeaderBytes: 4_096,
    },
    credentials: { full: { root: 'pass' }, readOnly: {} },
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
  const log = { ...silentLogger, info: (line: string) => void logged.push(line) };
  api.serve(
    {
      routes,
      handle: async (route, call) => {
        if (route.id === 'echo') return call.send(200, await call.text());
        if (route.id === 'open') return call.send(204, '');
        const { response, headers } = call;
        const source = route.id === 'list' ? lines(3000) : endless();
        return sendLines({ response, headers, lines: source, failed: (error) => call.failure(error) });
      },
      printError: (status, message) => `${status} ${message}`,
    },
    { log, now: () => ({ seconds: 0, nanos: 0 }) },
  );
  for (const key of [secret, null]) {
    const host = await startHost(key);
    host.streams.handle(libp2pHttpProtocol, (stream) => api.acceptStream(stream));
  }
});
after(async () => {
  await Promise.all([...dialers.map((dialer) => dialer.close()), ...hosts.map((host) => host.stop())]);
  await api.close();
});

describe('createPeerDialer', () => {
  it('reaches an API in a private network and in the open one, through the whole chain', async () => {
    for (const [host, key] of [
      [hosts[0], secret],
      [hosts[1], null],
    ] as const) {
      const dialer = await dial({ address: addressOf(host), secret: key });
      assert.equal((await ask(await dialer.connect(), '/open')).status, 204);
      assert.equal((await ask(await dialer.connect(), '/list')).status, 401);
      assert.equal((await ask(await dialer.connect(), '/../open')).status, 401);
      const body = 'to and fro '.repeat(5000);
      assert.deepEqual(await ask(await dialer.connect(), '/echo', { ...root, method: 'POST', body }), {
        status: 200,
        body,
        trailers: [],
      });
      const list = await ask(await dialer.connect(), '/list', root);
      assert.deepEqual([list.status, list.body.length, list.trailers], [200, 3000 * 1001, ['X-Stream-Error', '']]);
    }
    assert.match(logged[0] ?? '', /^12D3KooW\w+ - - \[.*\] "GET \/open HTTP\/1\.1" 204 0$/);
  });

  it('keeps a connection for the next request', async () => {
    const dialer = await dial({ address: addressOf(hosts[0]), secret });
    const connection = await dialer.connect();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let made = 0;
    // Proof: HTTP treats any duplex stream as its socket.
    agent.createConnection = () => {
      made++;
      return connection as never;
    };
    for (const path of ['/open', '/open']) {
      const request = httpRequest({ agent, path }).end();
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      assert.equal(response.statusCode, 204);
      await once(response.resume(), 'end');
      await new Promise((done) => setImmediate(done));
    }
    assert.equal(made, 1);
    agent.destroy();
  });

  it('ends the work on the other side when the client goes away', async () => {
    const dialer = await dial({ address: addressOf(hosts[0]), secret });
    const connection = await dialer.connect();
    connection.write(`GET /endless HTTP/1.1\r\nHost: x\r\nAuthorization: ${root.authorization}\r\n\r\n`);
    await once(connection, 'data');
    connection.destroy();
    await ended.promise;
  });

  it('says what is wrong with an address, a secret, or a peer without an API', async () => {
    await assert.rejects(createPeerDialer({ address: '/ip4/127.0.0.1/tcp/1', secret }), { code: 'dial/bad-address' });
    const foreign = await dial({ address: addressOf(hosts[0]), secret: new Uint8Array(32) });
    await assert.rejects(foreign.connect(), { code: 'p2p/wrong-secret' });
    const mute = await startHost(secret);
    const dialer = await dial({ address: addressOf(mute), secret });
    await assert.rejects(dialer.connect(), { code: 'p2p/unsupported-protocol' });
  });
});
