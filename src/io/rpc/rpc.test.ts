import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import type { Clock } from '../../base/index.ts';
import { OperatingError, silentLogger } from '../../base/index.ts';
import type { ByteStream, Host, Streams } from '../../cluster/ports.ts';
import type { Codec, RpcMethod, RpcStreamMethod } from '../../model/index.ts';
import { createHost } from '../p2p/index.ts';
import { encodeFrame, encodeName, frameKinds, PartStore } from './frames.ts';
import { createRpc, type HandlersOf, multiplexedProtocol, type RpcNode } from './index.ts';

/** Text as a raw string of 32 bits length. */
const text: Codec<string> = {
  encode(value) {
    const body = Buffer.from(value);
    const head = Buffer.alloc(5);
    head[0] = 0xdb;
    head.writeUInt32BE(body.length, 1);
    return Buffer.concat([head, body]);
  },
  decode(bytes) {
    if (bytes[0] !== 0xdb) throw new OperatingError('model/bad-encoding', 'not a text');
    return Buffer.from(bytes.subarray(5)).toString();
  },
  decodeAt: () => undefined,
};

const unary = (name: string, trust: 'open' | 'trusted' | 'closed' = 'open'): RpcMethod<string, string> => ({
  kind: 'unary',
  service: 'Test',
  name,
  trust,
  argument: text,
  reply: text,
});
const streaming = (name: string): RpcStreamMethod<string, string> => ({ ...unary(name), kind: 'stream' });

const rows = {
  Echo: unary('Echo'),
  Fail: unary('Fail'),
  Trusted: unary('Trusted', 'trusted'),
  Closed: unary('Closed', 'closed'),
  Wait: unary('Wait'),
  Upper: streaming('Upper'),
  Endless: streaming('Endless'),
  FailLate: streaming('FailLate'),
} as const;

interface Observed {
  cancelled: number;
  produced: number;
}

function handlersFor(observed: Observed): HandlersOf<typeof rows> {
  return {
    Echo: (argument) => argument,
    Fail: async (argument) => {
      throw new OperatingError('consensus/no-leader', argument, { outcome: 'refused' });
    },
    Trusted: async (argument) => argument,
    Closed: async (argument) => argument,
    Wait: (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          observed.cancelled += 1;
          reject(signal.reason);
        });
      }),
    async *Upper(args) {
      for await (const argument of args) yield argument.toUpperCase();
    },
    async *Endless(_, { signal }) {
      try {
        for (let i = 0; !signal.aborted; i++) {
          observed.produced = i;
          yield 'x'.repeat(10_000);
        }
      } finally {
        observed.cancelled += 1;
      }
    },
    async *FailLate() {
      yield 'one';
      yield 'two';
      throw new OperatingError('ipfs/down', 'no such luck', { outcome: 'refused' });
    },
  };
}

/** Real time, and a way to let all timers of a call fire at once. */
class TestClock implements Clock {
  #timers = new Set<() => void>();
  now(): number {
    return performance.now();
  }
  wallNanos(): bigint {
    return 0n;
  }
  after(_delayMs: number, act: () => void): () => void {
    this.#timers.add(act);
    return () => this.#timers.delete(act);
  }
  fireAll(): void {
    const timers = [...this.#timers];
    this.#timers.clear();
    for (const act of timers) act();
  }
}

async function until(condition: () => boolean): Promise<void> {
  const patience = AbortSignal.timeout(15_000);
  while (!condition()) {
    patience.throwIfAborted();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function startHost(): Promise<Host> {
  const privateKey = privateKeyToProtobuf(await generateKeyPair('Ed25519'));
  const host = await createHost(
    { privateKey, secret: new Uint8Array(32).fill(3), listen: ['/ip4/127.0.0.1/tcp/0'] },
    { logger: silentLogger },
  );
  await host.start();
  return host;
}

interface Way {
  readonly name: string;
  readonly isMultiplexed: boolean;
  readonly isSelf?: boolean;
}

const ways: readonly Way[] = [
  { name: 'gorpc', isMultiplexed: false },
  { name: 'one long-lived stream', isMultiplexed: true },
  { name: 'calls to self', isMultiplexed: true, isSelf: true },
];

for (const way of ways) {
  describe(`Rpc over ${way.name}`, () => {
    const observed: Observed = { cancelled: 0, produced: 0 };
    const clock = new TestClock();
    const trusted = new Set<string>();
    let caller: RpcNode;
    let target: string;
    let callerHost: Host;
    const stops: (() => Promise<void>)[] = [];

    before(async () => {
      const node = async (host: Host): Promise<RpcNode> => {
        const rpc = createRpc(
          { isMultiplexed: way.isMultiplexed },
          { streams: host.streams, clock, logger: silentLogger, isTrusted: (peer) => trusted.has(peer) },
        );
        rpc.register(rows, handlersFor(observed));
        await rpc.start();
        stops.push(
          () => rpc.stop(),
          () => host.stop(),
        );
        return rpc;
      };
      callerHost = await startHost();
      caller = await node(callerHost);
      target = callerHost.self;
      if (way.isSelf === true) return;
      const server = await startHost();
      await node(server);
      target = server.self;
      await callerHost.addAddresses(server.addresses());
      await callerHost.connect(target);
      await until(() => callerHost.streams.protocolsOf(target) !== undefined);
      assert.equal(callerHost.streams.protocolsOf(target)?.includes(multiplexedProtocol), way.isMultiplexed);
    });
    after(async () => {
      for (const stop of stops) await stop();
    });

    test('answers a call', async () => {
      assert.equal(await caller.call(target, rows.Echo, 'hello'), 'hello');
    });

    test('answers many calls at once, each with its own reply', async () => {
      const texts = Array.from({ length: 200 }, (_, i) => `call ${i}`);
      assert.deepEqual(await Promise.all(texts.map((t) => caller.call(target, rows.Echo, t))), texts);
    });

    test('carries long values', async () => {
      for (const size of [31, 32 * 1024 - 5, 32 * 1024, 100_000, 5_000_000]) {
        const value = 'v'.repeat(size);
        assert.equal((await caller.call(target, rows.Echo, value)).length, size);
      }
      const long = 'w'.repeat(1_000_000);
      const replies: string[] = [];
      for await (const reply of caller.stream(target, rows.Upper, ['a', long, 'b'])) replies.push(reply);
      assert.deepEqual(
        replies.map((r) => r.length),
        [1, long.length, 1],
      );
    });

    test('passes the error of a method on', async () => {
      const expected =
        way.name === 'gorpc'
          ? { message: 'no leader here', code: 'rpc/application', outcome: 'unknown' }
          : { message: 'no leader here', code: 'consensus/no-leader', outcome: 'refused' };
      await assert.rejects(caller.call(target, rows.Fail, 'no leader here'), expected);
    });

    test('names a method or service that is not served', async () => {
      await assert.rejects(caller.call(target, unary('None'), ''), {
        code: 'rpc/server',
        message: "rpc: can't find method None",
      });
      await assert.rejects(caller.call(target, { ...unary('None'), service: 'Nobody' }, ''), {
        code: 'rpc/server',
        message: "rpc: can't find service Nobody",
      });
    });

    test('applies the trust of a method to remote callers only', async () => {
      if (way.isSelf === true) {
        assert.equal(await caller.call(target, rows.Closed, 'c'), 'c');
        assert.equal(await caller.call(target, rows.Trusted, 't'), 't');
        return;
      }
      const denied = (name: string) => ({
        code: 'rpc/authorization',
        outcome: 'refused',
        message: `client does not have permissions to call Test.${name}`,
      });
      await assert.rejects(caller.call(target, rows.Closed, ''), denied('Closed'));
      await assert.rejects(caller.call(target, rows.Trusted, ''), denied('Trusted'));
      trusted.add(callerHost.self);
      assert.equal(await caller.call(target, rows.Trusted, 't'), 't');
      trusted.clear();
    });

    test('streams arguments and replies at the same time', async () => {
      // In the process nothing is sent ahead: an argument is asked for when the next reply is.
      if (way.isSelf === true) return;
      let sent = 0;
      const wake: (() => void)[] = [];
      async function* args(): AsyncGenerator<string> {
        for (const value of ['a', 'b', 'c']) {
          sent += 1;
          yield value;
          // The next argument only after the reply to this one has come.
          await new Promise<void>((resolve) => wake.push(resolve));
        }
      }
      const replies: string[] = [];
      for await (const reply of caller.stream(target, rows.Upper, args())) {
        replies.push(reply);
        await until(() => wake.length > 0);
        wake.shift()?.();
      }
      assert.deepEqual(replies, ['A', 'B', 'C']);
      assert.equal(sent, 3);
    });

    test('streams nothing for nothing', async () => {
      for await (const reply of caller.stream(target, rows.Upper, [])) assert.fail(reply);
    });

    test('streams many values in order', async () => {
      const values = Array.from({ length: 5000 }, (_, i) => `v${i}`);
      const replies: string[] = [];
      for await (const reply of caller.stream(target, rows.Upper, values)) replies.push(reply);
      assert.deepEqual(
        replies,
        values.map((v) => v.toUpperCase()),
      );
    });

    test('gives the values before an error, then the error', async () => {
      const replies: string[] = [];
      const expected = way.name === 'gorpc' ? 'rpc/application' : 'ipfs/down';
      await assert.rejects(
        (async () => {
          for await (const reply of caller.stream(target, rows.FailLate, [])) replies.push(reply);
        })(),
        { code: expected, message: 'no such luck' },
      );
      assert.deepEqual(replies, ['one', 'two']);
    });

    test('holds a producer back and ends it when the consumer leaves', async () => {
      const before = observed.cancelled;
      let last = -1;
      let calmTurns = 0;
      for await (const reply of caller.stream(target, rows.Endless, [])) {
        assert.equal(reply.length, 10_000);
        await until(() => {
          calmTurns = observed.produced === last ? calmTurns + 1 : 0;
          last = observed.produced;
          return calmTurns === 100;
        });
        assert.ok(observed.produced < 400, `${observed.produced} values were produced`);
        break;
      }
      await until(() => observed.cancelled === before + 1);
    });

    test('tells the method when its caller gives up', async () => {
      const before = observed.cancelled;
      const controller = new AbortController();
      const call = caller.call(target, rows.Wait, '', { signal: controller.signal });
      await new Promise((resolve) => setTimeout(resolve, 30));
      controller.abort();
      await assert.rejects(call, { code: 'rpc/cancelled', outcome: 'unknown' });
      await until(() => observed.cancelled === before + 1);
      await assert.rejects(caller.call(target, rows.Echo, '', { signal: controller.signal }), {
        code: 'rpc/cancelled',
        outcome: 'refused',
      });
    });

    test('ends a call at its time limit', async () => {
      const before = observed.cancelled;
      const call = caller.call(target, rows.Wait, '', { timeoutMs: 7 });
      const failed = assert.rejects(call, { code: 'rpc/timeout', outcome: 'unknown', message: /Test\.Wait.*7 ms/ });
      await new Promise((resolve) => setTimeout(resolve, 30));
      clock.fireAll();
      await failed;
      await until(() => observed.cancelled === before + 1);
    });

    test('reports a lost connection as unknown, and calls again on a new one', async () => {
      if (way.isSelf === true) return;
      const call = caller.call(target, rows.Wait, '');
      await new Promise((resolve) => setTimeout(resolve, 30));
      const addresses = callerHost.addressesOf(target);
      await callerHost.forget(target);
      await assert.rejects(call, { code: 'rpc/connection-lost', outcome: 'unknown' });
      await until(() => callerHost.connectedPeers().length === 0);
      await assert.rejects(caller.call(target, rows.Echo, ''), { code: 'rpc/unreachable', outcome: 'refused' });
      await callerHost.addAddresses(addresses);
      assert.equal(await caller.call(target, rows.Echo, 'again'), 'again');
    });
  });
}

test('createRpc falls back to gorpc for a peer that offers nothing else', async () => {
  const clock = new TestClock();
  const [a, b] = await Promise.all([startHost(), startHost()]);
  const deps = (streams: Streams) => ({ streams, clock, logger: silentLogger, isTrusted: () => true });
  const modern = createRpc({}, deps(a.streams));
  const plain = createRpc({ isMultiplexed: false }, deps(b.streams));
  plain.register(rows, handlersFor({ cancelled: 0, produced: 0 }));
  await Promise.all([modern.start(), plain.start()]);
  await a.addAddresses(b.addresses());
  // Before and after identify has told what the peer speaks.
  assert.equal(await modern.call(b.self, rows.Echo, 'x'), 'x');
  await until(() => a.streams.protocolsOf(b.self) !== undefined);
  assert.equal(await modern.call(b.self, rows.Echo, 'y'), 'y');
  await Promise.all([modern.stop(), plain.stop()]);
  await Promise.all([a.stop(), b.stop()]);
});

/** A server of `rows`, and a raw stream of the protocol between our own peers to it. */
async function withRawCaller(act: (stream: ByteStream, served: () => number) => Promise<void>): Promise<void> {
  const [a, b] = await Promise.all([startHost(), startHost()]);
  const deps = { streams: b.streams, clock: new TestClock(), logger: silentLogger, isTrusted: () => true };
  const rpc = createRpc({}, deps);
  let served = 0;
  rpc.register(
    { Echo: rows.Echo },
    {
      Echo: (argument) => {
        served += 1;
        return argument;
      },
    },
  );
  await rpc.start();
  await a.addAddresses(b.addresses());
  try {
    await act(await a.streams.open(b.self, multiplexedProtocol), () => served);
  } finally {
    await rpc.stop();
    await Promise.all([a.stop(), b.stop()]);
  }
}

const echoCall = (id: number, bytes: number): Uint8Array =>
  encodeFrame(frameKinds.call, id, encodeName('Test.Echo'), text.encode('x'.repeat(bytes)));

test('a caller that never reads its replies is not served for ever', () =>
  withRawCaller(async (stream, served) => {
    const callCount = 10_000;
    const send = async (): Promise<void> => {
      for (let id = 1; id <= callCount; id++) await stream.write(echoCall(id, 16 * 1024));
    };
    send().catch(() => {});
    let last = -1;
    let calmTurns = 0;
    await until(() => {
      calmTurns = served() > 0 && served() === last ? calmTurns + 1 : 0;
      last = served();
      return calmTurns === 2000;
    });
    assert.ok(last < callCount / 2, `${last} of ${callCount} calls were served`);
    stream.reset();
  }));

test('pieces of several messages at once end the stream', () =>
  withRawCaller(async (stream) => {
    await stream.write(encodeFrame(frameKinds.part, 1, new Uint8Array(10)));
    await stream.write(encodeFrame(frameKinds.part, 2, new Uint8Array(10)));
    await assert.rejects(stream.read(), { code: 'p2p/stream-reset' });
  }));

test('PartStore gives the message in one, and nothing of one that was dropped', () => {
  const store = new PartStore(10_000);
  store.add(7, Uint8Array.of(1));
  store.add(7, Uint8Array.of(2));
  assert.deepEqual([...(store.complete(7, Uint8Array.of(3)) ?? [])], [1, 2, 3]);
  store.add(8, Uint8Array.of(1));
  store.drop(8);
  store.add(8, Uint8Array.of(2));
  assert.equal(store.complete(8, Uint8Array.of(3)), undefined);
  assert.deepEqual([...(store.complete(9, Uint8Array.of(4)) ?? [])], [4]);
  assert.throws(
    () => {
      for (;;) store.add(10, new Uint8Array(0));
    },
    { code: 'rpc/too-large' },
  );
});
