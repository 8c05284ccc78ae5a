/**
 * Durations in the text form of Go's `time.Duration`, as in `2m0s`, `1.5h`, `300ms`.
 * In memory they are milliseconds, which may be fractional.
 */
import { OperatingError } from '../base/index.ts';

const unitNanos: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
/** Go keeps durations in 64 bits. */
const nanosMax = 2n ** 63n - 1n;

/**
 * Milliseconds of a Go duration text. A sign is allowed, a number without unit is not (except `0`).
 * Throws `OperatingError` `model/bad-duration` with the text of Go's `time.ParseDuration`.
 */
export function parseGoDuration(text: string): number {
  const negative = text.startsWith('-');
  let rest = /^[+-]/.test(text) ? text.slice(1) : text;
  if (rest === '0') return 0;
  if (rest === '' || text.length > 128) throw bad(`invalid duration ${JSON.stringify(text.slice(0, 128))}`);
  let nanos = 0n;
  while (rest !== '') {
    const number = /^([0-9]*)(?:\.([0-9]*))?/.exec(rest);
    const whole = number?.[1] ?? '';
    const fraction = number?.[2] ?? '';
    if (number === null || (whole === '' && fraction === '')) throw bad(`invalid duration ${JSON.stringify(text)}`);
    rest = rest.slice(number[0].length);
    const unit = /^[^0-9.]*/.exec(rest)?.[0] ?? '';
    if (unit === '') throw bad(`missing unit in duration ${JSON.stringify(text)}`);
    const factor = Object.hasOwn(unitNanos, unit) ? unitNanos[unit] : undefined;
    if (factor === undefined) throw bad(`unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`);
    rest = rest.slice(unit.length);
    nanos += BigInt(whole) * factor + (BigInt(fraction) * factor) / 10n ** BigInt(fraction.length);
    if (nanos > nanosMax) throw bad(`invalid duration ${JSON.stringify(text)}`);
  }
  return (Number(nanos) / 1e6) * (negative ? -1 : 1);
}

/** The text that Go prints: hours, minutes and seconds from a second on (`1h0m0s`), else one smaller unit (`1.5ms`). */
export function formatGoDuration(milliseconds: number): string {
  const nanos = Math.round(Math.abs(milliseconds) * 1e6);
  const sign = milliseconds < 0 && nanos > 0 ? '-' : '';
  if (nanos === 0) return '0s';
  if (nanos < 1e3) return `${sign}${nanos}ns`;
  if (nanos < 1e6) return `${sign}${decimal(nanos, 1e3)}µs`;
  if (nanos < 1e9) return `${sign}${decimal(nanos, 1e6)}ms`;
  const minutes = Math.floor(nanos / 60e9);
  const seconds = `${decimal(nanos - minutes * 60e9, 1e9)}s`;
  if (minutes === 0) return sign + seconds;
  if (minutes < 60) return `${sign}${minutes}m${seconds}`;
  return `${sign}${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}

/** `nanos / unit` with all its digits and no trailing zeros; `unit` is a power of ten. */
function decimal(nanos: number, unit: number): string {
  const whole = Math.floor(nanos / unit);
  const digits = String(unit).length - 1;
  const fraction = String(nanos - whole * unit)
    .padStart(digits, '0')
    .replace(/0+$/, '');
  return fraction === '' ? String(whole) : `${whole}.${fraction}`;
}

function bad(problem: string): OperatingError {
  return new OperatingError('model/bad-duration', `time: ${problem}`);
}
