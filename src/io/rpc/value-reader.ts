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

  async nextOf<T>(codec: Codec<T>): Promise<T | null> {
    const bytes = await this.next();
    return bytes === null ? null : codec.decode(bytes);
  }
}
