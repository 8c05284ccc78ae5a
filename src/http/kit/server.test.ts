/** Sockets, limits, and clients that misbehave. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, lstat, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import { createCertificate } from '../../../test/support/certificate.ts';
import {
  type BoundServer,
  bindServer,
  type HttpLimits,
  type RequestHandler,
  sendLines,
  type TlsFiles,
} from './index.ts';

const limits: HttpLimits = {
  readTimeoutMs: 0,
  readHeaderTimeoutMs: 5_000,
  writeTimeoutMs: 0,
  idleTimeoutMs: 120_000,
  maxHeaderBytes: 4_096,
};

const anywhere = '/ip4/127.0.0.1/tcp/0';
const hello: RequestHandler = (request, response) => response.end(`hello ${request.url}`);

interface Served {
  readonly server: BoundServer;
  readonly ports: readonly number[];
}

interface Options {
  readonly listen?: readonly string[];
  readonly limits?: Partial<HttpLimits>;
  readonly tls?: TlsFiles;
}

/** Serves while `act` runs. */
async function serving(
  options: Options,
  handler: RequestHandler,
  act: (served: Served) => Promise<void>,
): Promise<void> {
  const server = await bindServer({
    listen: options.listen ?? [anywhere],
    limits: { ...limits, ...options.limits },
    ...(options.tls === undefined ? {} : { tls: options.tls }),
  });
  server.serve(handler);
  try {
    await act({ server, ports: server.addresses().map((address) => Number(/tcp\/(\d+)/.exec(address)?.[1] ?? 0)) });
  } finally {
    await server.close();
  }
}

/** What comes until the other side closes. */
async function answerOf(socket: Duplex, request: string): Promise<string> {
  socket.write(request);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => {});
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}

function dial(port: number | undefined): Socket {
  return connect({ port: port ?? 0, host: '127.0.0.1' });
}

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
const last = 'Connection: close\r\n';

/** Both ends of a connection that is no socket. */
function pair(): [Duplex, Duplex] {
  const ends: Duplex[] = [];
  for (const other of [1, 0]) {
    ends.push(
      new Duplex({
        allowHalfOpen: false,
        read() {},
        write(chunk, _, done) {
          ends[other]?.push(chunk);
          done();
        },
        final(done) {
          ends[other]?.push(null);
          done();
        },
        destroy(error, done) {
          ends[other]?.push(null);
          done(error);
        },
      }),
    );
  }
  const [near, far] = ends;
  assert.ok(near !== undefined && far !== undefined);
  return [near, far];
}

describe('bindServer', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-http-'));
  });
  after(() => rm(folder, { recursive: true }));

  it('serves on all its addresses', async () => {
    const path = join(folder, 'all.sock');
    await serving({ listen: [anywhere, anywhere, `/unix${path}`, anywhere] }, hello, async ({ ports }) => {
      for (const port of [ports[0], ports[1], ports[3]]) {
        assert.match(await answerOf(dial(port), get('/a', last)), /^HTTP\/1\.1 200 OK\r\n.*hello \/a$/s);
      }
      assert.match(await answerOf(connect({ path }), get('/b', last)), /hello \/b$/);
    });
    await assert.rejects(lstat(path), { code: 'ENOENT' });
  });

  it('takes the place of a socket that is left over, keeps strangers from it, and leaves other files alone', async () => {
    const path = join(folder, 'left.sock');
    const left = createServer().listen(path);
    await once(left, 'listening');
    await chmod(path, 0o777);
    await assert.rejects(
      serving({ listen: [`/unix${path}`] }, hello, async () => {}),
      { code: 'http/listen' },
    );
    await once(left.close(), 'close');
    // Node removes the socket when it closes; one of a process that was killed is like this file of nobody.
    const dead = join(folder, 'dead.sock');
    const { execFileSync } = await import('node:child_process');
    const script = `require('net').createServer().listen(${JSON.stringify(dead)}, () => process.kill(process.pid, 'SIGKILL'))`;
    assert.throws(() => execFileSync(process.execPath, ['-e', script]), { signal: 'SIGKILL' });
    assert.ok((await lstat(dead)).isSocket());
    await serving({ listen: [`/unix${dead}`] }, hello, async () => {
      assert.match(await answerOf(connect({ path: dead }), get('/', last)), /hello/);
      assert.equal((await lstat(dead)).mode & 0o007, 0);
    });
    const file = join(folder, 'file');
    await writeFile(file, 'kept');
    await assert.rejects(
      serving({ listen: [`/unix${file}`] }, hello, async () => {}),
      { code: 'http/listen' },
    );
    assert.ok((await lstat(file)).isFile());
  });

  it('keeps a connection for the next request, and answers clients of HTTP/1.0 with what they know', async () => {
    const list: RequestHandler = (_, response) => {
      const lines = (async function* () {
        yield '1';
        yield '2';
      })();
      void sendLines({ response, lines, headers: {}, failed: () => ({ status: 500, body: '' }) });
    };
    await serving({}, list, async ({ ports: [port] }) => {
      const two = await answerOf(dial(port), get('/') + get('/', last));
      assert.equal(two.match(/HTTP\/1\.1 200 OK/g)?.length, 2);
      assert.equal(two.match(/X-Stream-Error: \r\n\r\n/g)?.length, 2);
      const old = await answerOf(dial(port), 'GET / HTTP/1.0\r\n\r\n');
      assert.match(old, /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\n1\n2\n$/s);
      assert.doesNotMatch(old, /transfer-encoding|trailer|stream-error/i);
    });
  });

  it('refuses what is no request, is too long, or has no host, as recorded', async () => {
    await serving({}, hello, async ({ ports: [port] }) => {
      const ask = (text: string): Promise<string> => answerOf(dial(port), text);
      assert.match(await ask('no request\r\n\r\n'), /^HTTP\/1\.1 400 Bad Request\r\n.*\r\n\r\n400 Bad Request$/s);
      const long = '431 Request Header Fields Too Large';
      const tooLong = await ask(get('/', `X: ${'x'.repeat(9000)}\r\n`));
      assert.ok(tooLong.startsWith(`HTTP/1.1 ${long}\r\nContent-Type: text/plain; charset=utf-8\r\n`), tooLong);
      assert.ok(tooLong.endsWith(`\r\n\r\n${long}`));
      assert.match(await ask(get('/', `X: ${'x'.repeat(7000)}\r\n${last}`)), /^HTTP\/1\.1 200 /);
      const hostless = '400 Bad Request: missing required Host header';
      const answer = await ask('GET / HTTP/1.1\r\n\r\n');
      assert.ok(answer.startsWith(`HTTP/1.1 ${hostless}\r\nContent-Type: text/plain; charset=utf-8\r\n`), answer);
      assert.ok(answer.endsWith(`\r\n\r\n${hostless}`));
      // Two ideas of where a request ends: the smuggler's.
      const both = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
      assert.match(await ask(both), /^HTTP\/1\.1 400 /);
    });
  });

  it('refuses what two readers would understand differently', async () => {
    await serving({}, hello, async ({ ports: [port] }) => {
      const cases: readonly (readonly [request: string, answer: string])[] = [
        ['GET / HTTP/1.1\r\nHost: x\r\nhOST: y\r\n\r\n', '400 Bad Request'],
        ['GET / HTTP/1.1\r\nHost: a b\r\n\r\n', '400 Bad Request: malformed Host header'],
        ['GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', '400 Bad Request: malformed Host header'],
        ['GET /\r\n\r\n', '400 Bad Request'],
        [get('/').replace('HTTP/1.1', 'HTTP/2.0'), '505 HTTP Version Not Supported: unsupported protocol version'],
        ...['gzip, chunked', 'identity, chunked', 'chunked, chunked'].map(
          (encoding) =>
            [
              `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: ${encoding}\r\n\r\n0\r\n\r\n`,
              encoding.startsWith('chunked') ? '400 Bad Request' : '501 Not Implemented',
            ] as const,
        ),
      ];
      for (const [request, status] of cases) {
        const answer = await answerOf(dial(port), request);
        assert.ok(answer.startsWith(`HTTP/1.1 ${status}\r\n`), `${request}: ${answer}`);
        assert.match(answer, /\r\nConnection: close\r\n/);
      }
    });
  });

  it('does nothing that comes behind an answer that ends the connection', async () => {
    const asked: (string | undefined)[] = [];
    const noting: RequestHandler = (request, response) => {
      asked.push(request.url);
      response.end();
    };
    await serving({}, noting, async ({ ports: [port] }) => {
      const more = get('/behind') + get('/behind');
      for (const first of [
        get('/', last),
        get('/', `Content-Length: 0\r\n${last}`),
        get('/', 'Transfer-Encoding: gzip, chunked\r\n').replace('GET', 'POST').concat('0\r\n\r\n'),
        get('/').replace('HTTP/1.1', 'HTTP/2.0'),
      ]) {
        const answers = await answerOf(dial(port), first + more);
        assert.equal(answers.match(/HTTP\/1\.1 /g)?.length, 1, answers);
      }
    });
    assert.deepEqual(asked, ['/', '/']);
  });

  it('answers what came before something that is no request', async () => {
    const slow: RequestHandler = (request, response) => {
      setImmediate(() => response.end(`hello ${request.url}`));
    };
    await serving({}, slow, async ({ ports: [port] }) => {
      const answers = await answerOf(dial(port), `${get('/one')}${get('/two')}no request\r\n\r\n`);
      assert.match(answers, /hello \/oneHTTP\/1\.1 200 OK.*hello \/two$/s);
      const broken = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n';
      const unread: RequestHandler = () => {};
      await serving({}, unread, async ({ ports: [other] }) => {
        assert.match(await answerOf(dial(other), broken), /^HTTP\/1\.1 400 /);
      });
    });
  });

  it('asks for a body that waits to be asked for when it is read, and closes when nobody reads it', async () => {
    const reader: RequestHandler = (request, response) => {
      if (request.url === '/none') response.end('unread');
      else void request.toArray().then((pieces) => response.end(`read ${Buffer.concat(pieces)}`));
    };
    await serving({}, reader, async ({ ports: [port] }) => {
      const waits = (path: string, length = 'Content-Length: 2\r\n'): string =>
        `POST ${path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n${length}\r\n`;
      const unread = await answerOf(dial(port), waits('/none'));
      assert.match(unread, /^HTTP\/1\.1 200 OK\r\n(?=.*\r\nConnection: close\r\n).*unread$/s);
      const socket = dial(port);
      socket.once('data', (first: Buffer) => {
        assert.equal(first.toString(), 'HTTP/1.1 100 Continue\r\n\r\n');
        socket.write(`ab${get('/', last)}`);
      });
      const both = await answerOf(socket, waits('/'));
      assert.match(both, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK.*read abHTTP\/1\.1 200 OK.*read $/s);
      assert.match(await answerOf(dial(port), waits('/', '')), /^HTTP\/1\.1 200 OK.*read $/s);
      const other = await answerOf(dial(port), waits('/').replace('100-continue', '200-ok'));
      assert.match(other, /^HTTP\/1\.1 417 Expectation Failed\r\n(?=.*Connection: close).*Content-Length: 0\r\n/s);
      const tunnel = await answerOf(dial(port), 'CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n');
      assert.match(tunnel, /^HTTP\/1\.1 405 Method Not Allowed\r\n/);
    });
  });

  it('closes without a word on headers that do not come, through sockets and other connections', async () => {
    await serving({ limits: { readHeaderTimeoutMs: 50 } }, hello, async ({ server, ports: [port] }) => {
      for (const beginning of ['', 'GET / HTTP/1.1\r\n', 'GET / HTTP/1.1\r\nHost: x\r\nX: ']) {
        assert.equal(await answerOf(dial(port), beginning), '');
        const [near, far] = pair();
        server.accept(far);
        assert.equal(await answerOf(near, beginning), '');
      }
    });
  });

  it('serves connections that are no sockets, one request after the other', async () => {
    await serving({ listen: [] }, hello, async ({ server }) => {
      const [near, far] = pair();
      server.accept(far);
      const answers = await answerOf(near, get('/one') + get('/two', last));
      assert.match(answers, /hello \/one.*hello \/two$/s);
    });
  });

  it('closes on an answer that takes too long, and on a body that does', async () => {
    await serving(
      { limits: { writeTimeoutMs: 50 } },
      () => {},
      async ({ ports: [port] }) => {
        assert.equal(await answerOf(dial(port), get('/')), '');
      },
    );
    const reading: RequestHandler = (request, response) => void request.resume().once('end', () => response.end());
    await serving({ limits: { readTimeoutMs: 50 } }, reading, async ({ ports: [port] }) => {
      const cut = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc';
      assert.equal(await answerOf(dial(port), cut), '');
    });
  });

  it('begins a request when the answer before has left, and closes on a client that sends no end of them', async () => {
    const begun: string[] = [];
    const firstBegun = Promise.withResolvers<() => void>();
    const handler: RequestHandler = (request, response) => {
      begun.push(request.url ?? '');
      if (begun.length === 1) firstBegun.resolve(() => response.end('slow'));
      else response.end(`next ${request.url}`);
    };
    await serving({}, handler, async ({ ports: [port] }) => {
      const answers = answerOf(dial(port), get('/1') + get('/2') + get('/3', last));
      const endFirst = await firstBegun.promise;
      assert.deepEqual(begun, ['/1']);
      endFirst();
      assert.match(await answers, /slow.*next \/2.*next \/3$/s);
      assert.deepEqual(begun, ['/1', '/2', '/3']);
    });
    let held = 0;
    await serving(
      {},
      () => held++,
      async ({ ports: [port] }) => {
        await answerOf(dial(port), get('/').repeat(2000));
        assert.equal(held, 1);
      },
    );
  });

  it('ends the work for a client that has gone', async () => {
    const ended = Promise.withResolvers<void>();
    const endless: RequestHandler = (_, response) => {
      const lines = (async function* () {
        try {
          for (;;) yield 'x'.repeat(1000);
        } finally {
          ended.resolve();
        }
      })();
      void sendLines({ response, lines, headers: {}, failed: () => ({ status: 500, body: '' }) });
    };
    await serving({}, endless, async ({ ports: [port] }) => {
      const socket = dial(port);
      socket.write(get('/'));
      await once(socket, 'data');
      socket.destroy();
      await ended.promise;
    });
  });

  it('lets the client of a body that nobody reads have its answer, whether the connection is kept or not', async () => {
    for (const connection of ['keep-alive', 'close']) {
      await serving(
        {},
        (_, response) => response.writeHead(403, { Connection: connection }).end('no'),
        async ({ ports: [port] }) => {
          const request = httpRequest({ port, method: 'POST', agent: false });
          request.write('x'.repeat(1_000_000));
          const [response] = (await once(request, 'response')) as [IncomingMessage];
          assert.equal(response.statusCode, 403);
          request.end('y'.repeat(1_000_000));
          await once(response.resume(), 'end');
        },
      );
    }
  });
});

describe('bindServer with TLS', () => {
  const tls = createCertificate();

  async function handshake(port: number | undefined, options: ConnectionOptions): Promise<TLSSocket> {
    const socket = tlsConnect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    await once(socket, 'secureConnect');
    return socket;
  }

  it('offers versions, curves and suites of the reference, and no protocol', async () => {
    await serving({ tls, listen: [anywhere, anywhere] }, hello, async ({ ports: [port, second] }) => {
      const modern = await handshake(port, { ALPNProtocols: ['h2', 'http/1.1'] });
      assert.deepEqual([modern.getProtocol(), modern.alpnProtocol], ['TLSv1.3', false]);
      assert.match(await answerOf(modern, get('/a', last)), /hello \/a$/);
      const old = await handshake(second, { maxVersion: 'TLSv1.2' });
      assert.deepEqual([old.getProtocol(), old.getCipher().name], ['TLSv1.2', 'ECDHE-RSA-AES256-GCM-SHA384']);
      assert.match(await answerOf(old, get('/b', last)), /hello \/b$/);
      const refused: readonly ConnectionOptions[] = [
        { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' },
        { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' },
        { ecdhCurve: 'X25519' },
      ];
      for (const options of refused) await assert.rejects(handshake(port, options), /alert/);
    });
  });

  it('tells those who speak plain HTTP, and closes on those who say nothing', async () => {
    await serving({ tls, limits: { readHeaderTimeoutMs: 50 } }, hello, async ({ ports: [port] }) => {
      assert.equal(
        await answerOf(dial(port), get('/')),
        'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n',
      );
      assert.equal(await answerOf(dial(port), ''), '');
      // The beginning of a handshake that does not go on.
      assert.equal(await answerOf(dial(port), '\u0016\u0003\u0001'), '');
      assert.equal(await answerOf(await handshake(port, {}), ''), '');
    });
  });

  it('is closed while a handshake is under way', async () => {
    const server = await bindServer({ listen: [anywhere], limits, tls });
    server.serve(hello);
    const socket = dial(Number(/tcp\/(\d+)/.exec(server.addresses()[0] ?? '')?.[1]));
    const closed = answerOf(socket, '\u0016\u0003\u0001');
    await once(socket, 'connect');
    await server.close();
    await closed;
  });
});
