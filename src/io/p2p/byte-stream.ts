/**
 * The one reader and writer of streams that all protocols of this peer use.
 *
 * js-libp2p's own ways to read a stream lose data or wait for ever when payload and end of stream arrive together with
 * the protocol negotiation, as Go peers send them. This one listens from the start and calls a stream ended only when
 * its queue and the buffer below are empty *and* the remote has closed its side.
 */
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface';
import type { OperatingError } from '../../base/index.ts';
import type { ByteStream } from '../../cluster/ports.ts';
import { p2pError } from './errors.ts';
import { isRefusal } from './negotiation.ts';
import type { ProtocolTraffic } from './traffic.ts';
import { OncePerTurn } from './turn.ts';

/** Unread bytes from which on the remote is held back. */
const readQueueBytesMax = 256 * 1024;
/** Unread bytes below which it may go on. */
const readQueueBytesLow = 64 * 1024;
/** Unsent bytes from which on `write` makes its caller wait. */
const writeQueueBytesMax = 128 * 1024;

export interface ByteStreamInit {
  readonly remotePeer: string;
  /** Bytes that go out before the first write, in the same segment. */
  readonly prefix?: Uint8Array;
  /** The remote's answer to the prefix, dropped from what is read. */
  readonly expectedAnswer?: Uint8Array;
  /** Bytes that were read from the stream already. */
  readonly early?: Uint8Array;
  /** Where the bytes are counted; absent: they are counted elsewhere. */
  readonly traffic?: ProtocolTraffic;
}

const settled: Promise<void> = Promise.resolve();

interface Waiter<T> {
  resolve(value: T): void;
  reject(error: OperatingError): void;
}

/** Wraps a stream of the muxer; nobody else may listen to it or send on it afterwards. */
export function toByteStream(stream: Stream, init: ByteStreamInit): ByteStream {
  return new MuxedByteStream(stream, init);
}

class MuxedByteStream implements ByteStream {
  readonly remotePeer: string;
  readonly #stream: Stream;
  readonly #traffic: ProtocolTraffic | undefined;
  /** Received, unread. */
  #received: Uint8Array[] = [];
  #receivedHead = 0;
  #receivedBytes = 0;
  #reader: Waiter<Uint8Array | null> | undefined;
  /** The remote said that it will send nothing more. */
  #finSeen = false;
  /** The same, and all that it sent has been delivered to `#received`. */
  #finished = false;
  #failure: OperatingError | undefined;
  #answer: Uint8Array | undefined;
  #answerBytes = 0;
  /** Written, not handed to the muxer. */
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  readonly #turn = new OncePerTurn(() => this.#flush());
  #prefix: Uint8Array | undefined;
  #writers: Waiter<void>[] = [];
  #writeClosed = false;
  #aborter: AbortController | undefined;

  constructor(stream: Stream, init: ByteStreamInit) {
    this.remotePeer = init.remotePeer;
    this.#stream = stream;
    this.#prefix = init.prefix;
    this.#answer = init.expectedAnswer;
    this.#traffic = init.traffic;
    if (init.early !== undefined && init.early.length > 0) {
      if (this.#traffic !== undefined) this.#traffic.totalIn += init.early.length;
      this.#push(init.early);
    }
    if (stream.status !== 'open' && stream.status !== 'closing') {
      this.#fail(p2pError('stream-lost', `Cannot use the stream to ${this.remotePeer}: it is ${stream.status}`));
      return;
    }
    this.#finSeen = stream.remoteWriteStatus === 'closed';
    this.#finished = this.#finSeen;
    stream.addEventListener('message', (event: StreamMessageEvent) => this.#onMessage(event));
    stream.addEventListener('remoteCloseWrite', () => {
      this.#finSeen = true;
      // A frame may carry bytes and the end at once; the end is told first.
      queueMicrotask(() => {
        this.#finished = true;
        this.#maybeEnd();
      });
    });
    stream.addEventListener('close', (event: StreamCloseEvent) => this.#onClose(event));
    stream.addEventListener('drain', () => {
      // The stream itself goes on sending in a microtask of its own drain listener, which is before ours.
      if (this.#writers.length > 0) queueMicrotask(() => this.#releaseWriters());
    });
  }

  get signal(): AbortSignal {
    if (this.#aborter === undefined) {
      this.#aborter = new AbortController();
      if (this.#failure !== undefined) this.#aborter.abort(this.#failure);
    }
    return this.#aborter.signal;
  }

  read(): Promise<Uint8Array | null> {
    const chunk = this.#received[this.#receivedHead];
    if (chunk !== undefined) {
      this.#receivedHead += 1;
      this.#receivedBytes -= chunk.length;
      if (this.#receivedHead === this.#received.length) {
        this.#received = [];
        this.#receivedHead = 0;
      }
      this.#maybeResume();
      return Promise.resolve(chunk);
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isAtEnd()) return Promise.resolve(null);
    if (this.#prefix !== undefined) this.#turn.ask();
    this.#maybeResume();
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#writeClosed) {
      return Promise.reject(p2pError('stream-closed', `Cannot write to ${this.remotePeer}: the stream was closed`));
    }
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    this.#turn.ask();
    if (this.#hasRoom()) return settled;
    return new Promise((resolve, reject) => this.#writers.push({ resolve, reject }));
  }

  async closeWrite(): Promise<void> {
    if (this.#writeClosed || this.#failure !== undefined) return;
    this.#writeClosed = true;
    this.#flush();
    try {
      await this.#stream.close();
    } catch (error) {
      this.#fail(p2pError('stream-lost', `The stream to ${this.remotePeer} was lost`, { cause: error }));
    }
  }

  reset(): void {
    this.#fail(p2pError('stream-closed', `The stream to ${this.remotePeer} was given up by this side`));
    this.#stream.abort(this.#failure ?? new DOMException('reset', 'AbortError'));
  }

  // ------------------------------------------------------------------------------------------------ reading

  #onMessage(event: StreamMessageEvent): void {
    if (this.#failure !== undefined) return;
    if (this.#traffic !== undefined) this.#traffic.totalIn += event.data.byteLength;
    if (event.data instanceof Uint8Array) this.#push(event.data);
    else for (const piece of event.data) this.#push(piece);
    if (this.#receivedBytes > readQueueBytesMax && this.#stream.readStatus === 'readable') this.#stream.pause();
    this.#maybeEnd();
  }

  #push(received: Uint8Array): void {
    const bytes = this.#answer === undefined ? received : this.#skipAnswer(received, this.#answer);
    if (bytes.length === 0) return;
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      reader.resolve(bytes);
      return;
    }
    this.#received.push(bytes);
    this.#receivedBytes += bytes.length;
  }

  /** Drops the agreement that the remote sends back; anything else in its place ends the stream. */
  #skipAnswer(bytes: Uint8Array, answer: Uint8Array): Uint8Array {
    const count = Math.min(bytes.length, answer.length - this.#answerBytes);
    for (let i = 0; i < count; i++) {
      if (bytes[i] !== answer[this.#answerBytes + i]) {
        const start = Buffer.concat([answer.subarray(0, this.#answerBytes), bytes.subarray(0, count)]);
        const text = isRefusal(start)
          ? `${this.remotePeer} does not speak ${this.#stream.protocol}`
          : `${this.remotePeer} answered the negotiation of ${this.#stream.protocol} with something else`;
        this.#fail(p2pError('unsupported-protocol', text));
        this.#stream.abort(this.#failure ?? new DOMException('refused', 'AbortError'));
        return bytes.subarray(bytes.length);
      }
    }
    this.#answerBytes += count;
    if (this.#answerBytes === answer.length) this.#answer = undefined;
    return bytes.subarray(count);
  }

  #isAtEnd(): boolean {
    return this.#finished && this.#receivedHead === this.#received.length && this.#stream.readBufferLength === 0;
  }

  #maybeEnd(): void {
    if (this.#reader === undefined || !this.#isAtEnd()) return;
    const reader = this.#reader;
    this.#reader = undefined;
    reader.resolve(null);
  }

  #maybeResume(): void {
    if (this.#receivedBytes < readQueueBytesLow && this.#stream.readStatus === 'paused') this.#stream.resume();
  }

  // ------------------------------------------------------------------------------------------------ writing

  /** Everything written in this turn leaves as one piece. */
  #flush(): void {
    if (this.#failure !== undefined) return;
    if (this.#prefix !== undefined) {
      this.#pending.unshift(this.#prefix);
      this.#prefix = undefined;
    }
    const [first] = this.#pending;
    if (first === undefined) return;
    const joined = this.#pending.length === 1 ? first : Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    if (this.#traffic !== undefined) this.#traffic.totalOut += joined.length;
    try {
      this.#stream.send(joined);
    } catch (error) {
      this.#fail(p2pError('stream-lost', `The stream to ${this.remotePeer} was lost`, { cause: error }));
      return;
    }
    if (this.#writers.length > 0) this.#releaseWriters();
  }

  #hasRoom(): boolean {
    return this.#pendingBytes + this.#stream.writeBufferLength < writeQueueBytesMax;
  }

  #releaseWriters(): void {
    if (!this.#hasRoom()) return;
    const writers = this.#writers;
    this.#writers = [];
    for (const writer of writers) writer.resolve();
  }

  // ------------------------------------------------------------------------------------------------ the end

  #onClose(event: StreamCloseEvent): void {
    if (event.error === undefined) {
      // A close without an error is the regular end only after both sides said so.
      if (!this.#finSeen || !this.#writeClosed) {
        this.#fail(p2pError('stream-lost', `The connection to ${this.remotePeer} was lost`, { outcome: 'unknown' }));
      }
      return;
    }
    const kind = event.local === true ? 'stream-lost' : 'stream-reset';
    const text =
      event.local === true ? `The connection to ${this.remotePeer} was lost` : `${this.remotePeer} reset the stream`;
    this.#fail(p2pError(kind, text, { cause: event.error, outcome: 'unknown' }));
  }

  #fail(failure: OperatingError): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    this.#pending = [];
    this.#pendingBytes = 0;
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.reject(failure);
    const writers = this.#writers;
    this.#writers = [];
    for (const writer of writers) writer.reject(failure);
    this.#aborter?.abort(failure);
  }
}
