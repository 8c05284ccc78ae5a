import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AbstractStream, type SendResult } from '@libp2p/utils';
import type { Uint8ArrayList } from 'uint8arraylist';
import { silentLogger } from '../../base/index.ts';
import type { ByteStream } from '../../cluster/ports.ts';
import { type ByteStreamInit, toByteStream } from './byte-stream.ts';
import { toComponentLogger } from './libp2p-logger.ts';
import { agreementOf } from './negotiation.ts';

const log = toComponentLogger(silentLogger).forComponent('test');

/** A stream of libp2p whose other end is the test: what comes, in which order, and how much may be sent. */
class HandStream extends AbstractStream {
  readonly sent: Uint8Array[] = [];
  room = Number.POSITIVE_INFINITY;
  isPaused = false;
  isFinSent = false;

  constructor() {
    super({ id: '1', log, direction: 'outbound' });
    this.protocol = '/test/1';
  }
  override sendData(data: Uint8ArrayList): SendResult {
    const size = Math.min(this.room, data.byteLength);
    if (size > 0) this.sent.push(Uint8Array.from(data.subarray(0, size)));
    this.room -= size;
    return { sentBytes: size, canSendMore: this.room > 0 };
  }
  override sendReset(): void {}
  override sendPause(): void {
    this.isPaused = true;
  }
  override sendResume(): void {
    this.isPaused = false;
  }
  override async sendCloseWrite(): Promise<void> {
    this.isFinSent = true;
  }
  override async sendCloseRead(): Promise<void> {}
  /** The remote gives room for more. */
  grant(bytes: number): void {
    this.room += bytes;
    this.safeDispatchEvent('drain');
  }
}

function wrap(init: Partial<ByteStreamInit> = {}, stream = new HandStream()): { raw: HandStream; stream: ByteStream } {
  return { raw: stream, stream: toByteStream(stream, { remotePeer: 'peer', ...init }) };
}

async function readAll(stream: ByteStream): Promise<string> {
  const parts: Uint8Array[] = [];
  for (let part = await stream.read(); part !== null; part = await stream.read()) parts.push(part);
  return Buffer.concat(parts).toString();
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('ByteStream reads what came, with its end, before anybody listened', async () => {
  const raw = new HandStream();
  raw.onData(Buffer.from('all of it'));
  raw.onRemoteCloseWrite();
  assert.equal(await readAll(wrap({}, raw).stream), 'all of it');
});

test('ByteStream reads bytes of the negotiation, then of the stream, then the end', async () => {
  const { raw, stream } = wrap({ early: Buffer.from('early ') });
  raw.onData(Buffer.from('late'));
  raw.onRemoteCloseWrite();
  assert.equal(await readAll(stream), 'early late');
});

test('ByteStream reads bytes of a frame that also carries the end', async () => {
  const { raw, stream } = wrap();
  const reading = readAll(stream);
  await turn();
  // The muxer tells the end of such a frame first.
  raw.onRemoteCloseWrite();
  raw.onData(Buffer.from('with the end'));
  assert.equal(await reading, 'with the end');
});

test('ByteStream drops the agreement of the remote, cut anywhere', async () => {
  const agreement = agreementOf('/test/1');
  const wire = Buffer.concat([agreement, Buffer.from('reply')]);
  for (let cut = 0; cut <= wire.length; cut++) {
    const { raw, stream } = wrap({ prefix: agreement, expectedAnswer: agreement });
    const reading = readAll(stream);
    await turn();
    raw.onData(wire.subarray(0, cut));
    raw.onData(wire.subarray(cut));
    raw.onRemoteCloseWrite();
    assert.equal(await reading, 'reply', `cut at ${cut}`);
    assert.equal(Buffer.concat(raw.sent).toString(), Buffer.from(agreement).toString());
  }
});

test('ByteStream tells a refused protocol from garbage', async () => {
  const agreement = agreementOf('/test/1');
  const refusal = Buffer.concat([agreement.subarray(0, 20), Buffer.from('\x03na\n')]);
  const first = wrap({ prefix: agreement, expectedAnswer: agreement });
  first.raw.onData(refusal);
  await assert.rejects(first.stream.read(), { code: 'p2p/unsupported-protocol', message: /does not speak \/test\/1/ });
  const second = wrap({ prefix: agreement, expectedAnswer: agreement });
  second.raw.onData(Buffer.from('HTTP/1.1 400 Bad Request\r\n'));
  await assert.rejects(second.stream.read(), { code: 'p2p/unsupported-protocol', message: /something else/ });
});

test('ByteStream joins the writes of a turn behind the prefix', async () => {
  const { raw, stream } = wrap({ prefix: Buffer.from('prefix ') });
  void stream.write(Buffer.from('one '));
  void stream.write(Buffer.from('two'));
  await turn();
  await stream.write(Buffer.from(' three'));
  await stream.closeWrite();
  assert.deepEqual(
    raw.sent.map((bytes) => Buffer.from(bytes).toString()),
    ['prefix one two', ' three'],
  );
  assert.equal(raw.isFinSent, true);
});

test('ByteStream gives bytes received before a reset, then its error', async () => {
  const { raw, stream } = wrap();
  raw.onData(Buffer.from('part'));
  raw.onRemoteReset();
  assert.equal(Buffer.from((await stream.read()) ?? []).toString(), 'part');
  await assert.rejects(stream.read(), { code: 'p2p/stream-reset', outcome: 'unknown' });
  await assert.rejects(stream.write(Buffer.from('x')), { code: 'p2p/stream-reset' });
  assert.equal(stream.signal.aborted, true);
});

test('ByteStream takes a connection that is gone for a failure, an orderly end for none', async () => {
  const gone = wrap();
  gone.raw.onTransportClosed();
  await assert.rejects(gone.stream.read(), { code: 'p2p/stream-lost', outcome: 'unknown' });
  const orderly = wrap();
  await orderly.stream.closeWrite();
  orderly.raw.onRemoteCloseWrite();
  assert.equal(await orderly.stream.read(), null);
  assert.equal(orderly.stream.signal.aborted, false);
});

test('ByteStream reads on after closing its own side', async () => {
  const { raw, stream } = wrap();
  await stream.write(Buffer.from('question'));
  await stream.closeWrite();
  raw.onData(Buffer.from('answer'));
  raw.onRemoteCloseWrite();
  assert.equal(await readAll(stream), 'answer');
  await assert.rejects(stream.write(Buffer.from('x')), { code: 'p2p/stream-closed' });
});

test('ByteStream makes writers wait for room and wakes them in order', async () => {
  const { raw, stream } = wrap();
  raw.room = 100_000;
  const order: number[] = [];
  const writing = [1, 2, 3].map((n) => stream.write(Buffer.alloc(100_000, n)).then(() => order.push(n)));
  await turn();
  assert.deepEqual(order, [1]);
  raw.grant(100_000);
  await turn();
  assert.deepEqual(order, [1, 2, 3]);
  raw.grant(1_000_000);
  await Promise.all(writing);
  await turn();
  const sent = Buffer.concat(raw.sent);
  assert.equal(sent.length, 300_000);
  assert.deepEqual([sent[0], sent[150_000], sent[299_999]], [1, 2, 3]);
});

test('ByteStream pauses the remote when nobody reads, and loses nothing', async () => {
  const { raw, stream } = wrap();
  let fed = 0;
  while (!raw.isPaused) {
    raw.onData(Buffer.alloc(10_000, fed));
    fed += 1;
    assert.ok(fed < 100);
  }
  raw.onData(Buffer.alloc(10_000, fed));
  raw.onRemoteCloseWrite();
  fed += 1;
  assert.equal((await readAll(stream)).length, fed * 10_000);
  assert.equal(raw.isPaused, false);
});
