/**
 * Durations in Go's notation (`1h30m`, `2m0s`, `200ms`), as configuration files, flags and queries carry them.
 * Source: Go `time.ParseDuration` and `time.Duration.String`.
 */
import { OperatingError } from './errors.ts';

const nanosOf: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const piece = /([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)/y;

/** Go keeps nanoseconds in an int64; what is longer is refused, as there. */
const longestNanos = 2 ** 63;

/**
 * Milliseconds of a Go duration; fractional for what is finer.
 * Throws `OperatingError` `base/bad-duration`.
 */
export function parseDuration(text: string): number {
  const unsigned = text.replace(/^[+-]/, '');
  if (unsigned === '0') return 0;
  let nanos = 0;
  let at = 0;
  while (at < unsigned.length) {
    piece.lastIndex = at;
    const [whole, amount, unit] = piece.exec(unsigned) ?? [];
    if (whole === undefined || amount === undefined || unit === undefined) throw badDuration(text);
    nanos += Number(amount) * (nanosOf[unit] ?? 0);
    at += whole.length;
  }
  if (at === 0 || nanos >= longestNanos) throw badDuration(text);
  const ms = nanos / 1e6;
  return text.startsWith('-') && ms !== 0 ? -ms : ms;
}

/** Go's text for so many milliseconds: `2m0s`, `1.5s`, `200ms`, `0s`. Nanoseconds are the finest. */
export function formatDuration(milliseconds: number): string {
  const nanos = Math.round(Math.abs(milliseconds) * 1e6);
  if (nanos === 0) return '0s';
  return (milliseconds < 0 ? '-' : '') + (nanos < 1e9 ? formatSmall(nanos) : formatLarge(nanos));
}

function formatSmall(nanos: number): string {
  if (nanos < 1e3) return `${nanos}ns`;
  return nanos < 1e6 ? `${decimal(nanos, 3)}µs` : `${decimal(nanos, 6)}ms`;
}

function formatLarge(nanos: number): string {
  const minutes = Math.floor(nanos / 60e9);
  const seconds = `${decimal(nanos - minutes * 60e9, 9)}s`;
  if (minutes === 0) return seconds;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes}m${seconds}` : `${hours}h${minutes % 60}m${seconds}`;
}

/** `value / 10^places` without trailing zeros. */
function decimal(value: number, places: number): string {
  const digits = String(value).padStart(places + 1, '0');
  const fraction = digits.slice(-places).replace(/0+$/, '');
  return digits.slice(0, -places) + (fraction === '' ? '' : `.${fraction}`);
}

function badDuration(text: string): OperatingError {
  return new OperatingError('base/bad-duration', `Cannot read duration ${JSON.stringify(text)}: expected a form such as "30s" or "1h30m"`);
}
