/** Reads values of a stream one after the other. */
import type { ByteStream } from '../../cluster/ports.ts';
import type { Codec } from '../../model/index.ts';
import { rpcError } from './errors.ts';
import { ValueBuffer } from './value-buffer.ts';

/** Longest value accepted. A list of freed keys is the longest that peers send; a block has 4 MiB at most. */
export const valueBytesMax: number = 64 * 1024 * 1024;

/** Values of one stream, cut out of its bytes. */
export class ValueReader {
  readonly #stream: ByteStream;
  readonly #buffer = new ValueBuffer(valueBytesMax);

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  /** The bytes of the next value, or `null` at the end of the stream. Throws `rpc/bad-reply` when it ends within a value. */
  async next(): Promise<Uint8Array | null> {
    for (;;) {
      const value = this.#buffer.next();
      if (value !== undefined) return value;
      const piece = await this.#stream.read();
      if (piece === null) {
        if (this.#buffer.isEmpty) return null;
        throw rpcError('bad-reply', 'The stream ended within a value', { outcome: 'unknown' });
      }
      this.#buffer.push(piece);
    }
  }

  /** Exactly `count` bytes that follow the last value, as they come. Throws `rpc/bad-reply` when the stream ends before. */
  async *raw(count: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = count; left > 0; ) {
      const bytes = this.#buffer.raw(left);
      if (bytes !== undefined) {
        left -= bytes.length;
        yield bytes;
        continue;
      }
      const piece = await this.#stream.read();
      if (piece === null) throw rpcError('bad-reply', `The stream ended ${left} bytes early`, { outcome: 'unknown' });
      this.#buffer.push(piece);
    }
  }

  async nextOf<T>(codec: Codec<T>): Promise<T | null> {
    const bytes = await this.next();
    return bytes === null ? null : codec.decode(bytes);
  }
}
