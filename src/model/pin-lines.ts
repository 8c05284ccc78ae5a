/** Stored pins as lines of JSON: what `pinJson.print` makes of them, mostly without decoding any. */
import { utf8Encode } from '../base/index.ts';
import { pinJson } from './json.ts';
import type { Pin } from './pin.ts';
import { LineBuffer } from './schema/line-buffer.ts';
import { PlainTime } from './schema/plain-time.ts';
import { writeCid, writeName, writePeers } from './schema/stored-parts.ts';
import type { StoredPin } from './stored-pin.ts';
import type { Time } from './time.ts';

const chunkBytes = 64 * 1024;
/** Combinations of type, depth and replication factors remembered; all are forgotten when more come. */
const shapesMax = 256;

/** What stands between the parts of a plain pin, which is the same for all pins of one shape. */
type Pieces = readonly [start: Uint8Array, Uint8Array, Uint8Array, Uint8Array, end: Uint8Array];

/** Gathers lines. */
export class PinLines {
  readonly #lines = new LineBuffer(chunkBytes);
  readonly #time = new PlainTime();
  readonly #pieces = new Map<number, Pieces>();

  /** As much as one write should have. */
  get isFull(): boolean {
    return this.#lines.isFull;
  }

  /** The lines added since the last time, each with its end. */
  take(): Uint8Array {
    return this.#lines.take();
  }

  add(pin: StoredPin): void {
    const lines = this.#lines;
    if (!pin.isPlain) {
      lines.text(`${pinJson.print(pin.pin())}\n`);
      return;
    }
    const pieces = this.#piecesOf(pin);
    lines.copy(pieces[0]);
    writeName(lines, pin);
    lines.copy(pieces[1]);
    writeCid(lines, pin);
    lines.copy(pieces[2]);
    writePeers(lines, pin.allocations);
    lines.copy(pieces[3]);
    lines.copy(this.#time.of(pin.seconds));
    lines.copy(pieces[4]);
  }

  #piecesOf(pin: StoredPin): Pieces {
    let pieces = this.#pieces.get(pin.shape);
    if (pieces === undefined) {
      pieces = makePieces(pin.pin());
      if (this.#pieces.size >= shapesMax) this.#pieces.clear();
      this.#pieces.set(pin.shape, pieces);
    }
    return pieces;
  }
}

// Values that occur nowhere else in the text of a pin.
const name = '@name';
const peer = '@peer';
const timestamp: Time = { seconds: 1, nanos: 0 };
const timestampText = '1970-01-01T00:00:01Z';

/** From the text of a pin like it, so that there is one place only that knows the fields. */
function makePieces(pin: Pin): Pieces {
  const text = `${pinJson.print({ ...pin, name, allocations: [peer], timestamp })}\n`;
  const parts = [name, pin.cid.toString(), JSON.stringify(peer), timestampText];
  return cutAt(text, parts) as readonly Uint8Array[] as Pieces; // one more than parts
}

/** What is around the parts, which occur in this order. */
export function cutAt(text: string, parts: readonly string[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const part of parts) {
    const found = text.indexOf(part, at);
    pieces.push(utf8Encode(text.slice(at, found)));
    at = found + part.length;
  }
  pieces.push(utf8Encode(text.slice(at)));
  return pieces;
}
