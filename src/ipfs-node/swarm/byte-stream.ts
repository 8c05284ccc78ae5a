/**
 * A libp2p stream as bitswap reads and writes it.
 *
 * js-libp2p's own iteration over a stream waits for ever when the remote's end came before the first listener, as it
 * does with Go peers, which send header, message and end at once. This reader listens from the start and calls the
 * stream ended only when its queue and the buffer below are empty and the remote has closed its side.
 */
import type { Stream, StreamMessageEvent } from '@libp2p/interface';
import type { BitswapStream } from '../../bitswap/index.ts';
import { nodeError } from '../errors.ts';

/** Unread bytes from which on the remote is held back; */
const unreadBytesMax = 1024 * 1024;
/** and below which it may go on. */
const unreadBytesLow = 256 * 1024;

/** Nobody else may listen to the stream or send on it afterwards. */
export function toBitswapStream(stream: Stream): BitswapStream {
  return new MuxedStream(stream);
}

class MuxedStream implements BitswapStream {
  readonly protocol: string;
  readonly #stream: Stream;
  #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #isRemoteClosed: boolean;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.protocol = stream.protocol;
    this.#isRemoteClosed = stream.remoteWriteStatus === 'closed';
    stream.addEventListener('message', (event: StreamMessageEvent) => this.#onMessage(event));
    stream.addEventListener('remoteCloseWrite', () => {
      // A frame may carry bytes and the end; the end is told first.
      queueMicrotask(() => {
        this.#isRemoteClosed = true;
        this.#wakeReader();
      });
    });
    stream.addEventListener('close', (event) => {
      if (event.error !== undefined) this.#failure = lost(event.error);
      this.#isRemoteClosed = true;
      this.#wakeReader();
    });
    if (stream.status === 'aborted' || stream.status === 'reset') this.#failure = lost(undefined);
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const chunk = this.#unread.shift();
      if (chunk !== undefined) {
        this.#unreadBytes -= chunk.length;
        if (this.#unreadBytes < unreadBytesLow && this.#stream.readStatus === 'paused') this.#stream.resume();
        return chunk;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isRemoteClosed && this.#stream.readBufferLength === 0) return null;
      if (this.#stream.readStatus === 'paused') this.#stream.resume();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      if (!this.#stream.send(bytes)) await this.#stream.onDrain();
    } catch (error) {
      throw this.#failure ?? lost(error);
    }
  }

  async closeWrite(): Promise<void> {
    if (this.#failure !== undefined) return;
    await this.#stream.close();
  }

  reset(): void {
    this.#failure ??= nodeError('ipfs-node/stopped', 'The stream was given up by this side');
    this.#stream.abort(this.#failure);
    this.#wakeReader();
  }

  #onMessage(event: StreamMessageEvent): void {
    if (event.data instanceof Uint8Array) this.#push(event.data);
    else for (const piece of event.data) this.#push(piece);
    if (this.#unreadBytes > unreadBytesMax && this.#stream.readStatus === 'readable') this.#stream.pause();
    this.#wakeReader();
  }

  #push(bytes: Uint8Array): void {
    this.#unread.push(bytes);
    this.#unreadBytes += bytes.length;
  }

  #wakeReader(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

function lost(cause: unknown): Error {
  return nodeError('ipfs-node/not-connected', 'The stream was lost', cause);
}
