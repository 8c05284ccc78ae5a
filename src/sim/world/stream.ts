/** The port `ByteStream` on the virtual network. Each direction is a lane: nothing is lost or overtaken, but all can end half way. */
import { concatBytes, OperatingError } from '../../base/index.ts';
import type { ByteStream } from '../../cluster/ports.ts';
import type { PeerId } from '../../model/index.ts';
import type { Lane } from './network.ts';

/** Written and not yet read by the other side: from here on writers wait. */
const unreadBytesMax = 128 * 1024;

interface Waiter<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

/** One side of a stream. */
export class VirtualStream implements ByteStream {
  readonly remotePeer: PeerId;
  readonly #lane: Lane;
  readonly #onEnd: (stream: VirtualStream) => void;
  #other: VirtualStream | undefined;
  #received: Uint8Array[] = [];
  #isRemoteEnded = false;
  #isEnded = false;
  /** The peer of this side is gone: nothing happens here any more. */
  #isGone = false;
  #failure: OperatingError | undefined;
  #reader: Waiter<Uint8Array | null> | undefined;
  #unsent: Uint8Array[] = [];
  /** Of ours, not read by the other side. */
  #unreadBytes = 0;
  #writers: Waiter<void>[] = [];
  #aborter: AbortController | undefined;

  /** `onEnd`: nothing more will happen on this side. */
  constructor(remotePeer: PeerId, lane: Lane, onEnd: (stream: VirtualStream) => void) {
    this.remotePeer = remotePeer;
    this.#lane = lane;
    this.#onEnd = onEnd;
  }

  /** Makes two sides one stream. */
  static join(a: VirtualStream, b: VirtualStream): void {
    a.#other = b;
    b.#other = a;
  }

  get signal(): AbortSignal {
    this.#aborter ??= new AbortController();
    if (this.#failure !== undefined) this.#aborter.abort(this.#failure);
    return this.#aborter.signal;
  }

  read(): Promise<Uint8Array | null> {
    const bytes = this.#received.shift();
    if (bytes !== undefined) {
      this.#other?.isRead(bytes.length);
      return Promise.resolve(bytes);
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isRemoteEnded) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isEnded) return Promise.reject(streamError('stream-closed', this.remotePeer, 'was closed'));
    this.#unsent.push(bytes);
    this.#unreadBytes += bytes.length;
    // Writes of one turn leave together.
    if (this.#unsent.length === 1) queueMicrotask(() => this.#flush());
    if (this.#unreadBytes < unreadBytesMax) return Promise.resolve();
    return new Promise((resolve, reject) => this.#writers.push({ resolve, reject }));
  }

  async closeWrite(): Promise<void> {
    if (this.#isEnded || this.#failure !== undefined) return;
    this.#flush();
    this.#isEnded = true;
    this.#lane(() => this.#other?.remoteEnded());
    this.#maybeDone();
  }

  reset(): void {
    if (this.#failure !== undefined) return;
    this.fail(streamError('stream-closed', this.remotePeer, 'was given up by this side'));
    this.#lane(() => this.#other?.fail(streamError('stream-reset', this.remotePeer, 'was reset', 'unknown')));
  }

  abandon(): void {
    this.#isGone = true;
  }

  /** What is unread is lost. */
  fail(failure: OperatingError): void {
    if (this.#failure !== undefined || this.#isGone) return;
    this.#failure = failure;
    this.#received = [];
    this.#unsent = [];
    this.#reader?.reject(failure);
    this.#reader = undefined;
    for (const writer of this.#writers.splice(0)) writer.reject(failure);
    this.#aborter?.abort(failure);
    this.#onEnd(this);
  }

  // ------------------------------------------------------------------------------------------------ from the other side

  receive(bytes: Uint8Array): void {
    if (this.#failure !== undefined || this.#isGone) return;
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader === undefined) {
      this.#received.push(bytes);
      return;
    }
    this.#other?.isRead(bytes.length);
    reader.resolve(bytes);
  }

  remoteEnded(): void {
    if (this.#failure !== undefined || this.#isGone) return;
    this.#isRemoteEnded = true;
    this.#reader?.resolve(null);
    this.#reader = undefined;
    this.#maybeDone();
  }

  /** Told at once, without the way back: it decides only how long writers wait. */
  isRead(count: number): void {
    if (this.#isGone) return;
    this.#unreadBytes -= count;
    if (this.#unreadBytes < unreadBytesMax) for (const writer of this.#writers.splice(0)) writer.resolve();
  }

  #flush(): void {
    if (this.#unsent.length === 0 || this.#isGone) return;
    // A copy: sides share no bytes.
    const bytes = concatBytes(this.#unsent);
    this.#unsent = [];
    this.#lane(() => this.#other?.receive(bytes));
  }

  #maybeDone(): void {
    if (this.#isEnded && this.#isRemoteEnded) this.#onEnd(this);
  }
}

/** The kinds are those of the real host. */
export function streamError(
  kind: 'stream-closed' | 'stream-reset' | 'stream-lost' | 'unsupported-protocol',
  peer: PeerId,
  what: string,
  outcome: 'refused' | 'unknown' = 'refused',
): OperatingError {
  return new OperatingError(`p2p/${kind}`, `The stream to ${peer} ${what}`, { outcome });
}
