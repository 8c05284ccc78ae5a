import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { systemClock } from '../../../test/support/system-clock.ts';
import { hexEncode, OperatingError, silentLogger } from '../../base/index.ts';
import type { ByteStream, Host, Streams } from '../../cluster/ports.ts';
import type { Entry, Request, Response } from '../../core/raft/index.ts';
import { createHost } from '../p2p/index.ts';
import { multiplexedProtocol, ValueReader } from '../rpc/index.ts';
import { createStreamTransport, type RaftTransport, raftProtocol } from './index.ts';
import type { RaftHandler } from './ports.ts';
import { encodeRequest } from './wire.ts';

async function startHost(): Promise<Host> {
  const privateKey = privateKeyToProtobuf(await generateKeyPair('Ed25519'));
  const host = await createHost(
    { privateKey, secret: new Uint8Array(32).fill(5), listen: ['/ip4/127.0.0.1/tcp/0'] },
    { logger: silentLogger },
  );
  await host.start();
  return host;
}

const never = new AbortController().signal;

/** A heartbeat when `prevIndex` is 0. */
function appendOf(leader: string, text: string, prevIndex: number): Request {
  const entry: Entry = { type: 'command', index: 2, term: 3, data: new TextEncoder().encode(text) };
  const entries = prevIndex === 0 ? [] : [entry];
  return { type: 'append', term: 3, leader, prevIndex, prevTerm: prevIndex === 0 ? 0 : 2, entries, commit: prevIndex };
}

describe('the Raft transport over streams', () => {
  let client: Host;
  let server: Host;
  let calls: RaftTransport;
  let handle: RaftHandler;
  const append = (text: string, prevIndex = 1): Request => appendOf(client.self, text, prevIndex);
  const answered = (term: number): Response => ({ type: 'preVote', term, granted: true });

  before(async () => {
    [client, server] = await Promise.all([startHost(), startHost()]);
    await client.addAddresses(server.addresses());
    calls = createStreamTransport({ streams: client.streams, clock: systemClock, logger: silentLogger });
    const serving = createStreamTransport({ streams: server.streams, clock: systemClock, logger: silentLogger });
    serving.handle((from, request, body) => handle(from, request, body));
  });
  after(async () => {
    calls.close();
    await Promise.all([client.stop(), server.stop()]);
  });

  test('carries requests of every kind and their answers, with who sent them', async () => {
    const seen: [string, Request][] = [];
    handle = async (from, request) => {
      seen.push([from, request]);
      if (request.type === 'append')
        return { type: 'append', term: 3, lastLog: 7, success: true, noRetryBackoff: false };
      if (request.type === 'timeoutNow') return { type: 'timeoutNow' };
      if (request.type === 'snapshot') return { type: 'snapshot', term: 4, success: true };
      return { type: request.type, term: 4, granted: true };
    };
    const requests: Request[] = [
      append('x'.repeat(300_000)),
      append('', 0),
      { type: 'vote', term: 4, candidate: client.self, lastIndex: 2, lastTerm: 3, leadershipTransfer: false },
      { type: 'preVote', term: 4, lastIndex: 2, lastTerm: 3 },
      { type: 'timeoutNow' },
    ];
    const responses = await Promise.all(requests.map((request) => calls.call(server.self, request, { signal: never })));
    assert.deepEqual(
      responses.map(({ type }) => type),
      ['append', 'append', 'vote', 'preVote', 'timeoutNow'],
    );
    assert.ok(seen.every(([from]) => from === client.self));
    const hex = (request: Request): string => hexEncode(encodeRequest(client.self, request));
    assert.deepEqual(seen.map(([, request]) => hex(request)).sort(), requests.map(hex).sort());
  });

  test('a heartbeat does not wait behind an append or a vote that is not answered', async () => {
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    handle = async (_, request) => {
      if (request.type === 'vote') await held;
      if (request.type !== 'append') return answered(4);
      if (request.entries.length > 0) await held;
      return { type: 'append', term: 3, lastLog: 0, success: true, noRetryBackoff: false };
    };
    const vote = { type: 'vote', term: 4, candidate: client.self, lastIndex: 2, lastTerm: 3 } as const;
    const slow = [append('a'), { ...vote, leadershipTransfer: false }].map((request) =>
      calls.call(server.self, request, { signal: never }).catch(() => {}),
    );
    await calls.call(server.self, append('', 0), { signal: never });
    release();
    await Promise.all(slow);
  });

  test('answers come in the order of the requests on a stream, many at once', async () => {
    handle = async (_, request) => answered(request.type === 'preVote' ? request.term : 0);
    const terms = Array.from({ length: 100 }, (_, term) => term);
    const responses = await Promise.all(
      terms.map((term) =>
        calls.call(server.self, { type: 'preVote', term, lastIndex: 0, lastTerm: 0 }, { signal: never }),
      ),
    );
    assert.deepEqual(
      responses.map((response) => (response.type === 'preVote' ? response.term : -1)),
      terms,
    );
  });

  test('a request that is given up fails, and the next one goes its way on a new stream', async () => {
    handle = () => new Promise(() => {});
    const stop = new AbortController();
    const request: Request = { type: 'preVote', term: 1, lastIndex: 0, lastTerm: 0 };
    const given = calls.call(server.self, request, { signal: stop.signal });
    const beside = calls.call(server.self, request, { signal: never });
    stop.abort();
    await assert.rejects(given, { code: 'consensus/connection-lost' });
    await assert.rejects(beside, { code: 'consensus/connection-lost' });
    handle = async () => answered(9);
    assert.deepEqual(await calls.call(server.self, request, { signal: never }), answered(9));
  });

  test('a handler that fails answers nothing, and the stream ends', async () => {
    handle = async () => {
      throw new OperatingError('consensus/read-only', 'the disk is full');
    };
    const request: Request = { type: 'preVote', term: 1, lastIndex: 0, lastTerm: 0 };
    await assert.rejects(calls.call(server.self, request, { signal: never }));
    handle = async () => answered(2);
    assert.deepEqual(await calls.call(server.self, request, { signal: never }), answered(2));
  });

  test('a peer that cannot be reached fails the call', async () => {
    const gone = await startHost();
    const { self } = gone;
    await client.addAddresses(gone.addresses());
    await gone.stop();
    await assert.rejects(calls.call(self, { type: 'timeoutNow' }, { signal: never }));
  });

  test('requests in the name of another peer and unknown ones are not handled; bytes that are none end the stream', async () => {
    let handled = 0;
    handle = async () => {
      handled++;
      return answered(1);
    };
    const stream = await client.streams.open(server.self, raftProtocol);
    await stream.write(encodeRequest(server.self, append('a')));
    const reader = new ValueReader(stream);
    assert.match(Buffer.from((await reader.next()) ?? []).toString(), /as its sender, but ".*" has sent it/);
    assert.deepEqual([...((await reader.next()) ?? [])], [0xc0]);
    await stream.write(Uint8Array.of(7, 0x80));
    assert.match(Buffer.from((await reader.next()) ?? []).toString(), /unknown rpc type 7/);
    await reader.next();
    await stream.write(Uint8Array.of(0, 0xc1));
    await assert.rejects(reader.next());
    assert.equal(handled, 0);
  });

  function snapshotOf(leader: string): Request {
    const configuration = { servers: [{ id: leader, suffrage: 'nonvoter' as const }] };
    return { type: 'snapshot', term: 3, leader, base: { index: 7, term: 2, configuration, configurationIndex: 4 } };
  }

  async function* bytesOf(...sizes: readonly number[]): AsyncGenerator<Uint8Array, void, undefined> {
    for (const [at, size] of sizes.entries()) yield new Uint8Array(size).fill(at + 1);
  }

  test('a snapshot travels with its bytes, which are not held in memory', async () => {
    const sizes = [0, 1, 300_000, 65_536, 2_000_000];
    const sizeBytes = sizes.reduce((sum, size) => sum + size);
    let received = 0;
    let sum = 0;
    let seen: Request | undefined;
    handle = async (_, request, body) => {
      seen = request;
      assert(body !== undefined);
      assert.equal(body.sizeBytes, sizeBytes);
      for await (const chunk of body.chunks) {
        received += chunk.length;
        for (const byte of chunk) sum += byte;
      }
      return { type: 'snapshot', term: 3, success: true };
    };
    const request = snapshotOf(client.self);
    const body = { sizeBytes, chunks: bytesOf(...sizes) };
    const response = await calls.call(server.self, request, { signal: never, body });
    assert.deepEqual(response, { type: 'snapshot', term: 3, success: true });
    assert.deepEqual(seen, request);
    assert.deepEqual([received, sum], [sizeBytes, 2 + 3 * 300_000 + 4 * 65_536 + 5 * 2_000_000]);
  });

  test('a snapshot that breaks off is an error on both sides', async () => {
    let failure: unknown;
    const failed = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    handle = async (_, __, body) => {
      try {
        for await (const _ of body?.chunks ?? []) begun.resolve();
      } catch (error) {
        failure = error;
        failed.resolve();
        throw error;
      }
      return answered(1);
    };
    async function* broken(): AsyncGenerator<Uint8Array, void, undefined> {
      yield new Uint8Array(1000);
      await begun.promise;
      throw new Error('the file is gone');
    }
    const sending = calls.call(server.self, snapshotOf(client.self), {
      signal: never,
      body: { sizeBytes: 5000, chunks: broken() },
    });
    await assert.rejects(sending, /the file is gone/);
    await failed.promise;
    assert(failure instanceof Error);
    await assert.rejects(calls.call(server.self, snapshotOf(client.self), { signal: never }), /not there any more/);
  });
});

test('a Go peer that could not be reached has time to start before it is sent entries; heartbeats go on', async () => {
  for (const [protocols, isHeldBack] of [
    [[raftProtocol], true],
    [[raftProtocol, multiplexedProtocol], false],
  ] as const) {
    const clock = new FakeClock();
    let isUp = false;
    const written: number[] = [];
    const streams: Streams = {
      self: 'a',
      open: async () => {
        if (!isUp) throw new OperatingError('p2p/unreachable', 'down');
        return silentStream((bytes) => written.push(bytes.length));
      },
      handle: () => {},
      protocolsOf: () => protocols,
    };
    const transport = createStreamTransport({ streams, clock, logger: silentLogger });
    const entries = appendOf('a', 'x'.repeat(5000), 1);
    await assert.rejects(transport.call('b', entries, { signal: never }), /down/);
    isUp = true;
    const ended = [entries, appendOf('a', '', 0)].map((request) =>
      assert.rejects(transport.call('b', request, { signal: never })),
    );
    await clock.advance(500);
    assert.equal(written.filter((length) => length > 5000).length, isHeldBack ? 0 : 1);
    assert.equal(written.filter((length) => length < 5000).length, 1, 'the heartbeat');
    await clock.advance(500);
    assert.equal(written.length, 2);
    transport.close();
    await Promise.all(ended);
    assert.equal(clock.pendingCount, 0);
  }
});

for (const deadlineMs of [300, 1000]) {
  test(`a Go peer is sent entries after its time to start, also when requests have ${deadlineMs} ms`, async () => {
    const clock = new FakeClock();
    let isUp = false;
    let sentAtMs: number | undefined;
    const streams: Streams = {
      self: 'a',
      open: async () => {
        if (!isUp) throw new OperatingError('p2p/unreachable', 'down');
        return silentStream(() => {
          sentAtMs ??= clock.now();
        });
      },
      handle: () => {},
      protocolsOf: () => [raftProtocol],
    };
    const transport = createStreamTransport({ streams, clock, logger: silentLogger });
    const entries = appendOf('a', 'x', 1);
    await assert.rejects(transport.call('b', entries, { signal: never }), /down/);
    isUp = true;
    const beganMs = clock.now();
    for (let tries = 0; tries < 10; tries++) {
      const aborter = new AbortController();
      const given = assert.rejects(transport.call('b', entries, { signal: aborter.signal }));
      // At the same moment: who comes first is left to the order of timers.
      clock.after(deadlineMs, () => aborter.abort());
      await clock.advance(deadlineMs);
      await given;
    }
    assert.equal(sentAtMs, beganMs + 1000);
    transport.close();
  });
}

test('a Go peer whose stream was given up while it had time to start has the rest of that time', async () => {
  const clock = new FakeClock();
  let isUp = false;
  const written: number[] = [];
  const streams: Streams = {
    self: 'a',
    open: async () => {
      if (!isUp) throw new OperatingError('p2p/unreachable', 'down');
      return silentStream((bytes) => written.push(bytes.length));
    },
    handle: () => {},
    protocolsOf: () => [raftProtocol],
  };
  const transport = createStreamTransport({ streams, clock, logger: silentLogger });
  const entries = appendOf('a', 'x', 1);
  await assert.rejects(transport.call('b', entries, { signal: never }), /down/);
  isUp = true;
  const giveUp = new AbortController();
  const given = assert.rejects(transport.call('b', entries, { signal: giveUp.signal }));
  await clock.advance(500);
  giveUp.abort();
  await given;
  const ended = assert.rejects(transport.call('b', entries, { signal: never }));
  await clock.advance(499);
  assert.deepEqual(written, []);
  await clock.advance(1);
  assert.equal(written.length, 1);
  transport.close();
  await ended;
  assert.equal(clock.pendingCount, 0);
});

/** One that takes everything and says nothing. */
function silentStream(onWrite: (bytes: Uint8Array) => void): ByteStream {
  const ended = Promise.withResolvers<null>();
  return {
    remotePeer: 'b',
    signal: never,
    read: () => ended.promise,
    write: async (bytes) => onWrite(bytes),
    closeWrite: async () => {},
    reset: () => ended.resolve(null),
  };
}
