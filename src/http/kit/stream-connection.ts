/**
 * A libp2p stream as Node's HTTP sees a connection, for servers and clients. The protocol is HTTP/1.1 as it is.
 * Source: go-libp2p-gostream, go-libp2p-http.
 */
import { Duplex } from 'node:stream';
import type { ByteStream } from '../../cluster/ports.ts';

/** Protocol id of HTTP over libp2p. Source: go-libp2p-http `DefaultP2PProtocol`. */
export const libp2pHttpProtocol = '/libp2p-http';

const lingerMs = 5_000;

/** Both ends use it: for the server it is a connection that was accepted, for a client one that is open. */
export class StreamConnection extends Duplex {
  /** The id of the other peer; where an IP address would be. */
  readonly remoteAddress: string;
  readonly #stream: ByteStream;
  #idleMs = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(stream: ByteStream) {
    super();
    this.remoteAddress = stream.remotePeer;
    this.#stream = stream;
    stream.signal.addEventListener('abort', () => this.destroy(), { once: true });
    if (stream.signal.aborted) this.destroy();
  }

  override _read(): void {
    this.#stream.read().then(
      (bytes) => {
        this.#touch();
        this.push(bytes);
      },
      (error: Error) => this.destroy(error),
    );
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#touch();
    this.#stream.write(chunk).then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#stream.closeWrite().then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#idle);
    // One that ended both ways has nothing to be reset, and may still be sending.
    if (!this.readableEnded || !this.writableFinished) this.#stream.reset();
    done(error);
  }

  /** As a socket's: `timeout` is emitted after so many milliseconds without a byte; 0 ends that. */
  setTimeout(timeMs: number, onTimeout?: () => void): this {
    if (onTimeout !== undefined) this.once('timeout', onTimeout);
    this.#idleMs = timeMs;
    this.#touch();
    return this;
  }

  /** As a socket's: ends when all is written. The other side gets a moment to do the same, so that it can read the rest. */
  destroySoon(): void {
    this.end();
    this.setTimeout(lingerMs, () => this.destroy());
  }

  // What HTTP asks of sockets that streams do not have.

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  #touch(): void {
    clearTimeout(this.#idle);
    if (this.#idleMs > 0 && !this.destroyed) this.#idle = setTimeout(() => this.emit('timeout'), this.#idleMs);
  }
}
