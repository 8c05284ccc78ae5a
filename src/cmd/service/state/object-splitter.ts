/**
 * Cuts a text into the JSON objects that follow each other in it, with or without white space between. `state export` writes one
 * a line; tools may have put them into several lines, or all into one.
 */
import { printable } from '../../../base/index.ts';

/** An export has short ones; what is longer is no pin. In UTF-16 units. */
const objectLengthMax = 33_554_432;

const [tab, lineFeed, carriageReturn, space] = [0x09, 0x0a, 0x0d, 0x20];
const [quote, backslash, open, close] = [0x22, 0x5c, 0x7b, 0x7d];
const byteOrderMark = 0xfeff;

/** Fed with pieces of the text; knows nothing of what is in the objects. */
export class ObjectSplitter {
  /** The object that is not at its end, and how much of it was looked at. */
  #rest = '';
  #at = 0;
  /** Open braces. */
  #depth = 0;
  #isInText = false;
  #count = 0;

  /** @returns the objects that end in this piece. Throws `RangeError` for what is no object. */
  push(piece: string): string[] {
    const text = this.#rest + piece;
    const objects: string[] = [];
    let start = 0;
    let at = this.#at;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (this.#isInText) {
        // The letter behind a backslash ends nothing; if it has not come, the next piece begins with it.
        if (code === backslash) at++;
        else if (code === quote) this.#isInText = false;
      } else if (this.#depth === 0) {
        if (code === open) {
          this.#depth = 1;
          start = at;
        } else if (!isSpace(code)) throw this.#unexpected(text.slice(at, at + 20));
      } else if (code === quote) this.#isInText = true;
      else if (code === open) this.#depth++;
      else if (code === close && --this.#depth === 0) {
        objects.push(text.slice(start, at + 1));
        start = at + 1;
        this.#count++;
      }
    }
    this.#rest = this.#depth === 0 ? '' : text.slice(start);
    this.#at = this.#depth === 0 ? 0 : at - start;
    if (this.#rest.length > objectLengthMax) throw this.#problem(`it is longer than ${objectLengthMax} letters`);
    return objects;
  }

  /** Throws `RangeError` when the last object has no end. */
  end(): void {
    if (this.#depth > 0) throw this.#problem('the input ends before it does');
  }

  #unexpected(found: string): RangeError {
    return this.#problem(`expected a JSON object, found ${printable(JSON.stringify(found))}`);
  }

  #problem(problem: string): RangeError {
    return new RangeError(`pin ${this.#count + 1}: ${problem}`);
  }
}

function isSpace(code: number): boolean {
  return code === space || code === lineFeed || code === carriageReturn || code === tab || code === byteOrderMark;
}
