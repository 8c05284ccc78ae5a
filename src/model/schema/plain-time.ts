/** Times of lists: whole seconds in UTC, of which many are of the same day. */
import { utf8Encode } from '../../base/index.ts';
import { formatTime } from '../time.ts';

const secondsPerDay = 86_400;

/** Prints one after the other into the same bytes. */
export class PlainTime {
  readonly #zero = utf8Encode(formatTime(null));
  #bytes = utf8Encode(formatTime({ seconds: 0, nanos: 0 }));
  #day = 0;

  /** The text of `seconds` since the Unix epoch, that of Go's zero time for 0; valid until the next call. */
  of(seconds: number): Uint8Array {
    if (seconds === 0) return this.#zero;
    const day = Math.floor(seconds / secondsPerDay);
    if (day !== this.#day) {
      this.#day = day;
      this.#bytes = utf8Encode(formatTime({ seconds, nanos: 0 }));
    }
    const second = seconds - day * secondsPerDay;
    this.#pair(11, Math.floor(second / 3600));
    this.#pair(14, Math.floor(second / 60) % 60);
    this.#pair(17, second % 60);
    return this.#bytes;
  }

  #pair(at: number, value: number): void {
    this.#bytes[at] = 0x30 + Math.floor(value / 10);
    this.#bytes[at + 1] = 0x30 + (value % 10);
  }
}
