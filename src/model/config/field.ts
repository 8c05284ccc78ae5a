/**
 * One row of a configuration table: a key of the file with its kind, its default, and what is allowed.
 */
import type { Json } from './json.ts';
import type { Kind } from './kind.ts';

/**
 * What a missing key, `""`, `0`, `false` or `[]` means. `default`: the default, so that the zero value cannot be chosen.
 * `zero`: the zero value, not the default. `unset`: the default when missing or `""`, while `"0s"` counts.
 * `required`: an error when missing.
 */
export type Missing = 'default' | 'zero' | 'unset' | 'required';

/** A condition on a value; `words` end the sentence "expected …". */
export interface Limit<T> {
  readonly words: string;
  holds(value: T): boolean;
}

export interface FieldOptions<T> {
  /** The value that `init` writes. */
  readonly initial: T;
  readonly missing: Missing;
  readonly limit?: Limit<T>;
  /** Not written while it has its initial value. */
  readonly isOmitted?: boolean;
  /** Never shown. */
  readonly isHidden?: boolean;
}

export interface ValueField<T> extends FieldOptions<T> {
  readonly key: string;
  readonly kind: Kind<T>;
}

/** An object of fields. As a whole it takes its initial value when it is missing; when it is present its fields count. */
export interface GroupField<T> {
  readonly key: string;
  readonly fields: Fields<T>;
  readonly check?: Check<T>;
}

export type Field<T> = ValueField<T> | GroupField<T>;
export type Fields<T> = { readonly [K in keyof T]-?: Field<T[K]> };

/** What is wrong with several values together. */
export interface Problem {
  readonly key: string;
  readonly found: Json;
  readonly expected: string;
}
export type Check<T> = (value: T) => Problem | undefined;

/** A part of the file with a table of its own. */
export interface Section<T> {
  /** Where it stands, such as `consensus.raft`. */
  readonly path: string;
  /** Its environment variables begin with this and `_`. */
  readonly envPrefix: string;
  readonly fields: Fields<T>;
  readonly check?: Check<T>;
}

export function field<T>(key: string, kind: Kind<T>, options: FieldOptions<T>): ValueField<T> {
  return { key, kind, ...options };
}

export function group<T>(key: string, fields: Fields<T>, check?: Check<T>): GroupField<T> {
  return check === undefined ? { key, fields } : { key, fields, check };
}

export const above0: Limit<number> = { words: 'more than 0', holds: (value) => value > 0 };
export const atLeast0: Limit<number> = { words: '0 or more', holds: (value) => value >= 0 };
export const notEmptyText: Limit<string> = { words: 'a value', holds: (value) => value !== '' };
export const notEmptyList: Limit<readonly string[]> = {
  words: 'at least one value',
  holds: (value) => value.length > 0,
};

/** Bounds of a number, both included; `show` prints them as the file would. */
export function between(min: number, max: number, show: (value: number) => string = String): Limit<number> {
  const words = Number.isFinite(max) ? `${show(min)} to ${show(max)}` : `${show(min)} or more`;
  return { words, holds: (value) => min <= value && value <= max };
}
