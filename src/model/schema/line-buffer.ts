/** Bytes of JSON lines, gathered for few and large writes. */
import { asciiWrite, copyBytes, utf8Encode } from '../../base/index.ts';
import { jsonText } from './json-text.ts';

/** Beyond what a chunk is to hold: nearly every line fits, so that the memory need not grow. */
const slackBytes = 4096;

/** Letters of a JSON string that stand for themselves; Go escapes `<`, `>` and `&` too. */
const isPlain = new Uint8Array(256);
for (let code = 0x20; code < 0x7f; code++) if (!'"\\<>&'.includes(String.fromCharCode(code))) isPlain[code] = 1;

export class LineBuffer {
  readonly #chunkBytes: number;
  #bytes: Uint8Array;
  #length = 0;

  constructor(chunkBytes: number) {
    this.#chunkBytes = chunkBytes;
    this.#bytes = new Uint8Array(chunkBytes + slackBytes);
  }

  /** A chunk is complete. */
  get isFull(): boolean {
    return this.#length >= this.#chunkBytes;
  }

  /** What was gathered, never to be changed again; may be empty. */
  take(): Uint8Array {
    // Copied, which costs less than new memory: that is cleared first, and mostly more than is needed.
    const taken = copyBytes(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    return taken;
  }

  copy(piece: Uint8Array): void {
    this.#reserve(piece.length);
    this.#bytes.set(piece, this.#length);
    this.#length += piece.length;
  }

  text(text: string): void {
    this.copy(utf8Encode(text));
  }

  /** The text of a version 1 CID, from the upper-case base32 of its state key. */
  lowerCase(letters: string): void {
    this.#reserve(letters.length);
    const bytes = this.#bytes;
    const end = asciiWrite(bytes, this.#length, letters);
    // This bit makes capitals small, and every digit has it.
    for (let at = this.#length; at < end; at++) bytes[at] = (bytes[at] as number) | 0x20;
    this.#length = end;
  }

  /** UTF-8 as the inside of a JSON string. @param decode makes the text of what needs a second look */
  quoted(source: Uint8Array, start: number, end: number, decode: () => string): void {
    this.#reserve(end - start);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let i = start; i < end; i++) {
      const byte = source[i] as number;
      if (isPlain[byte] === 0) {
        this.text(jsonText(decode()).slice(1, -1));
        return;
      }
      bytes[at++] = byte;
    }
    this.#length = at;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(2 * (this.#length + more));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
