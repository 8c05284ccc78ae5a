/** What clients send over HTTP: targets of requests, headers, forms, and whole requests to servers of a peer. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { errorCode, OperatingError, silentLogger } from '../../../src/base/index.ts';
import { Authenticator } from '../../../src/http/kit/auth.ts';
import { parseSocketAddress, readUpload, uploadRefusal } from '../../../src/http/kit/index.ts';
import { createRouter } from '../../../src/http/kit/router.ts';
import { parseTarget, redirectOf } from '../../../src/http/kit/target.ts';
import { parseListQuery } from '../../../src/http/pinsvc/list-query.ts';
import { parsePinBody } from '../../../src/http/pinsvc/pin-body.ts';
import { bindProxy } from '../../../src/http/proxy/index.ts';
import { checkPath } from '../../../src/http/proxy/path.ts';
import { parseTarget as parseProxyTarget } from '../../../src/http/proxy/target.ts';
import { bindRestApi, type RestDeps } from '../../../src/http/rest/index.ts';
import { Query } from '../../../src/ipfs-node/rpc/query.ts';
import { initialService } from '../../../src/model/config/index.ts';
import { parseQuery, routes, timeFromNanos } from '../../../src/model/index.ts';
import { PinsetStandIn } from '../../support/pinset-stand-in.ts';
import { bytesOf, cut, drain, type FuzzTarget, utf8 } from '../target.ts';

const cid = 'QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN';
const now = timeFromNanos(1_700_000_000_000_000_000n);
const texts =
  (list: readonly string[]): (() => Uint8Array[]) =>
  () =>
    list.map(bytesOf);

const targets = [
  ...routes.map(({ path }) => path.replaceAll(/\{(\w+)[^}]*\}/g, '$1')),
  `/pins/${cid}?replication-min=1`,
  `/pins/ipfs/${cid}/a/b`,
  `/api/v0/pin/add?arg=${cid}&arg=/ipfs/${cid}`,
  `/api/v0//pin/%61dd/../rm/${cid}`,
  `http://host:9095/api/v0/pin/ls?type=all`,
];
const route = createRouter(routes);

const form = [
  '--b\r\nContent-Disposition: form-data; name="file"; filename="a%2Fb"\r\nContent-Type: application/octet-stream\r\nAbspath: /x\r\n\r\nhello\r\n',
  '--b\r\nContent-Disposition: form-data; name="file"; filename="d"\r\nContent-Type: application/x-directory\r\n\r\n\r\n',
  "--b\r\nContent-Disposition: form-data; name=file; filename*=UTF-8''%e2%82%ac\r\n\r\n\r\n",
  '--b--\r\n',
];

/** A request of which only headers and body count. */
function requestOf(headers: Record<string, string>, body: Uint8Array): IncomingMessage {
  // `readUpload` asks for nothing else of a request.
  return Object.assign(Readable.from(cut(body)), { headers, complete: true }) as unknown as IncomingMessage;
}

async function readForm(contentType: string, body: Uint8Array): Promise<unknown> {
  const refusal = uploadRefusal(contentType);
  if (refusal !== undefined) return refusal;
  const request = requestOf({ 'content-type': contentType }, body);
  const parts: unknown[] = [];
  for await (const { path, type, absPath, content } of readUpload(request))
    parts.push([path, type, absPath, await drain(content)]);
  return parts;
}

const authenticator = new Authenticator(
  { full: { user: 'password', other: 'word' }, readOnly: {} },
  { now: () => now, isRevoked: () => false },
);
const token = authenticator.issue('user', { expiresIn: 3600, isReadOnly: true });

const post = (target: string, headers: readonly string[], body = ''): string =>
  `${[`POST ${target} HTTP/1.1`, 'Host: x', ...headers].join('\r\n')}\r\n\r\n${body}`;
const upload = form.join('');
const requests = [
  post(`/api/v0/pin/add?arg=${cid}&name=a`, ['Content-Length: 0']),
  post(`/api/v0/pin/update?arg=${cid}&arg=${cid}`, ['Content-Length: 0']),
  post('/api/v0/pin/ls?stream=true&names=true', ['Origin: http://a.example', 'Content-Length: 0']),
  post('/api/v0/pin/rm', ['Content-Type: multipart/form-data; boundary=b', `Content-Length: ${upload.length}`], upload),
  post(
    '/api/v0/block/put?pin=true',
    ['Content-Type: multipart/form-data; boundary=b', 'Transfer-Encoding: chunked'],
    '5\r\nhello\r\n0\r\n\r\n',
  ),
  post('/api/v0/version', ['Connection: keep-alive', 'X-Forwarded-For: 1.2.3.4', 'Content-Length: 5'], 'hello'),
  `GET /pins/${cid}?local=true HTTP/1.1\r\nHost: x\r\nAuthorization: Basic dXNlcjpwYXNzd29yZA==\r\n\r\n`,
  'GET /allocations?filter=pin,meta-pin HTTP/1.1\r\nHost: x\r\nOrigin: http://a.example\r\n\r\n',
  'OPTIONS /id HTTP/1.1\r\nHost: x\r\nOrigin: http://a\r\nAccess-Control-Request-Method: GET\r\n\r\n',
  post('/peers', ['Content-Type: application/json', 'Content-Length: 14'], '{"peer_id":""}'),
  post('/token', ['Authorization: Basic dXNlcjpwYXNzd29yZA==', 'Content-Length: 0']),
];

const answerBytesMax = 4 * 1024 * 1024;
const answerLimitMs = 10_000;

/** Sends the input as it is and closes. Whatever it was, the server ends the connection, and lives. */
async function exchange(port: number, input: Uint8Array): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.setTimeout(answerLimitMs, () =>
    socket.destroy(new RangeError(`no end of the answer after ${answerLimitMs} ms`)),
  );
  let answer = '';
  try {
    await once(socket, 'connect');
    for (const piece of cut(input)) socket.write(piece);
    socket.end();
    for await (const piece of socket) {
      answer += String(piece);
      if (answer.length > answerBytesMax) throw new RangeError(`an answer of more than ${answerBytesMax} letters`);
    }
  } catch (error) {
    // It may be closed while more is sent.
    if (errorCode(error) !== 'ECONNRESET' && errorCode(error) !== 'EPIPE') throw error;
  } finally {
    socket.destroy();
  }
  assert.match(answer, /^(HTTP\/1\.1 \d{3} [\s\S]*)?$/);
  return answer.slice(0, 1000);
}

interface Running {
  readonly port: number;
  close(): Promise<void>;
}

const portOf = (address: string): number => {
  const parsed = parseSocketAddress(address);
  return 'port' in parsed ? parsed.port : 0;
};

/** Nothing behind it: every call of the cluster is refused. */
const noCluster = new Proxy(
  {},
  {
    get: (_target, name) =>
      name === 'self'
        ? 'self'
        : () => {
            throw new OperatingError('test/none', `there is no cluster to ask for ${String(name)}`);
          },
  },
);

/** Blocks go nowhere. */
async function drainBlocks(blocks: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of blocks);
}

async function startProxy(): Promise<Running> {
  const node = createServer((request, response) => request.resume().on('end', () => response.end('{}\n')));
  node.listen(0, '127.0.0.1');
  await once(node, 'listening');
  const address = node.address();
  assert.ok(address !== null && typeof address === 'object');
  const initial = initialService({ hostname: '', secret: '' }).ipfsproxy;
  assert.ok(initial !== undefined);
  const proxy = await bindProxy({
    ...initial,
    listenMultiaddress: ['/ip4/127.0.0.1/tcp/0'],
    nodeMultiaddress: `/ip4/127.0.0.1/tcp/${address.port}`,
  });
  proxy.serve({ cluster: new PinsetStandIn({ blockStream: drainBlocks }), log: silentLogger });
  return {
    port: portOf(proxy.addresses()[0] ?? ''),
    close: async () => {
      await proxy.close();
      node.closeAllConnections();
      node.close();
    },
  };
}

async function startRest(): Promise<Running> {
  const initial = initialService({ hostname: '', secret: '' }).restapi;
  assert.ok(initial !== undefined);
  const server = await bindRestApi({
    listen: ['/ip4/127.0.0.1/tcp/0'],
    limits: initial,
    credentials: { full: { user: 'password' }, readOnly: { reader: 'word' } },
    headers: {},
    cors: {
      allowedOrigins: ['http://a.example'],
      allowedMethods: ['GET'],
      allowedHeaders: [],
      exposedHeaders: [],
      allowCredentials: true,
      maxAgeSeconds: 0,
    },
  });
  server.serve({ cluster: noCluster, log: silentLogger, now: () => now } as unknown as RestDeps);
  return { port: portOf(server.addresses()[0] ?? ''), close: server.close };
}

/** A server that is started by the first input, and closed when all is over. */
function server(start: () => Promise<Running>): Pick<FuzzTarget, 'parse' | 'close'> {
  let running: Promise<Running> | undefined;
  return {
    parse: async (input) => {
      running ??= start();
      return await exchange((await running).port, input);
    },
    close: async () => {
      await (await running)?.close();
      running = undefined;
    },
  };
}

/** Targets of HTTP. */
export const httpTargets: readonly FuzzTarget[] = [
  {
    name: 'http-target',
    form: 'text',
    seeds: texts(targets),
    words: ['/', '//', '%2f', '%', '..', '?', '#', '*', 'http://', '\\'],
    parse: (input) => {
      const text = utf8(input);
      const target = parseTarget(text);
      const redirect = target && redirectOf(target);
      if (redirect !== undefined) assert.ok(!redirect.location.startsWith('//'), redirect.location);
      return [target, redirect, target && route('GET', target.path).status, parseProxyTarget(text)];
    },
  },
  {
    name: 'proxy-path',
    form: 'text',
    seeds: texts([cid, `/ipfs/${cid}/a`, `/ipns/example.org`, `ipfs/${cid}`, `${cid}/a/b`]),
    words: ['/ipfs/', '/', '.', '..'],
    parse: (input) => checkPath(utf8(input)).text,
  },
  {
    name: 'kubo-query',
    form: 'text',
    seeds: texts([`arg=${cid}&recursive=false&timeout=1s`, 'arg=a&arg=b&count=5', 'stream', 'a=%zz']),
    words: ['true', 'false', '&', '=', '%'],
    parse: (input) => {
      const query = new Query(utf8(input));
      return [
        query.args,
        query.has('a'),
        query.text('timeout', ''),
        query.boolean('recursive', true),
        query.integer('count', 0),
      ];
    },
  },
  {
    name: 'multipart',
    form: 'text',
    seeds: () => [bytesOf(upload), bytesOf(form.slice(1).join('')), bytesOf(`preamble\r\n${upload}epilogue`)],
    words: [
      '--b',
      '--b--',
      '\r\n',
      '\r\n\r\n',
      'filename=',
      'Content-Type: ',
      'Content-Disposition: ',
      '"',
      ';',
      "UTF-8''",
    ],
    parse: (input) => readForm('multipart/form-data; boundary=b', input),
  },
  {
    name: 'content-type',
    form: 'text',
    seeds: texts([
      'multipart/form-data; boundary=b',
      'multipart/form-data; boundary="a\\"b"; charset=utf-8',
      "multipart/mixed; boundary*=UTF-8''b",
    ]),
    words: [';', '=', '"', '\\', 'boundary', '*'],
    parse: (input) => readForm(utf8(input), bytesOf(upload)),
  },
  {
    name: 'authorization',
    form: 'text',
    seeds: texts(['Basic dXNlcjpwYXNzd29yZA==', `Bearer ${token}`]),
    words: ['Basic ', 'Bearer ', '.', '=', 'eyJ'],
    parse: (input) => {
      const result = authenticator.check(utf8(input));
      return result.isAllowed;
    },
  },
  {
    name: 'pinning-query',
    form: 'text',
    seeds: texts([
      `cid=${cid},${cid}&name=a&match=iexact&status=queued,pinned&before=2020-07-27T17:32:28Z&after=2020-01-01T00:00:00.1Z&limit=10`,
      'meta=%7B%22a%22%3A%22b%22%7D&limit=1000',
    ]),
    words: ['&', ',', 'meta={', 'limit=', 'cid=', 'status='],
    parse: (input) => {
      const { cids, ...query } = parseListQuery(parseQuery(utf8(input))) as unknown as Record<string, unknown>;
      return [String(cids), query];
    },
  },
  {
    name: 'pinning-body',
    form: 'json',
    seeds: texts([
      `{"cid":"${cid}","name":"a","origins":["/ip4/1.2.3.4/tcp/4001/p2p/12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"],"meta":{"a":"b"}}`,
    ]),
    parse: (input) => {
      const { cid: given, ...rest } = parsePinBody(utf8(input)) as unknown as Record<string, unknown>;
      return [String(given), rest];
    },
  },
  {
    name: 'http-proxy',
    form: 'text',
    seeds: texts(requests),
    words: ['\r\n', ': ', 'Content-Length', 'chunked'],
    ...server(startProxy),
  },
  {
    name: 'http-rest',
    form: 'text',
    seeds: texts(requests),
    words: ['\r\n', ': ', 'Content-Length', 'chunked'],
    ...server(startRest),
  },
];
