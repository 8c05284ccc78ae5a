/** Cutting a stream into messages that carry their length in front as a varint. */
import { concatBytes, varintRead } from '../base/index.ts';
import { bitswapError } from './errors.ts';
import { messageBytesMax } from './message.ts';

/** Collects chunks and joins them once per message; joining at every chunk would be quadratic for large messages. */
export class FrameReader {
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  /** Bytes of the frame at the front, length included; 0 while unknown. */
  #needed = 0;
  #headBytes = 0;

  /** Adds what was read. @returns the messages that are complete now. Throws `bitswap/bad-message`. */
  push(chunk: Uint8Array): Uint8Array[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    const frames: Uint8Array[] = [];
    for (;;) {
      if (this.#needed === 0 && !this.#readLength()) return frames;
      if (this.#bytes < this.#needed) return frames;
      const joined = this.#join();
      frames.push(joined.subarray(this.#headBytes, this.#needed));
      this.#chunks = joined.length > this.#needed ? [joined.subarray(this.#needed)] : [];
      this.#bytes -= this.#needed;
      this.#needed = 0;
    }
  }

  /** Whether the stream ended in the middle of a message. */
  get isUnfinished(): boolean {
    return this.#bytes > 0;
  }

  #readLength(): boolean {
    if (this.#bytes === 0) return false;
    const [first] = this.#chunks;
    const head = first !== undefined && first.length >= 10 ? first : this.#join();
    const length = varintRead(head.subarray(0, 10), 0);
    if (length === undefined) {
      if (this.#bytes >= 10) throw bitswapError('bitswap/bad-message', 'Cannot read bitswap message: it has no length');
      return false;
    }
    if (length.value > messageBytesMax) {
      const text = `Cannot read bitswap message: ${length.value} bytes, at most ${messageBytesMax} expected`;
      throw bitswapError('bitswap/bad-message', text);
    }
    this.#headBytes = length.end;
    this.#needed = length.end + length.value;
    return true;
  }

  #join(): Uint8Array {
    const [first] = this.#chunks;
    const joined = this.#chunks.length === 1 && first !== undefined ? first : concatBytes(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}
