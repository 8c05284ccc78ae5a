/** Answers that no embedding program gets, as plain data. */
import type { AddedOutput, Bandwidth, Metric, Time } from '../../model/index.ts';
import { Cid } from '../../model/index.ts';
import { dateOf } from '../../plain/index.ts';

/** The same without words of the model: CIDs as text, times as `Date`, `undefined` for what is not there. */
export type Plain<T> = T extends Cid
  ? string
  : T extends Time
    ? Date
    : T extends null
      ? undefined
      : T extends object
        ? { readonly [K in keyof T]: Plain<T[K]> }
        : T;

/** Traffic of one protocol; bytes, and bytes per second. */
export type Traffic = Bandwidth;

/** What a peer has published about itself. */
export interface MetricInfo {
  readonly name: string;
  readonly peer: string;
  /** Of `freespace`, bytes; of `ping`, a JSON document; of `tag:<name>`, the value of the tag. */
  readonly value: string;
  /** When it counts no more, by the clock of that peer. */
  readonly expiresAt: Date;
  readonly isValid: boolean;
  /** Where it is used to choose peers: more is better. */
  readonly weight: bigint;
}

/** What was added. */
export interface Added {
  readonly cid: string;
  /** Its path in what was uploaded; empty for a directory around all. */
  readonly name: string;
  /** Bytes of all its blocks. */
  readonly size: number;
  /** Peers that have got the blocks. */
  readonly allocations: readonly string[];
}

/** Of any answer. */
export function plainOf<T>(value: T): Plain<T> {
  // Proof of the casts: the type is made by the same rules.
  return plain(value) as Plain<T>;
}

function plain(value: unknown): unknown {
  if (value === null) return undefined;
  if (typeof value !== 'object') return value;
  if (value instanceof Cid) return value.toString();
  if (Array.isArray(value)) return value.map(plain);
  if (isTime(value)) return dateOf(value);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

function isTime(value: object): value is Time {
  return 'seconds' in value && 'nanos' in value;
}

export function metricOf({ name, peer, value, expire, valid, weight }: Metric): MetricInfo {
  return { name, peer, value, expiresAt: new Date(Number(expire / 1_000_000n)), isValid: valid, weight };
}

/** `undefined` of a line that only tells how much was read. */
export function addedOf({ cid, name, size, bytes, allocations }: AddedOutput): Added | undefined {
  return cid === null ? undefined : { cid: cid.toString(), name, size: size || bytes, allocations: allocations ?? [] };
}
