import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import { silentLogger } from '../../base/index.ts';
import type { ByteStream, Host } from '../../cluster/ports.ts';
import { createHost, type HostOptions } from './index.ts';

const secret = new Uint8Array(32).fill(7);
const hosts: Host[] = [];
after(async () => {
  await Promise.all(hosts.map((host) => host.stop()));
});

async function startHost(options: Partial<HostOptions> = {}): Promise<Host> {
  const privateKey = privateKeyToProtobuf(await generateKeyPair('Ed25519'));
  const host = await createHost(
    { privateKey, secret, listen: ['/ip4/127.0.0.1/tcp/0'], ...options },
    { logger: silentLogger },
  );
  hosts.push(host);
  await host.start();
  return host;
}

async function connectedPair(): Promise<readonly [Host, Host]> {
  const [a, b] = await Promise.all([startHost(), startHost()]);
  await a.addAddresses(b.addresses());
  await a.connect(b.self);
  return [a, b];
}

async function readAll(stream: ByteStream): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (let part = await stream.read(); part !== null; part = await stream.read()) parts.push(part);
  return Buffer.concat(parts);
}

/** Resolves when the condition holds; it is looked at whenever the event loop comes round. */
async function until(condition: () => boolean): Promise<void> {
  const patience = AbortSignal.timeout(15_000);
  while (!condition()) {
    patience.throwIfAborted();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const identified = (host: Host, peer: Host): Promise<void> =>
  until(() => host.streams.protocolsOf(peer.self) !== undefined);

test('Host carries a stream both ways, opened with and without waiting for the protocol', async () => {
  const [a, b] = await connectedPair();
  b.streams.handle('/echo/1', (stream) => {
    void (async () => {
      const bytes = await readAll(stream);
      await stream.write(bytes);
      await stream.closeWrite();
    })();
  });
  for (const isKnown of [false, true]) {
    if (isKnown) await until(() => a.streams.protocolsOf(b.self)?.includes('/echo/1') === true);
    const stream = await a.streams.open(b.self, '/echo/1');
    await stream.write(Buffer.from('hello '));
    await stream.write(Buffer.from('world'));
    await stream.closeWrite();
    assert.equal((await readAll(stream)).toString(), 'hello world');
    assert.equal(stream.remotePeer, b.self);
  }
});

test('Host counts what goes through streams of either side, by protocol', async () => {
  const [a, b] = await connectedPair();
  b.streams.handle('/sink/1', (stream) => {
    void readAll(stream).then((bytes) => stream.write(bytes.subarray(0, 1000)).then(() => stream.closeWrite()));
  });
  await identified(a, b);
  const size = 300_000;
  for (let i = 0; i < 2; i++) {
    const stream = await a.streams.open(b.self, '/sink/1');
    await stream.write(new Uint8Array(size));
    await stream.closeWrite();
    assert.equal((await readAll(stream)).length, 1000);
  }
  const ofA = a.bandwidth()['/sink/1'];
  const ofB = b.bandwidth()['/sink/1'];
  // Beside the payload there is only the agreement on the protocol.
  const isAbout = (count: number | undefined, bytes: number): boolean =>
    count !== undefined && count >= 2 * bytes && count < 2 * bytes + 200;
  assert.ok(isAbout(ofA?.totalOut, size) && isAbout(ofA?.totalIn, 1000), JSON.stringify(ofA));
  assert.ok(isAbout(ofB?.totalIn, size) && isAbout(ofB?.totalOut, 1000), JSON.stringify(ofB));
  for (const host of [a, b]) {
    const traffic = host.bandwidth();
    assert.ok((traffic['/ipfs/id/1.0.0']?.totalOut ?? 0) > 0, JSON.stringify(traffic));
    assert.ok((traffic['']?.totalIn ?? 0) > 0, JSON.stringify(traffic));
  }
});

test('Host tells a peer that does not speak the protocol', async () => {
  const [a, b] = await connectedPair();
  await assert.rejects(a.streams.open(b.self, '/nothing/1'), { code: 'p2p/unsupported-protocol' });
});

test('Host refuses a peer with another secret and says so on the dialer', async () => {
  const [a, b] = await Promise.all([startHost(), startHost({ secret: new Uint8Array(32).fill(8) })]);
  await a.addAddresses(b.addresses());
  await assert.rejects(a.connect(b.self), {
    code: 'p2p/wrong-secret',
    message: /does not use the same cluster secret/,
  });
});

test('Host reports an unreachable and an unknown peer', async () => {
  const [a, b] = await Promise.all([startHost(), startHost()]);
  await assert.rejects(a.connect(b.self), { code: 'p2p/no-address' });
  const [address] = b.addresses();
  await b.stop();
  await assert.rejects(a.connect(address ?? ''), { code: 'p2p/unreachable', message: /connection refused/ });
});

interface SilentServers {
  readonly ports: readonly number[];
  /** Resolves when one of them is dialled. */
  readonly reached: Promise<void>;
  readonly end: () => void;
}

/** Servers that take connections and say nothing, as machines do whose packets are lost; ended, they refuse. */
async function silentServers(count: number): Promise<SilentServers> {
  const sockets = new Set<Socket>();
  const { promise: reached, resolve } = Promise.withResolvers<void>();
  const onSocket = (socket: Socket): void => {
    sockets.add(socket.on('error', () => {}));
    resolve();
  };
  const servers = Array.from({ length: count }, () => createServer(onSocket));
  const ports = servers.map(async (server) => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  });
  const end = (): void => {
    for (const server of servers) server.close();
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return { ports: await Promise.all(ports), reached, end };
}

test('dial_peer_timeout: a peer that takes a connection and says nothing is given up after it', async (t) => {
  const servers = await silentServers(1);
  t.after(servers.end);
  const silent = `/ip4/127.0.0.1/tcp/${servers.ports[0]}/p2p/12D3KooWBCJm4uy27rCNUQPwtsC3Wtc3M9YTP4i9c7fLFfC3ZYWT`;
  const hasty = await startHost({ dialTimeoutMs: 500 });
  const patient = await startHost({ dialTimeoutMs: 3_600_000 });
  let isWaiting = true;
  const waiting = patient.connect(silent).catch(() => {
    isWaiting = false;
  });
  await servers.reached;
  await assert.rejects(hasty.connect(silent), { code: 'p2p/unreachable', message: /no answer in time/ });
  assert.equal(isWaiting, true);
  servers.end();
  await waiting;
});

test('Host tries an address that is named first, however many stale ones it knows', async () => {
  const [a, b] = await Promise.all([startHost(), startHost()]);
  const { ports, end } = await silentServers(32);
  try {
    await a.addAddresses(ports.map((port) => `/ip4/127.0.0.1/tcp/${port}/p2p/${b.self}`));
    const [address = ''] = b.addresses();
    assert.equal(await a.connect(address), b.self);
    assert.deepEqual(a.addressesOf(b.self), [address], 'and passes on none of those');
  } finally {
    end();
  }
});

test('Host tries an address that is named also when the peer is being dialled at stale ones', async () => {
  const [a, b] = await Promise.all([startHost(), startHost()]);
  const { ports, reached, end } = await silentServers(3);
  await a.addAddresses(ports.map((port) => `/ip4/127.0.0.1/tcp/${port}/p2p/${b.self}`));
  const underWay = assert.rejects(a.connect(b.self), { code: 'p2p/unreachable' });
  await reached;
  const [address = ''] = b.addresses();
  const connected = a.connect(address);
  end();
  await underWay;
  assert.equal(await connected, b.self);
});

test('Host names the address that cannot be listened on', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const listen = [`/ip4/127.0.0.1/tcp/${port}`];
  await assert.rejects(startHost({ listen }), {
    code: 'p2p/listen',
    message: `Cannot listen on "/ip4/127.0.0.1/tcp/${port}": the port is in use`,
  });
  server.close();
});

test('Host skips listening addresses of other transports and listens on several', async () => {
  const host = await startHost({
    listen: ['/ip4/127.0.0.1/udp/9096/quic', '/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0'],
  });
  assert.equal(host.addresses().length, 2);
  for (const address of host.addresses()) assert.ok(address.endsWith(`/p2p/${host.self}`), address);
});

test('Host learns the addresses of a peer that dialled it', async () => {
  const [a, b] = await connectedPair();
  await until(() => b.addressesOf(a.self).length > 0);
  assert.deepEqual(b.connectedPeers(), [a.self]);
  assert.ok(b.addressesOf(a.self).includes(a.addresses()[0] ?? ''));
});

test('ByteStream holds a fast writer back and a slow reader loses nothing', async () => {
  const [a, b] = await connectedPair();
  const total = 24 * 1024 * 1024;
  let received = 0;
  let sum = 0;
  const { promise: done, resolve } = Promise.withResolvers<void>();
  let isReading = false;
  b.streams.handle('/sink/1', (stream) => {
    void (async () => {
      await until(() => isReading);
      for (let part = await stream.read(); part !== null; part = await stream.read()) {
        received += part.length;
        for (const byte of part) sum = (sum + byte) % 65521;
      }
      resolve();
    })();
  });
  await identified(a, b);
  const stream = await a.streams.open(b.self, '/sink/1');
  const chunk = Buffer.alloc(48 * 1024, 3);
  let sent = 0;
  let isBlocked = false;
  const writing = (async () => {
    while (sent < total) {
      const written = stream.write(chunk);
      sent += chunk.length;
      isBlocked = true;
      await written;
      isBlocked = false;
    }
    await stream.closeWrite();
  })();
  // Held back: nothing more is taken for many turns in a row.
  let last = -1;
  let calmTurns = 0;
  await until(() => {
    calmTurns = isBlocked && sent === last ? calmTurns + 1 : 0;
    last = sent;
    return calmTurns === 200;
  });
  assert.ok(sent < 4 * 1024 * 1024, `${sent} bytes were taken`);
  isReading = true;
  await writing;
  await done;
  assert.equal(received, sent);
  assert.equal(sum, (sent * 3) % 65521);
});

test('Host survives one very large write and the small ones after it', async () => {
  const [a, b] = await connectedPair();
  b.streams.handle('/echo/2', (stream) => {
    void (async () => {
      for (let part = await stream.read(); part !== null; part = await stream.read()) await stream.write(part);
      await stream.closeWrite();
    })();
  });
  await identified(a, b);
  const large = await a.streams.open(b.self, '/echo/2');
  const size = 16 * 1024 * 1024;
  const writing = large.write(Buffer.alloc(size, 1)).then(() => large.closeWrite());
  assert.equal((await readAll(large)).length, size);
  await writing;
  const small = await a.streams.open(b.self, '/echo/2');
  for (let i = 0; i < 500; i++) {
    await small.write(Buffer.of(i & 0xff));
    assert.equal((await small.read())?.[0], i & 0xff);
  }
  await small.closeWrite();
  assert.equal(await small.read(), null);
});

test('ByteStream tells reset and a lost connection from the regular end', async () => {
  const [a, b] = await connectedPair();
  const inbound: ByteStream[] = [];
  b.streams.handle('/x/1', (stream) => inbound.push(stream));
  const [first, second, third] = await Promise.all([
    a.streams.open(b.self, '/x/1'),
    a.streams.open(b.self, '/x/1'),
    a.streams.open(b.self, '/x/1'),
  ]);
  assert.ok(first && second && third);
  await until(() => inbound.length === 3);
  first.reset();
  await assert.rejects(first.read(), { code: 'p2p/stream-closed' });
  const remoteFirst = inbound[0];
  assert.ok(remoteFirst);
  await assert.rejects(remoteFirst.read(), { code: 'p2p/stream-reset' });
  assert.equal(remoteFirst.signal.aborted, true);
  await second.closeWrite();
  assert.equal(await inbound[1]?.read(), null);
  assert.equal(inbound[1]?.signal.aborted, false);
  await a.forget(b.self);
  await assert.rejects(third.read(), { code: /^p2p\/stream-/ });
});

test('PubSub delivers to subscribers with the verified author', async () => {
  const [a, b] = await connectedPair();
  const got: string[] = [];
  b.pubsub.subscribe('monitor.metrics', (from, data) => got.push(`${from} ${Buffer.from(data)}`));
  a.pubsub.subscribe('monitor.metrics', () => {});
  // Until the subscription has arrived, nobody is there to publish to.
  let attempts = 0;
  while (got.length === 0) {
    await a.pubsub.publish('monitor.metrics', Buffer.from('m'));
    attempts += 1;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.ok(attempts > 0);
  assert.equal(got[0], `${a.self} m`);
  await assert.rejects(a.pubsub.publish('monitor.metrics', new Uint8Array(1024 * 1024 + 1)), { code: 'p2p/publish' });
});
