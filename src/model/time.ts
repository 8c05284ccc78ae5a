/**
 * Points in time with Go's nanosecond resolution; the wire and JSON forms carry more than a `Date` holds.
 */
import { OperatingError } from '../base/index.ts';

/** A point in time. */
export interface Time {
  /** Whole seconds since the Unix epoch, floor; may be negative. */
  readonly seconds: number;
  /** `0 <= nanos < 1e9`. */
  readonly nanos: number;
  /** Offset in which the time was given and is printed again (RFC 3339); absent means UTC. */
  readonly offsetMinutes?: number;
}
// Go's zero time (year 1) is `null` wherever a Time may be absent.

/** Seconds from the Unix epoch to 0001-01-01T00:00:00Z, Go's zero time. */
export const zeroTimeSeconds = -62_135_596_800;
const zeroTimeText = '0001-01-01T00:00:00Z';
const secondsPerDay = 86_400;
const layout = '2006-01-02T15:04:05Z07:00';

/** From nanoseconds since the Unix epoch. */
export function timeFromNanos(nanos: bigint): Time {
  const rest = ((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { seconds: Number((nanos - rest) / 1_000_000_000n), nanos: Number(rest) };
}

/** Nanoseconds since the Unix epoch. */
export function timeToNanos(time: Time): bigint {
  return BigInt(time.seconds) * 1_000_000_000n + BigInt(time.nanos);
}

/** Earlier first; the offset does not count. Go's zero time (`null`) comes before all others. */
export function compareTimes(a: Time | null, b: Time | null): number {
  if (a === null || b === null) return (a === null ? 0 : 1) - (b === null ? 0 : 1);
  return a.seconds - b.seconds || a.nanos - b.nanos;
}

/** RFC 3339 with as many digits of the nanoseconds as are needed, as Go's `time.Time.MarshalJSON` writes it. */
export function formatTime(time: Time | null): string {
  if (time === null) return zeroTimeText;
  const offset = time.offsetMinutes ?? 0;
  const local = time.seconds + offset * 60;
  const day = Math.floor(local / secondsPerDay);
  const second = local - day * secondsPerDay;
  const date = dateOfDay(day);
  const fraction = time.nanos === 0 ? '' : `.${String(time.nanos).padStart(9, '0').replace(/0+$/, '')}`;
  const clock = `${pad(Math.floor(second / 3600))}:${pad(Math.floor(second / 60) % 60)}:${pad(second % 60)}`;
  return `${pad(date.year, 4)}-${pad(date.month)}-${pad(date.day)}T${clock}${fraction}${formatOffset(offset)}`;
}

/**
 * A point in time of RFC 3339 text; `null` for Go's zero time.
 * Throws `OperatingError` `model/bad-time` with the text of Go's `time.Parse`.
 */
export function parseTime(text: string): Time | null {
  if (text === zeroTimeText) return null;
  const parser = new Parser(text);
  const year = parser.digits(4, '2006');
  parser.literal('-');
  const month = parser.digits(2, '01');
  parser.literal('-');
  const day = parser.digits(2, '02');
  parser.literal('T');
  const hour = parser.digits(2, '15');
  parser.literal(':');
  const minute = parser.digits(2, '04');
  parser.literal(':');
  const second = parser.digits(2, '05');
  const nanos = parser.fraction();
  const offsetMinutes = parser.offset();
  parser.end();
  if (month < 1 || month > 12) throw parser.outOfRange('month');
  if (hour > 23) throw parser.outOfRange('hour');
  if (minute > 59) throw parser.outOfRange('minute');
  if (second > 59) throw parser.outOfRange('second');
  if (day < 1 || day > daysInMonth(year, month)) throw parser.outOfRange('day');
  const seconds = dayOfDate(year, month, day) * secondsPerDay + hour * 3600 + minute * 60 + second - offsetMinutes * 60;
  if (seconds === zeroTimeSeconds && nanos === 0) return null;
  return offsetMinutes === 0 ? { seconds, nanos } : { seconds, nanos, offsetMinutes };
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  digits(count: number, element: string): number {
    const part = this.#text.slice(this.#at, this.#at + count);
    if (part.length < count || !/^[0-9]+$/.test(part)) throw this.#cannot(element);
    this.#at += count;
    return Number(part);
  }

  literal(expected: string): void {
    if (this.#text[this.#at] !== expected) throw this.#cannot(expected);
    this.#at++;
  }

  fraction(): number {
    const found = /^[.,]([0-9]+)/.exec(this.#text.slice(this.#at, this.#at + 64));
    if (found === null) return 0;
    this.#at += found[0].length;
    return Number((found[1] ?? '').slice(0, 9).padEnd(9, '0'));
  }

  offset(): number {
    if (this.#text[this.#at] === 'Z') {
      this.#at++;
      return 0;
    }
    const found = /^([+-])([0-9]{2}):([0-9]{2})/.exec(this.#text.slice(this.#at));
    if (found === null) throw this.#cannot('Z07:00');
    const hours = Number(found[2]);
    const minutes = Number(found[3]);
    if (hours > 24) throw this.outOfRange('time zone offset hour');
    if (minutes > 60) throw this.outOfRange('time zone offset minute');
    this.#at += found[0].length;
    return (found[1] === '-' ? -1 : 1) * (hours * 60 + minutes);
  }

  end(): void {
    if (this.#at < this.#text.length) throw this.#failure(`extra text: ${quoted(this.#text.slice(this.#at))}`);
  }

  outOfRange(what: string): OperatingError {
    return this.#failure(`${what} out of range`);
  }

  #cannot(element: string): OperatingError {
    const problem = `cannot parse ${quoted(this.#text.slice(this.#at))} as ${quoted(element)}`;
    return new OperatingError('model/bad-time', `parsing time ${quoted(this.#text)} as ${quoted(layout)}: ${problem}`);
  }

  #failure(problem: string): OperatingError {
    return new OperatingError('model/bad-time', `parsing time ${quoted(this.#text)}: ${problem}`);
  }
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

function pad(value: number, width: number = 2): string {
  return String(value).padStart(width, '0');
}

function formatOffset(minutes: number): string {
  if (minutes === 0) return 'Z';
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

// Days since 1970-01-01 of the proleptic Gregorian calendar, and back. Years start in March here, so that the leap day
// is the last of a year (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").

function dayOfDate(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function dateOfDay(dayCount: number): { readonly year: number; readonly month: number; readonly day: number } {
  const z = dayCount + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const leaps = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}
