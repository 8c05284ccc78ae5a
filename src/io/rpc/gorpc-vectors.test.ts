/** Whole calls of the Go RPC, recorded between two Go hosts, driven against both sides of ours. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { Clock } from '../../base/index.ts';
import { OperatingError, silentLogger } from '../../base/index.ts';
import type { ByteStream, Streams } from '../../cluster/ports.ts';
import { findMethod, methods, rpcResponseCodec, serviceIdCodec } from '../../model/index.ts';
import { createRpc, gorpcProtocol } from './index.ts';
import { ValueBuffer } from './value-buffer.ts';

interface Vector {
  readonly name: string;
  readonly hex: string;
}

const { vectors } = JSON.parse(
  readFileSync(new URL('../../../test/vectors/wire/gorpc-streams.json', import.meta.url), 'utf8'),
) as { vectors: Vector[] };

interface Recorded {
  readonly name: string;
  readonly isStream: boolean;
  readonly request: Buffer;
  readonly response: Buffer;
  readonly requestValues: readonly Uint8Array[];
  readonly responseValues: readonly Uint8Array[];
}

const calls: readonly Recorded[] = vectors
  .filter(({ name }) => name.endsWith(' / request'))
  .map(({ name, hex }) => {
    const base = name.slice(0, -' / request'.length);
    const request = Buffer.from(hex, 'hex');
    const response = Buffer.from(vectors.find((v) => v.name === `${base} / response`)?.hex ?? '', 'hex');
    return {
      name: base,
      isStream: base.startsWith('stream'),
      request,
      response,
      requestValues: valuesOf(request),
      responseValues: valuesOf(response),
    };
  });

function valuesOf(bytes: Uint8Array): Uint8Array[] {
  const buffer = new ValueBuffer(1024 * 1024);
  buffer.push(bytes);
  const values: Uint8Array[] = [];
  for (let value = buffer.next(); value !== undefined; value = buffer.next()) values.push(value);
  assert.ok(buffer.isEmpty);
  return values;
}

/** A stream whose other end is the test. */
class ScriptedStream implements ByteStream {
  readonly remotePeer = 'remote';
  readonly #aborter = new AbortController();
  readonly signal = this.#aborter.signal;
  readonly written: Uint8Array[] = [];
  isWriteClosed = false;
  isReset = false;
  #incoming: (Uint8Array | null)[] = [];
  #waiting: ((piece: Uint8Array | null) => void) | undefined;
  #onChange: (() => void)[] = [];

  feed(piece: Uint8Array | null): void {
    this.#incoming.push(piece);
    this.#deliver();
  }
  read(): Promise<Uint8Array | null> {
    return new Promise((resolve) => {
      this.#waiting = resolve;
      this.#deliver();
    });
  }
  async write(bytes: Uint8Array): Promise<void> {
    this.written.push(Uint8Array.from(bytes));
    this.#changed();
  }
  async closeWrite(): Promise<void> {
    this.isWriteClosed = true;
    this.#changed();
  }
  reset(): void {
    this.isReset = true;
    this.#aborter.abort();
    this.#changed();
  }
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#onChange.push(resolve));
  }
  #deliver(): void {
    const piece = this.#incoming[0];
    if (piece === undefined || this.#waiting === undefined) return;
    if (piece !== null) this.#incoming.shift();
    const resolve = this.#waiting;
    this.#waiting = undefined;
    resolve(piece);
  }
  #changed(): void {
    const waiting = this.#onChange;
    this.#onChange = [];
    for (const resolve of waiting) resolve();
  }
}

const stillClock: Clock = { now: () => 0, wallNanos: () => 0n, after: () => () => {} };

/** An RPC node whose streams are handed over one by one, and whose handlers answer what was recorded. */
function nodeFor(recorded: Recorded, opened: ScriptedStream): { accept(stream: ByteStream): void } {
  let accept: (stream: ByteStream) => void = () => {};
  const streams: Streams = {
    self: 'self',
    open: async () => opened,
    handle: (protocol, handler) => {
      if (protocol === gorpcProtocol) accept = handler;
    },
    protocolsOf: () => [gorpcProtocol],
  };
  const rpc = createRpc({}, { streams, clock: stillClock, logger: silentLogger, isTrusted: () => true });
  for (const rows of Object.values(methods)) {
    const handlers = Object.fromEntries(
      Object.values(rows).map((row) => [
        row.name,
        row.kind === 'unary' ? answerUnary(recorded) : answerStream(recorded),
      ]),
    );
    // The handlers answer any row: with what was recorded for it.
    rpc.register(rows, handlers as never);
  }
  void rpc.start();
  return { accept: (stream) => accept(stream) };
}

function methodOf(recorded: Recorded) {
  const { service, method } = serviceIdCodec.decode(recorded.requestValues[0] ?? new Uint8Array(0));
  return findMethod(service, method);
}

function replyOf(recorded: Recorded, index: number): unknown {
  const header = rpcResponseCodec.decode(recorded.responseValues[index] ?? new Uint8Array(0));
  if (header.error !== '') throw new OperatingError('test/recorded', header.error);
  return methodOf(recorded)?.reply.decode(recorded.responseValues[index + 1] ?? new Uint8Array(0));
}

const answerUnary = (recorded: Recorded) => async () => replyOf(recorded, 0);
const answerStream = (recorded: Recorded) =>
  async function* (args: AsyncIterable<unknown>) {
    for await (const argument of args) assert.notEqual(argument, undefined);
    for (let i = 0; i < recorded.responseValues.length; i += 2) yield replyOf(recorded, i);
  };

/**
 * Values of a response, comparable: Go sometimes writes an empty text that it may leave out, and the zero reply behind an
 * error, where ours writes nil; both decode to the same.
 */
function comparable(recorded: Recorded, response: Uint8Array): string[] {
  const values = valuesOf(response);
  const reply = methodOf(recorded)?.reply;
  return values.flatMap((value, i) => {
    const hex = Buffer.from(value).toString('hex');
    if (i % 2 === 0) return [hex];
    if (rpcResponseCodec.decode(values[i - 1] ?? value).error !== '') return [];
    return [reply === undefined ? hex : Buffer.from(reply.encode(reply.decode(value))).toString('hex')];
  });
}

describe('gorpc server', () => {
  for (const recorded of calls) {
    for (const step of [recorded.request.length, 1, 7]) {
      test(`answers as recorded: ${recorded.name}, ${step} bytes at a time`, async () => {
        const stream = new ScriptedStream();
        nodeFor(recorded, stream).accept(stream);
        for (let at = 0; at < recorded.request.length; at += step) {
          stream.feed(recorded.request.subarray(at, at + step));
        }
        if (recorded.isStream) stream.feed(null);
        await stream.until(() => stream.isWriteClosed || stream.isReset);
        assert.equal(stream.isReset, false);
        assert.deepEqual(comparable(recorded, Buffer.concat(stream.written)), comparable(recorded, recorded.response));
      });
    }
  }
});

describe('gorpc client', () => {
  for (const recorded of calls) {
    const method = methodOf(recorded);
    // Go called methods that do not exist, and one in the wrong way; ours has no words for that.
    if (method === undefined || recorded.isStream !== (method.kind === 'stream')) continue;
    for (const step of [Math.max(recorded.response.length, 1), 1]) {
      test(`asks and reads as recorded: ${recorded.name}, ${step} bytes at a time`, async () => {
        const stream = new ScriptedStream();
        const streams: Streams = {
          self: 'self',
          open: async () => stream,
          handle: () => {},
          protocolsOf: () => [gorpcProtocol],
        };
        const rpc = createRpc({}, { streams, clock: stillClock, logger: silentLogger, isTrusted: () => true });
        const args = recorded.requestValues.slice(1).map((value) => method.argument.decode(value));
        const errors = recorded.responseValues
          .filter((_, i) => i % 2 === 0)
          .map((header) => rpcResponseCodec.decode(header).error)
          .filter((error) => error !== '');
        const replies: unknown[] = [];
        const call = (async () => {
          if (method.kind === 'unary') replies.push(await rpc.call('remote', method, args[0]));
          else for await (const reply of rpc.stream('remote', method, args)) replies.push(reply);
        })();
        const failed = errors.length > 0 ? assert.rejects(call, { message: errors[0] ?? '' }) : call;
        const isSent = (): boolean => Buffer.concat(stream.written).length === recorded.request.length;
        await stream.until(() => isSent() && stream.isWriteClosed === recorded.isStream);
        assert.equal(Buffer.concat(stream.written).toString('hex'), recorded.request.toString('hex'));
        for (let at = 0; at < recorded.response.length; at += step) {
          stream.feed(recorded.response.subarray(at, at + step));
        }
        stream.feed(null);
        await failed;
        const encoded = replies.map((reply) => Buffer.from(method.reply.encode(reply)).toString('hex'));
        const expected = comparable(recorded, recorded.response).filter((_, i) => i % 2 === 1);
        assert.deepEqual(encoded, expected);
      });
    }
  }
});
