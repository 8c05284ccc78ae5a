/** Large answers on their way through the proxy: whole, cut short, refused, held back. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '../../base/index.ts';
import { initialService } from '../../model/config/index.ts';
import { parseSocketAddress } from '../kit/index.ts';
import { bindProxy, type ProxyCluster } from './index.ts';

/** A node that says these bytes to every request, and what it was asked. */
interface Node {
  readonly asked: string[];
  readonly sockets: Socket[];
  readonly address: string;
}

async function startNode(t: TestContext, answer: (socket: Socket) => void): Promise<Node> {
  const asked: string[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.once('data', (bytes) => {
      asked.push(String(bytes));
      answer(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { asked, sockets, address: `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}` };
}

async function startProxy(t: TestContext, nodeMultiaddress: string): Promise<number> {
  const initial = initialService({ hostname: '', secret: '' }).ipfsproxy;
  assert.ok(initial !== undefined);
  const proxy = await bindProxy({ ...initial, listenMultiaddress: ['/ip4/127.0.0.1/tcp/0'], nodeMultiaddress });
  t.after(() => proxy.close());
  // Proof: what is passed through asks the cluster for nothing.
  proxy.serve({ cluster: {} as ProxyCluster, log: silentLogger });
  const address = parseSocketAddress(proxy.addresses()[0] ?? '');
  return 'port' in address ? address.port : 0;
}

const request = (version = '1.1'): string => `POST /api/v0/cat?arg=x HTTP/${version}\r\nHost: x\r\nX-Own: 1\r\n\r\n`;

/** Everything until the connection ends, and whether it was broken. */
async function ask(port: number, text: string): Promise<{ readonly answer: string; readonly isBroken: boolean }> {
  const socket = connect(port, '127.0.0.1');
  socket.write(text);
  let answer = '';
  try {
    for await (const chunk of socket) answer += chunk.toString('latin1');
  } catch {
    return { answer, isBroken: true };
  }
  return { answer, isBroken: false };
}

test('chunks and trailers arrive as the node has written them, whatever pieces they come in', async (t) => {
  const body = '5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-Stream-Error: oh\r\n\r\n';
  const head =
    'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTrailer: X-Stream-Error\r\nTransfer-Encoding: chunked\r\n\r\n';
  const text = `HTTP/1.1 100 Continue\r\n\r\n${head}${body}`;
  for (const size of [1, 7, 1000]) {
    const node = await startNode(t, async (socket) => {
      for (let at = 0; at < text.length; at += size) {
        await new Promise((resolve) => socket.write(text.slice(at, at + size), resolve));
      }
      socket.end();
    });
    const { answer, isBroken } = await ask(await startProxy(t, node.address), request());
    assert.equal(isBroken, false);
    const [lines = '', rest] = answer.split(/\r\n\r\n([\s\S]*)/);
    assert.equal(rest, body);
    assert.match(lines, /^HTTP\/1\.1 200 OK\r\n/);
    for (const line of ['Content-Type: text/plain', 'Trailer: X-Stream-Error', 'Transfer-Encoding: chunked']) {
      assert.equal(lines.toLowerCase().split(line.toLowerCase()).length, 2, line);
    }
    assert.match(lines, /Connection: close/i);
    assert.match(node.asked[0] ?? '', /^POST \/api\/v0\/cat\?arg=x HTTP\/1\.1\r\n/);
    for (const line of ['Connection: close', 'Host: x', 'X-Own: 1', 'X-Forwarded-For: 127.0.0.1']) {
      assert.ok(node.asked[0]?.includes(`\r\n${line}\r\n`), line);
    }
  }
});

test('an answer with a length keeps it; one that ends with its connection is sent in chunks', async (t) => {
  const withLength = await startNode(t, (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'));
  const { answer } = await ask(await startProxy(t, withLength.address), request());
  assert.match(answer, /content-length: 5\r\n[\s\S]*\r\n\r\nhello$/i);
  assert.doesNotMatch(answer, /transfer-encoding/i);
  const without = await startNode(t, (socket) => socket.end('HTTP/1.0 404 Not Found\r\n\r\nhello'));
  const chunked = await ask(await startProxy(t, without.address), request());
  assert.match(
    chunked.answer,
    /^HTTP\/1\.1 404 [\s\S]*transfer-encoding: chunked[\s\S]*\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/i,
  );
});

test('a client that knows no chunks gets none', async (t) => {
  const text = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n';
  const node = await startNode(t, (socket) => socket.end(text));
  const { answer } = await ask(await startProxy(t, node.address), request('1.0'));
  assert.match(answer, /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nhello$/);
});

test('an answer that is cut short is seen to be', async (t) => {
  const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
  const closed = await startNode(t, (socket) => socket.end(`${head}5\r\nhel`));
  const { answer } = await ask(await startProxy(t, closed.address), request());
  assert.match(answer, /\r\n\r\n5\r\nhel$/);
  const node = await startNode(t, (socket) => socket.write(`${head}5\r\nhello\r\n`, () => socket.resetAndDestroy()));
  const broken = await ask(await startProxy(t, node.address), request());
  assert.doesNotMatch(broken.answer, /0\r\n\r\n$/);
});

test('a node that does not answer, or not in HTTP, is 502', async (t) => {
  const texts = [
    '',
    'HTTP/1.1 200',
    'HTTP/2 200 OK\r\n\r\n',
    'SSH-2.0-x\r\n\r\n',
    'HTTP/1.1 200 OK\r\nno colon\r\n\r\n',
    'HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
    `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(70_000)}`,
  ];
  for (const text of texts) {
    const node = await startNode(t, (socket) => socket.end(text));
    const { answer } = await ask(
      await startProxy(t, node.address),
      `${request()}`.replace('X-Own', 'Connection: close\r\nX-Own'),
    );
    assert.match(answer, /^HTTP\/1\.1 502 /, JSON.stringify(text.slice(0, 60)));
  }
  const gone = await startNode(t, () => {});
  const { answer } = await ask(
    await startProxy(t, gone.address.replace(/\d+$/, '1')),
    'POST /api/v0/cat?arg=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  );
  assert.match(answer, /^HTTP\/1\.1 502 /);
});

test('a reader that does not read holds the node back, and one that leaves ends its answer', async (t) => {
  const piece = Buffer.alloc(65_536);
  let sent = 0;
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const node = await startNode(t, (socket) => {
    socket.once('close', resolve);
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    const more = (): void => {
      while (!socket.destroyed) {
        sent += piece.length;
        if (!socket.write(Buffer.concat([Buffer.from('10000\r\n'), piece, Buffer.from('\r\n')]))) return;
      }
    };
    socket.on('drain', more);
    more();
  });
  const socket = connect(await startProxy(t, node.address), '127.0.0.1');
  socket.write(request());
  await once(socket, 'readable');
  // All that lies between is full when nothing has moved for some turns of the loop.
  for (let before = -1; before !== sent; ) {
    before = sent;
    for (let turn = 0; turn < 200; turn += 1) await new Promise((then) => setImmediate(then));
  }
  assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes were taken`);
  socket.destroy();
  await ended;
});
