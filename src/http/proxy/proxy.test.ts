/** What the proxy does with connections: limits, cut and forged requests, clients that leave, ways to the node. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setDefaultCACertificates } from 'node:tls';
import { errorCode, silentLogger } from '../../base/index.ts';
import type { IpfsProxyConfig } from '../../model/config/index.ts';
import { initialService } from '../../model/config/index.ts';
import { parseSocketAddress } from '../kit/index.ts';
import { bindProxy, type ProxyCluster } from './index.ts';

const hello = 'QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN';

/** Answers every request of the node's; `seen` has them. */
interface NodeStandIn {
  readonly address: string;
  readonly seen: string[];
  readonly requests: http.IncomingMessage[];
}

type Answer = (request: http.IncomingMessage, response: http.ServerResponse) => void;

async function listen(t: TestContext, server: http.Server, path?: string): Promise<void> {
  server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path });
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
}

function portOf(server: http.Server): number {
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

async function startNode(t: TestContext, answer?: Answer): Promise<NodeStandIn> {
  const seen: string[] = [];
  const requests: http.IncomingMessage[] = [];
  const server = http.createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    requests.push(request);
    if (answer === undefined) request.resume().on('end', () => response.end(`{"Version":"node"}\n`));
    else answer(request, response);
  });
  await listen(t, server);
  return { address: `/ip4/127.0.0.1/tcp/${portOf(server)}`, seen, requests };
}

/** Nothing of the cluster is asked for here, but for what a test gives. */
function clusterOf(given: Partial<ProxyCluster>): ProxyCluster {
  return new Proxy(given as ProxyCluster, {
    get: (target, name, self) =>
      Reflect.get(target, name, self) ?? assert.fail(`${String(name)} of the cluster is called`),
  });
}

interface Front {
  readonly port: number;
  readonly addresses: readonly string[];
}

async function startProxy(
  t: TestContext,
  config: Partial<IpfsProxyConfig>,
  cluster: Partial<ProxyCluster> = {},
): Promise<Front> {
  const initial = initialService({ hostname: '', secret: '' }).ipfsproxy;
  assert.ok(initial !== undefined);
  const proxy = await bindProxy({ ...initial, listenMultiaddress: ['/ip4/127.0.0.1/tcp/0'], ...config });
  t.after(() => proxy.close());
  proxy.serve({ cluster: clusterOf(cluster), log: silentLogger });
  const address = parseSocketAddress(proxy.addresses()[0] ?? '');
  return { port: 'port' in address ? address.port : 0, addresses: proxy.addresses() };
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** Sends a text as it is, and reads until the connection ends. */
async function raw(port: number, text: string): Promise<string> {
  const socket = await open(port);
  socket.write(text);
  let answer = '';
  try {
    for await (const chunk of socket) answer += String(chunk);
  } catch (error) {
    if (errorCode(error) !== 'ECONNRESET') throw error;
  }
  return answer;
}

const post = (target: string, headers: readonly string[], body = ''): string =>
  `${[`POST ${target} HTTP/1.1`, 'Host: x', ...headers].join('\r\n')}\r\n\r\n${body}`;

test('a request that two servers could read as different ones does not reach the node', async (t) => {
  const node = await startNode(t);
  const { port } = await startProxy(t, { nodeMultiaddress: node.address });
  const smuggled = 'POST /api/v0/pin/rm?arg=x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n';
  const forged: readonly string[][] = [
    [`Content-Length: ${smuggled.length + 5}`, 'Transfer-Encoding: chunked'],
    ['Transfer-Encoding: chunked', 'Content-Length: 4'],
    ['Transfer-Encoding: xchunked'],
    ['Transfer-Encoding: gzip, chunked'],
    ['Transfer-Encoding: identity, chunked'],
    ['Host: y', `Content-Length: ${smuggled.length + 5}`],
    ['Transfer-Encoding: chunked, identity'],
    ['Transfer-Encoding : chunked'],
    ['Transfer-Encoding:\x0bchunked'],
    ['Content-Length: 5', 'Content-Length: 6'],
    ['Content-Length: 5, 6'],
    ['Content-Length: +5'],
    ['Content-Length: 0x5'],
    ['Content-Length : 5'],
    ['X: y\nContent-Length: 3'],
    [' Content-Length: 3'],
  ];
  for (const headers of forged) {
    const answer = await raw(port, post('/api/v0/version', headers, `0\r\n\r\n${smuggled}`));
    assert.match(answer, /^HTTP\/1\.1 (400|501) /, headers.join(' | '));
    assert.equal(answer.indexOf('HTTP/1.1', 1), -1, `one answer only: ${answer}`);
  }
  assert.deepEqual(node.seen, []);
});

test('a body with a length that a client has made hop-by-hop arrives whole', async (t) => {
  const bodies: string[] = [];
  const node = await startNode(t, (request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += String(chunk);
    });
    request.on('end', () => {
      bodies.push(body);
      response.end();
    });
  });
  const { port } = await startProxy(t, { nodeMultiaddress: node.address });
  const headers = ['Connection: close, Content-Length', 'Content-Length: 5'];
  assert.match(await raw(port, post('/api/v0/files/write', headers, 'hello')), /^HTTP\/1\.1 200 /);
  assert.deepEqual(bodies, ['hello']);
});

test('what is no path is refused, and tunnels are not opened', async (t) => {
  const node = await startNode(t);
  const { port } = await startProxy(t, { nodeMultiaddress: node.address });
  assert.match(await raw(port, 'OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 400 /);
  assert.match(await raw(port, `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: x\r\n\r\n`), /^HTTP\/1\.1 405 /);
  const upgrade = post('/api/v0/version', ['Connection: Upgrade, close', 'Upgrade: h2c', 'Content-Length: 0']);
  assert.match(await raw(port, upgrade), /^HTTP\/1\.1 200 /);
  assert.deepEqual(node.seen, ['POST /api/v0/version']);
  assert.equal(node.requests[0]?.headers.upgrade, undefined);
});

test('when a client leaves, what it has asked the node for ends', async (t) => {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const node = await startNode(t, (_request, response) => {
    response.on('close', () => end());
    // Never comes to an end by itself.
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(64 * 1024)));
    };
    response.on('drain', more);
    more();
  });
  const { port } = await startProxy(t, { nodeMultiaddress: node.address });
  const socket = await open(port);
  socket.write(post('/api/v0/cat?arg=x', ['Content-Length: 0']));
  await once(socket, 'data');
  socket.destroy();
  await ended;
});

test('when a client leaves before the node has answered, the request to the node ends', async (t) => {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const node = await startNode(t, (request) => {
    request.on('close', () => end());
    begin();
  });
  const { port } = await startProxy(t, { nodeMultiaddress: node.address });
  const socket = await open(port);
  socket.write(post('/api/v0/pin/verify', ['Content-Length: 0']));
  await begun;
  socket.destroy();
  await ended;
});

test('when a client leaves while the headers of the node are asked for, nothing is done for it', async (t) => {
  const held: http.ServerResponse[] = [];
  const asked = Promise.withResolvers<void>();
  const third = Promise.withResolvers<void>();
  const node = await startNode(t, (request, response) => {
    request.resume();
    held.push(response);
    if (held.length === 2) asked.resolve();
    if (held.length === 3) third.resolve();
  });
  const pinned: string[] = [];
  const pinPath: ProxyCluster['pinPath'] = async ({ path }) => {
    pinned.push(path);
    throw new Error('refused');
  };
  const { port } = await startProxy(t, { nodeMultiaddress: node.address }, { pinPath });
  const cid = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy';
  const target = '/api/v0/pin/add?progress=true&arg=';
  const socket = await open(port);
  socket.write(post(`${target}${cid}`, ['Content-Length: 0']));
  await asked.promise;
  socket.destroy();
  await once(socket, 'close');
  // The proxy hears of it before it hears of the node.
  const other = raw(port, post(`${target}/ipfs/${cid}/other`, ['Content-Length: 0', 'Connection: close']));
  const passed = raw(port, post('/api/v0/version', ['Content-Length: 0', 'Connection: close']));
  await third.promise;
  for (const response of held) response.end('{}');
  assert.match(await other, /refused/);
  assert.match(await passed, /200/);
  assert.deepEqual(pinned, [`/ipfs/${cid}/other`]);
});

test('a reader that does not read holds the node back', async (t) => {
  const { promise: full, resolve: fill } = Promise.withResolvers<number>();
  const node = await startNode(t, async (_request, response) => {
    let sent = 0;
    const piece = Buffer.alloc(256 * 1024);
    // Buffers on the way, in the kernel and here, take a few megabytes.
    while (sent < 256 * 1024 * 1024) {
      sent += piece.length;
      if (response.write(piece)) continue;
      const drained = await Promise.race([
        once(response, 'drain').then(() => true),
        new Promise((resolve) => setTimeout(resolve, 500, false)),
      ]);
      if (drained === false) break;
    }
    fill(sent);
    response.destroy();
  });
  const { port } = await startProxy(t, { nodeMultiaddress: node.address });
  const socket = await open(port);
  socket.pause();
  socket.write(post('/api/v0/cat?arg=x', ['Content-Length: 0']));
  assert.ok((await full) < 64 * 1024 * 1024);
  socket.destroy();
});

test('headers, and the time to send them, are limited as configured', async (t) => {
  const node = await startNode(t);
  const { port } = await startProxy(t, { nodeMultiaddress: node.address, readHeaderTimeoutMs: 50, readTimeoutMs: 100 });
  const long = (size: number): string => post('/api/v0/version', [`X: ${'x'.repeat(size)}`, 'Connection: close']);
  assert.match(await raw(port, long(7_000)), /^HTTP\/1\.1 200 /);
  assert.match(await raw(port, long(9_000)), /^HTTP\/1\.1 431 /);
  assert.equal(await raw(port, 'POST /api/v0/version HTTP/1.1\r\nHost: x\r\n'), '');
  assert.equal(await raw(port, post('/api/v0/version', ['Content-Length: 5'], 'a')), '');
});

test('a connection that asks for nothing more is closed after the idle timeout', async (t) => {
  const node = await startNode(t);
  const { port } = await startProxy(t, { nodeMultiaddress: node.address, idleTimeoutMs: 50 });
  assert.match(await raw(port, post('/api/v0/version', ['Content-Length: 0'])), /^HTTP\/1\.1 200 /);
});

test('an answer that takes longer than the write timeout is cut off', async (t) => {
  const node = await startNode(t, (_request, response) => response.write('half'));
  const { port } = await startProxy(t, { nodeMultiaddress: node.address, writeTimeoutMs: 500 });
  const answer = await raw(port, post('/api/v0/cat', ['Content-Length: 0']));
  assert.match(answer, /half/);
  assert.doesNotMatch(answer, /\r\n0\r\n\r\n$/);
});

test('it listens on several addresses', async (t) => {
  const node = await startNode(t);
  const listenMultiaddress = ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0'];
  const { addresses } = await startProxy(t, { nodeMultiaddress: node.address, listenMultiaddress });
  assert.equal(addresses.length, 2);
  for (const address of addresses.map(parseSocketAddress)) {
    assert.ok('port' in address);
    const url = `http://${address.host}:${address.port}/api/v0/version`;
    assert.equal((await fetch(url, { method: 'POST' })).status, 200);
  }
});

test('the node may be behind a unix socket', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'proxy-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'api.sock');
  const server = http.createServer((request, response) => response.end(`${request.url} for ${request.headers.host}`));
  await listen(t, server, path);
  const { port } = await startProxy(t, { nodeMultiaddress: `/unix${path}` });
  const answer = await fetch(`http://127.0.0.1:${port}/api/v0/id?a=b`, { method: 'POST' });
  assert.equal(await answer.text(), `/api/v0/id?a=b for 127.0.0.1:${port}`);
});

test('node_https speaks TLS to the node, whose certificate must be good', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'proxy-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string): string => join(folder, name);
  try {
    execFileSync(
      'openssl',
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -keyout ${file('key')}
       -out ${file('cert')} -addext subjectAltName=IP:127.0.0.1`.split(/\s+/),
      { stdio: 'ignore' },
    );
  } catch (error) {
    t.skip(`SKIPPED: no openssl to make a certificate with: ${errorCode(error)}`);
    return;
  }
  const cert = readFileSync(file('cert'), 'utf8');
  const server = https.createServer({ cert, key: readFileSync(file('key')) }, (_request, response) =>
    response.end('ok'),
  );
  await listen(t, server);
  const config = { nodeMultiaddress: `/ip4/127.0.0.1/tcp/${portOf(server)}`, nodeHttps: true };
  const distrusting = await startProxy(t, config);
  const ask = (port: number): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/api/v0/id`, { method: 'POST', headers: { connection: 'close' } });
  assert.equal((await ask(distrusting.port)).status, 502);
  setDefaultCACertificates([cert]);
  const trusting = await startProxy(t, config);
  assert.equal(await (await ask(trusting.port)).text(), 'ok');
});

test('headers of the node are asked for once in their time to live, and again when it did not answer', async (t) => {
  let status = 500;
  const node = await startNode(t, (request, response) => {
    if (status === 500) {
      response.destroy();
      return;
    }
    response.writeHead(status, {
      Vary: 'Origin',
      'Access-Control-Allow-Origin': request.headers.origin ?? 'none',
      'X-Extra': 'more',
      'X-Other': 'not asked for',
      'Access-Control-Expose-Headers': 'X-Stream-Output',
    });
    response.end();
  });
  const repoStat = async (): ReturnType<ProxyCluster['repoStat']> => ({ repoSize: 1, storageMax: 2 });
  const config = {
    nodeMultiaddress: node.address,
    extractHeadersExtra: ['X-Extra'],
    extractHeadersPath: '/api/v0/special',
  };
  const { port } = await startProxy(t, { ...config, extractHeadersTtlMs: 0 }, { repoStat });
  const ask = async (at: number, origin: string): Promise<Headers> => {
    const url = `http://127.0.0.1:${at}/api/v0/repo/stat?size-only=true`;
    const { status: answered, headers } = await fetch(url, { method: 'POST', headers: { origin } });
    assert.equal(answered, 200);
    return headers;
  };
  // A failure is forgotten soon, so that this proxy is not asked twice here: another one sees the node well again.
  assert.equal((await ask(port, 'http://a.example')).get('x-extra'), null);
  status = 200;
  const forEver = await startProxy(t, { ...config, extractHeadersTtlMs: 0 }, { repoStat });
  node.seen.length = 0;
  for (const origin of ['http://a.example', 'http://b.example', 'http://a.example']) {
    const headers = await ask(forEver.port, origin);
    assert.equal(headers.get('access-control-allow-origin'), origin);
    assert.equal(headers.get('access-control-expose-headers'), 'X-Stream-Output');
    assert.equal(headers.get('x-extra'), 'more');
    assert.equal(headers.get('x-other'), null);
    assert.equal(headers.get('vary'), 'Origin');
    assert.equal(headers.get('content-type'), 'application/json');
    assert.match(headers.get('server') ?? '', /^ipfs-cluster\/ipfsproxy\//);
  }
  assert.deepEqual(node.seen.sort(), ['OPTIONS /api/v0/version', 'OPTIONS /api/v0/version', 'POST /api/v0/special']);
  const shortLived = await startProxy(t, { ...config, extractHeadersTtlMs: 1 }, { repoStat });
  node.seen.length = 0;
  const began = performance.now();
  await ask(shortLived.port, 'http://a.example');
  while (performance.now() - began < 20) await new Promise(setImmediate);
  await ask(shortLived.port, 'http://a.example');
  assert.equal(node.seen.length, 4);
});

test('a page that the node allows may change things; others may not', async (t) => {
  const node = await startNode(t, (request, response) => {
    if (request.headers.origin === 'http://good.example') {
      response.setHeader('Access-Control-Allow-Origin', 'http://good.example');
    }
    response.end();
  });
  let unpinned = 0;
  const { port } = await startProxy(
    t,
    { nodeMultiaddress: node.address },
    {
      pinGet: () => assert.fail('not reached by strangers'),
      repoGc: async () => {
        unpinned += 1;
        return { peerMap: {} };
      },
    },
  );
  const ask = async (path: string, origin: string): Promise<number> =>
    (await fetch(`http://127.0.0.1:${port}/api/v0/${path}`, { method: 'POST', headers: { origin } })).status;
  assert.equal(await ask('repo/gc', 'http://good.example'), 200);
  assert.equal(await ask('repo/gc', 'http://evil.example'), 403);
  assert.equal(await ask(`pin/rm?arg=${hello}`, 'http://evil.example'), 403);
  assert.equal(unpinned, 1);
});

test('a line a request goes to the log file, whoever answers it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ipfs-cluster-proxy-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const logFile = join(folder, 'proxy.log');
  const body = 'x'.repeat(1000);
  const node = await startNode(t, (_, response) => response.end(body));
  const initial = initialService({ hostname: '', secret: '' }).ipfsproxy;
  assert.ok(initial !== undefined);
  const config = { ...initial, listenMultiaddress: ['/ip4/127.0.0.1/tcp/0'], nodeMultiaddress: node.address };
  const proxy = await bindProxy({ ...config, logFile });
  t.after(() => proxy.close());
  proxy.serve({ cluster: clusterOf({}), log: silentLogger });
  const address = parseSocketAddress(proxy.addresses()[0] ?? '');
  assert.ok('port' in address);
  for (const target of ['id?token=abc', `cat?arg=${hello}`, 'pin/rm']) {
    await (await fetch(`http://127.0.0.1:${address.port}/api/v0/${target}`, { method: 'POST' })).text();
  }
  await proxy.close();
  const lines = readFileSync(logFile, 'utf8')
    .replaceAll(/\[.*?\]/g, '[time]')
    .split('\n');
  assert.deepEqual(lines, [
    '127.0.0.1 - - [time] "POST /api/v0/id?token=*** HTTP/1.1" 200 1000',
    `127.0.0.1 - - [time] "POST /api/v0/cat?arg=${hello} HTTP/1.1" 200 1000`,
    '127.0.0.1 - - [time] "POST /api/v0/pin/rm HTTP/1.1" 400 72',
    '',
  ]);
  await assert.rejects(bindProxy({ ...config, logFile: join(folder, 'no', 'proxy.log') }), { code: 'http/log-file' });
});
