/** Requests as they go over the wire, ordinary ones and those that clients should not send, and what becomes of them. */
import { once } from 'node:events';
import { connect } from 'node:net';

/** A request, or several; asked of the REST API of a peer that lets everybody in. */
export interface HttpForm {
  readonly name: string;
  /** Latin-1. */
  readonly request: string;
  /** Sent when the first answer has come. */
  readonly later?: string;
  /** Status codes of the answers, in order; that of `probe` is the last one where the connection was kept. */
  readonly ours: string;
  /** Those of the Go peer, where they are others, and why that is so. */
  readonly go?: { readonly answers: string; readonly why: string };
}

const host = 'Host: x\r\n';
const get = (target: string, more = ''): string => `GET ${target} HTTP/1.1\r\n${host}${more}\r\n`;
const post = (headers: string, body: string): string => `POST /peers HTTP/1.1\r\n${host}${headers}\r\n\r\n${body}`;
const chunked = 'Transfer-Encoding: chunked';

/** Follows every form: answered with 204 by whoever still listens. */
const probe = get('/health', 'Connection: close\r\n');

const strict = 'two readers may find its end in different places, so that it is refused';
const notKept = 'no connection is kept after an upload, refused or not';
const parser = 'refused by the parser, with 400 and the end of the connection';

/** What it takes to tell one server from another. */
export const httpForms: readonly HttpForm[] = [
  {
    name: 'CL and TE',
    request: post('Content-Length: 5\r\nTransfer-Encoding: chunked', '0\r\n\r\n'),
    ours: '400',
    go: { answers: '400 204', why: strict },
  },
  {
    name: 'TE and CL, smuggled',
    request:
      'POST /peers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nGET /id HTTP/1.1\r\nHost: x\r\n\r\n',
    ours: '400',
    go: { answers: '400 200 204', why: strict },
  },
  {
    name: 'two equal CL',
    request: post('Content-Length: 2\r\nContent-Length: 2', '{}'),
    ours: '400',
    go: { answers: '400 204', why: strict },
  },
  {
    name: 'two unequal CL',
    request: post('Content-Length: 2\r\nContent-Length: 3', '{}}'),
    ours: '400',
  },
  { name: 'CL list equal', request: post('Content-Length: 2, 2', '{}'), ours: '400' },
  { name: 'CL +', request: post('Content-Length: +2', '{}'), ours: '400' },
  { name: 'CL negative', request: post('Content-Length: -1', ''), ours: '400' },
  { name: 'CL hex', request: post('Content-Length: 0x2', '{}'), ours: '400' },
  { name: 'CL empty', request: post('Content-Length: ', ''), ours: '400' },
  { name: 'CL huge', request: post('Content-Length: 99999999999999999999', ''), ours: '400' },
  { name: 'TE xchunked', request: post('Transfer-Encoding: xchunked', '0\r\n\r\n'), ours: '501' },
  {
    name: 'TE chunked, identity',
    request: post('Transfer-Encoding: chunked, identity', '0\r\n\r\n'),
    ours: '400',
    go: { answers: '501', why: parser },
  },
  {
    name: 'TE identity, chunked',
    request: post('Transfer-Encoding: identity, chunked', '0\r\n\r\n'),
    ours: '501',
  },
  {
    name: 'TE gzip, chunked',
    request: post('Transfer-Encoding: gzip, chunked', '0\r\n\r\n'),
    ours: '501',
  },
  {
    name: 'TE twice',
    request: post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', '0\r\n\r\n'),
    ours: '400',
    go: { answers: '501', why: parser },
  },
  {
    name: 'TE Chunked upper',
    request: post('Transfer-Encoding: CHUNKED', '2\r\n{}\r\n0\r\n\r\n'),
    ours: '400 204',
  },
  { name: 'TE space colon', request: post('Transfer-Encoding : chunked', '0\r\n\r\n'), ours: '400' },
  { name: 'TE tab', request: post('Transfer-Encoding:\x09chunked', '0\r\n\r\n'), ours: '400 204' },
  {
    name: 'TE in 1.0',
    request: 'POST /peers HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ours: '400',
  },
  {
    name: 'obs-fold',
    request: get('/version', 'X-A: a\r\n b\r\n'),
    ours: '400',
    go: { answers: '200 204', why: strict },
  },
  {
    name: 'obs-fold TE',
    request: post('Transfer-Encoding:\r\n chunked', '0\r\n\r\n'),
    ours: '400',
    go: { answers: '400 204', why: strict },
  },
  {
    name: 'first header folded',
    request: 'GET /version HTTP/1.1\r\n X-A: a\r\nHost: x\r\n\r\n',
    ours: '400',
  },
  {
    name: 'bare LF',
    request: 'GET /version HTTP/1.1\nHost: x\n\n',
    ours: '400',
    go: { answers: '200 204', why: strict },
  },
  {
    name: 'bare CR in value',
    request: 'GET /version HTTP/1.1\r\nHost: x\r\nX-A: a\rb\r\n\r\n',
    ours: '400',
  },
  { name: 'NUL in value', request: get('/version', 'X-A: a\0b\r\n'), ours: '400' },
  { name: 'NUL in target', request: get('/ver\0sion'), ours: '400' },
  { name: 'header without colon', request: get('/version', 'X-A\r\n'), ours: '400' },
  { name: 'empty header name', request: get('/version', ': a\r\n'), ours: '400' },
  { name: 'space in header name', request: get('/version', 'X A: a\r\n'), ours: '400' },
  { name: 'two hosts', request: get('/version', 'Host: y\r\n'), ours: '400' },
  { name: 'no host', request: 'GET /version HTTP/1.1\r\n\r\n', ours: '400' },
  { name: 'bad host', request: 'GET /version HTTP/1.1\r\nHost: a b\r\n\r\n', ours: '400' },
  { name: 'empty host', request: 'GET /version HTTP/1.1\r\nHost:\r\n\r\n', ours: '200 204' },
  { name: 'chunk ext', request: post(chunked, '2;a=b\r\n{}\r\n0\r\n\r\n'), ours: '400 204' },
  {
    name: 'chunk ext huge',
    request: `POST /peers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2;${'a'.repeat(100000)}\r\n{}\r\n0\r\n\r\n`,
    ours: '400',
  },
  {
    name: 'chunk ext many',
    request: post(chunked, `${`1;${'a'.repeat(1000)}\r\n{\r\n`.repeat(100)}0\r\n\r\n`),
    ours: '400 204',
    go: { answers: '400', why: 'extensions of chunks are bounded one by one' },
  },
  {
    name: 'chunk size huge',
    request: post(chunked, 'ffffffffffffffffff\r\n{}\r\n0\r\n\r\n'),
    ours: '400',
  },
  { name: 'chunk size negative', request: post(chunked, '-2\r\n{}\r\n0\r\n\r\n'), ours: '400' },
  { name: 'chunk size 0x2', request: post(chunked, '0x2\r\n{}\r\n0\r\n\r\n'), ours: '400' },
  { name: 'chunk LF', request: post(chunked, '2\n{}\n0\n\n'), ours: '400' },
  { name: 'chunk too long', request: post(chunked, '2\r\n{}}\r\n0\r\n\r\n'), ours: '400' },
  {
    name: 'chunk trailer',
    request: post('Transfer-Encoding: chunked\r\nTrailer: X-T', '2\r\n{}\r\n0\r\nX-T: 1\r\n\r\n'),
    ours: '400 204',
  },
  {
    name: 'trailer huge',
    request: `POST /peers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-T: ${'a'.repeat(100000)}\r\n\r\n`,
    ours: '431',
    go: { answers: '400', why: 'told by the status for headers that are too long' },
  },
  {
    name: 'pipelined',
    request:
      'GET /version HTTP/1.1\r\nHost: x\r\n\r\nGET /nope HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    ours: '200 404 204',
  },
  {
    name: 'pipelined after POST',
    request: 'POST /peers HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}GET /version HTTP/1.1\r\nHost: x\r\n\r\n',
    ours: '400 200 204',
  },
  {
    name: 'CRLF before',
    request: '\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\n\r\n',
    ours: '200 204',
    go: { answers: '400', why: 'empty lines before a request are skipped, as RFC 9112 2.2 asks for' },
  },
  { name: 'HEAD version', request: 'HEAD /version HTTP/1.1\r\nHost: x\r\n\r\n', ours: '405 204' },
  { name: 'HEAD nope', request: 'HEAD /nope HTTP/1.1\r\nHost: x\r\n\r\n', ours: '404 204' },
  {
    name: 'HEAD then GET',
    request: 'HEAD /version HTTP/1.1\r\nHost: x\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\n\r\n',
    ours: '405 200 204',
  },
  {
    name: '100-continue GET',
    request: get('/version', 'Expect: 100-continue\r\n'),
    ours: '200',
    go: { answers: '200 204', why: 'Node ends a connection on which an expectation has not been met' },
  },
  {
    name: '100-continue POST body late',
    request: post('Expect: 100-continue\r\nContent-Length: 2', ''),
    later: '{}',
    ours: '100 400 204',
  },
  {
    name: '100-continue 404',
    request: 'POST /nope HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n',
    ours: '404',
  },
  { name: 'Expect other', request: post('Expect: 200-ok\r\nContent-Length: 2', '{}'), ours: '417' },
  { name: 'Accept-Encoding', request: get('/version', 'Accept-Encoding: gzip, br\r\n'), ours: '200 204' },
  { name: 'Accept', request: get('/version', 'Accept: text/html\r\n'), ours: '200 204' },
  { name: 'Range', request: get('/version', 'Range: bytes=0-3\r\n'), ours: '200 204' },
  { name: 'If-None-Match', request: get('/version', 'If-None-Match: *\r\n'), ours: '200 204' },
  { name: 'HTTP/1.0', request: 'GET /version HTTP/1.0\r\n\r\n', ours: '200' },
  {
    name: 'HTTP/1.0 keep-alive',
    request: 'GET /version HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /version HTTP/1.0\r\n\r\n',
    ours: '200',
    go: { answers: '200 200', why: 'connections of HTTP/1.0 are not kept' },
  },
  { name: 'HTTP/1.0 stream', request: 'GET /peers HTTP/1.0\r\n\r\n', ours: '200' },
  { name: 'HTTP/0.9', request: 'GET /version\r\n\r\n', ours: '400' },
  {
    name: 'HTTP/1.2',
    request: 'GET /version HTTP/1.2\r\nHost: x\r\n\r\n',
    ours: '400',
    go: { answers: '200 204', why: parser },
  },
  { name: 'HTTP/2.0', request: 'GET /version HTTP/2.0\r\nHost: x\r\n\r\n', ours: '505' },
  {
    name: 'HTTP/3.0',
    request: 'GET /version HTTP/3.0\r\nHost: x\r\n\r\n',
    ours: '400',
    go: { answers: '505', why: parser },
  },
  { name: 'HTTP/11.1', request: 'GET /version HTTP/11.1\r\nHost: x\r\n\r\n', ours: '400' },
  { name: 'http/1.1', request: 'GET /version http/1.1\r\nHost: x\r\n\r\n', ours: '400' },
  {
    name: 'h2 preface',
    request: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    ours: '400',
    go: { answers: '301', why: parser },
  },
  {
    name: 'h2c upgrade',
    request: get('/version', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n'),
    ours: '200',
    go: { answers: '200 204', why: 'a connection on which another protocol was wanted is not kept' },
  },
  {
    name: 'websocket upgrade',
    request: get('/version', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'),
    ours: '200',
    go: { answers: '200 204', why: 'a connection on which another protocol was wanted is not kept' },
  },
  {
    name: 'CONNECT',
    request: 'CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n',
    ours: '405',
    go: { answers: '301 204', why: 'no path is looked for in the address of a tunnel' },
  },
  {
    name: 'CONNECT path',
    request: 'CONNECT /version HTTP/1.1\r\nHost: x\r\n\r\n',
    ours: '405',
    go: { answers: '405 204', why: 'nothing can follow on the connection' },
  },
  { name: 'TRACE', request: 'TRACE /version HTTP/1.1\r\nHost: x\r\n\r\n', ours: '405 204' },
  { name: 'PATCH', request: 'PATCH /version HTTP/1.1\r\nHost: x\r\n\r\n', ours: '405 204' },
  {
    name: 'unknown method',
    request: 'FOO /version HTTP/1.1\r\nHost: x\r\n\r\n',
    ours: '400',
    go: { answers: '405 204', why: parser },
  },
  {
    name: 'lower method',
    request: 'get /version HTTP/1.1\r\nHost: x\r\n\r\n',
    ours: '400',
    go: { answers: '405 204', why: parser },
  },
  { name: 'bad method', request: 'G(T /version HTTP/1.1\r\nHost: x\r\n\r\n', ours: '400' },
  { name: 'PROPFIND', request: 'PROPFIND /version HTTP/1.1\r\nHost: x\r\n\r\n', ours: '405 204' },
  { name: 'absolute', request: get('http://other.example/version'), ours: '200 204' },
  { name: 'absolute https', request: get('https://other.example/version'), ours: '200 204' },
  {
    name: 'absolute no path',
    request: get('http://other.example'),
    ours: '307 204',
    go: { answers: '301 204', why: 'an empty path is the root' },
  },
  { name: 'absolute userinfo', request: get('http://u:p@other.example/version'), ours: '200 204' },
  {
    name: 'absolute bad port',
    request: get('http://other.example:xx/version'),
    ours: '200 204',
    go: { answers: '400', why: 'the authority of a target is not looked at' },
  },
  {
    name: 'authority',
    request: get('other.example:80'),
    ours: '400',
    go: { answers: '301 204', why: 'an authority is no path' },
  },
  { name: 'relative', request: get('version'), ours: '400' },
  {
    name: 'star',
    request: 'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n',
    ours: '404 204',
    go: { answers: '200 204', why: 'there is nothing called *' },
  },
  {
    name: 'star GET',
    request: get('*'),
    ours: '404 204',
    go: { answers: '301 204', why: 'there is nothing called *' },
  },
  { name: 'space in target', request: 'GET /ver sion HTTP/1.1\r\nHost: x\r\n\r\n', ours: '400' },
  {
    name: 'double space',
    request: 'GET  /version HTTP/1.1\r\nHost: x\r\n\r\n',
    ours: '200 204',
    go: { answers: '400', why: 'spaces before the target are skipped' },
  },
  { name: 'fragment', request: get('/version#a'), ours: '404 204' },
  {
    name: 'utf8 target',
    request: get('/versi\xf6n'),
    ours: '400',
    go: { answers: '404 204', why: parser },
  },
  { name: 'backslash', request: get('\\version'), ours: '400' },
  { name: 'percent path', request: get('/%76ersion'), ours: '200 204' },
  {
    name: 'percent slash',
    request: get('/pins%2Fbafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy'),
    ours: '200 204',
  },
  {
    name: 'percent in cid',
    request: get('/allocations/%62afkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy'),
    ours: '404 204',
  },
  { name: 'percent 00', request: get('/version%00'), ours: '404 204' },
  { name: 'percent bad', request: get('/version%zz'), ours: '400' },
  { name: 'percent cut', request: get('/version%'), ours: '400' },
  { name: 'percent dots', request: get('/x/%2e%2e/version'), ours: '301 204' },
  { name: 'query bad escape', request: get('/version?a=%zz'), ours: '200 204' },
  { name: 'query empty', request: get('/version?'), ours: '200 204' },
  { name: 'query raw space', request: 'GET /version?a=b c HTTP/1.1\r\nHost: x\r\n\r\n', ours: '400' },
  { name: 'long target', request: `GET /${'a'.repeat(8000)} HTTP/1.1\r\nHost: x\r\n\r\n`, ours: '404 204' },
  {
    name: 'long header',
    request: `GET /version HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(20000)}\r\n\r\n`,
    ours: '431',
  },
  {
    name: 'many headers',
    request: get('/version', Array.from({ length: 2000 }, (_, i) => `X-${i}: a\r\n`).join('')),
    ours: '431',
  },
  {
    name: 'empty line only',
    request: '\r\n',
    ours: '204',
    go: { answers: '400', why: 'empty lines before a request are skipped, as RFC 9112 2.2 asks for' },
  },
  {
    name: 'body on GET',
    request:
      'GET /version HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET /version HTTP/1.1\r\nHost: x\r\n\r\n',
    ours: '200 200 204',
  },
  {
    name: 'body short then close',
    request: post('Content-Length: 10', '{}'),
    ours: '400',
    go: {
      answers: '400 400',
      why: 'the probe is the rest of the body, and what is left of it no request',
    },
  },
  {
    name: 'DELETE with body',
    request:
      'DELETE /peers/foo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}GET /version HTTP/1.1\r\nHost: x\r\n\r\n',
    ours: '400 200 204',
  },
  { name: 'POST no length', request: 'POST /peers HTTP/1.1\r\nHost: x\r\n\r\n', ours: '400 204' },
  {
    name: 'Connection close caps',
    request: get('/version', 'Connection: CLOSE\r\n'),
    ours: '200',
  },
  { name: 'TE trailers', request: get('/peers', 'TE: trailers\r\n'), ours: '200 204' },
  {
    name: 'method override',
    request: 'POST /version HTTP/1.1\r\nHost: x\r\nX-HTTP-Method-Override: GET\r\nContent-Length: 0\r\n\r\n',
    ours: '404 204',
  },
  {
    name: 'bad content-type',
    request:
      'POST /add HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=\r\nContent-Length: 0\r\n\r\n',
    ours: '400',
    go: { answers: '400 204', why: notKept },
  },
  {
    name: 'no content-type add',
    request: 'POST /add HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n',
    ours: '400',
    go: { answers: '400 204', why: notKept },
  },
  {
    name: 'add urlencoded',
    request:
      'POST /add HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b',
    ours: '400',
    go: { answers: '400 204', why: notKept },
  },
  {
    name: 'X-Forwarded',
    request: get('/version', 'X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nForwarded: for=a\r\n'),
    ours: '200 204',
  },
];

/** Asks, and reads until the other side ends the connection. @returns the status codes of the answers, with blanks between. */
export async function answersTo({ request, later }: HttpForm, base: string): Promise<string> {
  const socket = connect(Number(new URL(base).port), '127.0.0.1');
  let text = '';
  socket.on('data', (bytes: Buffer) => {
    if (text === '' && later !== undefined) socket.write(later + probe, 'latin1');
    text += bytes.toString('latin1');
  });
  // A server that has said all may reset the connection over what it has not read.
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await once(socket, 'connect');
  socket.write(later === undefined ? request + probe : request, 'latin1');
  await closed;
  return Array.from(text.matchAll(/HTTP\/1\.[01] (\d+)/g), ([, status]) => status).join(' ');
}
