/**
 * How long until, or since, in words.
 * Source: dustin/go-humanize `times.go`, whose months have 30 days and whose years have 12 of them.
 */
const second = 1;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const week = 7 * day;
const month = 30 * day;
const year = 12 * month;

/** Below `limit` seconds: a fixed text, or a count of `unit`s. */
const steps: readonly { readonly limit: number; readonly text: string; readonly unit?: number }[] = [
  { limit: second, text: 'now' },
  { limit: 2 * second, text: '1 second' },
  { limit: minute, text: 'seconds', unit: second },
  { limit: 2 * minute, text: '1 minute' },
  { limit: hour, text: 'minutes', unit: minute },
  { limit: 2 * hour, text: '1 hour' },
  { limit: day, text: 'hours', unit: hour },
  { limit: 2 * day, text: '1 day' },
  { limit: week, text: 'days', unit: day },
  { limit: 2 * week, text: '1 week' },
  { limit: month, text: 'weeks', unit: week },
  { limit: 2 * month, text: '1 month' },
  { limit: year, text: 'months', unit: month },
  { limit: 18 * month, text: '1 year' },
  { limit: 2 * year, text: '2 years' },
  { limit: Number.POSITIVE_INFINITY, text: 'years', unit: year },
];

/** `then` as seen from `now`, both in nanoseconds since the epoch. */
export function relativeTime(then: bigint, now: bigint): string {
  const difference = then - now;
  const seconds = Number((difference < 0n ? -difference : difference) / 1_000_000_000n);
  const step = steps.find((candidate) => seconds < candidate.limit);
  if (step === undefined || step.text === 'now') return 'now';
  const amount = step.unit === undefined ? step.text : `${Math.floor(seconds / step.unit)} ${step.text}`;
  return `${amount} ${difference < 0n ? 'ago' : 'from now'}`;
}
