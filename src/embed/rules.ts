/** Rules for options of programs that may have been written without types. A broken one is told with its place. */
import { errorMessage } from '../base/index.ts';
import { nearest } from '../model/config/index.ts';
import { badOption, Hidden } from './errors.ts';

/** Throws `embed/bad-option` unless the value is as expected. `where` is the place, such as `listen[0]`; empty at the top. */
export type Rule = (value: unknown, where: string) => void;

type Rows = Readonly<Record<string, Rule>>;

/** Applies a rule to all the options. */
export function check(rule: Rule, options: unknown): void {
  rule(options, '');
}

/** Any text. */
export const text: Rule = textLike('a text', () => true);

/** A boolean. */
export const flag: Rule = (value, where) => {
  if (typeof value !== 'boolean') throw badOption(where, value, 'true or false');
};

/** `holds` may throw, which is a no as well. */
export function textLike(expected: string, holds: (value: string) => boolean, form?: 'hidden'): Rule {
  return (value, where) => {
    if (typeof value !== 'string') throw badOption(where, value, expected);
    const shown = form === 'hidden' ? new Hidden(`${value.length} characters`) : value;
    let isGood = false;
    try {
      isGood = holds(value);
    } catch (error) {
      throw badOption(where, shown, `${expected} (${errorMessage(error)})`);
    }
    if (!isGood) throw badOption(where, shown, expected);
  };
}

/** A safe integer of which `holds` is true. */
export function wholeNumber(expected: string, holds: (value: number) => boolean): Rule {
  return (value, where) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || !holds(value)) {
      throw badOption(where, value, expected);
    }
  };
}

/** A whole number above 0. */
export function aboveZero(expected: string): Rule {
  return wholeNumber(expected, (value) => value > 0);
}

export function listOf(rule: Rule, words: string, lengthMin: 0 | 1): Rule {
  return (value, where) => {
    if (!Array.isArray(value)) throw badOption(where, value, `a list of ${words}`);
    if (value.length < lengthMin) throw badOption(where, value, `a list of ${words} with at least one`);
    for (const [index, item] of value.entries()) rule(item, `${where}[${index}]`);
  };
}

/** An object of which every value keeps the rule. `hidden`: values are not shown. */
export function mapOf(rule: Rule, form?: 'hidden'): Rule {
  return (value, where) => {
    if (!isObject(value)) throw badOption(where, form === 'hidden' ? '…' : value, 'an object of texts');
    for (const [key, item] of Object.entries(value)) rule(item, `${where}.${key}`);
  };
}

/** An object with these keys and no others. What is `undefined` counts as absent. */
export function shape(rows: Rows, required: readonly string[] = []): Rule {
  return (value, where) => {
    const at = (key: string): string => (where === '' ? key : `${where}.${key}`);
    if (!isObject(value)) throw badOption(where === '' ? 'object' : where, value, `an object with ${keysOf(rows)}`);
    for (const key of Object.keys(value)) {
      if (Object.hasOwn(rows, key)) continue;
      const guess = nearest(key, Object.keys(rows));
      throw badOption(
        at(key),
        value[key],
        guess === undefined ? `one of ${keysOf(rows)}` : `that name to be "${guess}"`,
      );
    }
    for (const [key, rule] of Object.entries(rows)) {
      const item = value[key];
      if (item !== undefined || required.includes(key)) rule(item, at(key));
    }
  };
}

/** An object whose key `tag` says which of several shapes it has. */
export function oneShapeOf(tag: string, shapes: Readonly<Record<string, Rows>>): Rule {
  return (value, where) => {
    const names = Object.keys(shapes).map((name) => `"${name}"`);
    if (!isObject(value)) throw badOption(where, value, `an object with ${tag}: ${names.join(' or ')}`);
    const name = value[tag];
    const rows = typeof name === 'string' && Object.hasOwn(shapes, name) ? shapes[name] : undefined;
    if (rows === undefined) throw badOption(`${where}.${tag}`, name, names.join(' or '));
    shape({ ...rows, [tag]: text })(value, where);
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function keysOf(rows: Rows): string {
  return Object.keys(rows).join(', ');
}
