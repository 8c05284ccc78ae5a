/**
 * When pins were created, as the pinning service tells it: by the time of the oldest pin of a page its readers ask for the
 * next page (`before`), so that no two pins may have the same. But pins are stored with whole seconds.
 *
 * The fraction of the second is therefore made of the CID: it is the same on every peer, it never changes, and nothing needs to be
 * remembered for it. Among 1000 pins of one second two have the same nanosecond once in 2000 cases; what readers with times
 * of milliseconds (`Date`) need is `endOfPage`.
 */
import type { Cid } from './cid.ts';
import { stateKey } from './pin-protobuf.ts';
import type { PinHeader } from './stored-pin.ts';
import { StoredPin } from './stored-pin.ts';
import { compareTimes, type Time, zeroTimeSeconds } from './time.ts';

/** Of a pin of the pinset; one without a time is from the year 1. */
export function createdOf(pin: PinHeader): Time {
  const seconds = secondsOf(pin);
  const key = pin instanceof StoredPin ? pin.key : stateKey(pin.cid);
  return { seconds, nanos: nanosOf(key) };
}

/** Of a pin that was written just now, as it will be told from then on. */
export function createdAt(cid: Cid, time: Time | null): Time {
  return { seconds: time?.seconds ?? zeroTimeSeconds, nanos: nanosOf(stateKey(cid)) };
}

/** Whole seconds. */
export function secondsOf(pin: PinHeader): number {
  // A plain pin has them at hand.
  if (pin instanceof StoredPin && pin.isPlain && pin.seconds !== 0) return pin.seconds;
  return pin.timestamp?.seconds ?? zeroTimeSeconds;
}

/** Newest first. */
export function byCreated(a: { readonly created: Time }, b: { readonly created: Time }): number {
  return compareTimes(b.created, a.created);
}

/**
 * How many of the items, newest first, make a page of at most `limit`, when more follow: it does not end among items of one
 * millisecond, because whoever cuts times to milliseconds would lose the rest of them. Unless there are more of these than a page has.
 */
export function endOfPage(items: readonly { readonly created: Time }[], limit: number): number {
  if (items.length <= limit) return items.length;
  let end = limit;
  while (end > 0 && isSameMillisecond(items[end - 1]?.created, items[end]?.created)) end--;
  return end === 0 ? limit : end;
}

function isSameMillisecond(a: Time | undefined, b: Time | undefined): boolean {
  if (a === undefined || b === undefined || a.seconds !== b.seconds) return false;
  return Math.floor(a.nanos / 1_000_000) === Math.floor(b.nanos / 1_000_000);
}

/** FNV-1a, then the last steps of MurmurHash3, so that near keys are not near in time. `0 <= nanos < 1e9`. */
function nanosOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash = (hash ^ (hash >>> 16)) >>> 0;
  return Math.floor((hash / 0x1_0000_0000) * 1e9);
}
