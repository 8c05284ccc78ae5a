/**
 * What every table can do: give its defaults, be read from the file, be overridden by the environment, be written.
 * Reading first takes the defaults, then what the file says, then what the environment says, then checks.
 * Source: Go `config.Manager.LoadJSON`, `ApplyEnvVars`, and the `applyJSONConfig` of the components.
 */
import { badValue } from './errors.ts';
import type { Field, Fields, Section, ValueField } from './field.ts';
import type { Json, JsonObject } from './json.ts';
import { isJsonObject } from './json.ts';
import { nearest } from './nearest.ts';

/** Told of what is there and has no effect. */
export type Warn = (message: string) => void;

/** Variables by name, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Shown instead of what must not be seen. */
const hiddenText = 'XXX_hidden_XXX';

/** The configuration of a section that is not there, and the start of every other one. */
export function defaultsOf<T>(section: Pick<Section<T>, 'fields'>): T {
  return build(section.fields, initialOf);
}

/** Throws `config/bad-value`. Unknown keys are told to `warn`. */
export function readSection<T>(section: Section<T>, json: Json, warn: Warn): T {
  const value = readFields(section.fields, json, defaultsOf(section), section.path, warn);
  runCheck(section, value);
  return value;
}

/** A section as it was, with what the environment says. Throws `config/bad-value`. */
export function overrideSection<T>(section: Section<T>, value: T, environment: Environment): T {
  const changed = overrideFields(section.fields, value, section.path, section.envPrefix, environment);
  runCheck(section, changed);
  return changed;
}

/** What the written form is for. */
export interface WriteOptions {
  /** `file`: without what is omitted by default. `display`: everything, with hidden values masked. */
  readonly form: 'file' | 'display';
}

/** The section as JSON, in the order of its table. */
export function writeSection<T>(section: Section<T>, value: T, options: WriteOptions): JsonObject {
  return writeFields(section.fields, value, options);
}

/** Names of the environment variables of a section. */
export function variablesOf<T>(section: Section<T>): readonly string[] {
  return variableNames(section.fields, section.envPrefix);
}

function runCheck<T>(section: Section<T>, value: T): void {
  const problem = section.check?.(value);
  if (problem !== undefined) throw badValue(`${section.path}.${problem.key}`, problem.found, problem.expected);
}

type Rows = readonly (readonly [name: string, field: Field<unknown>])[];

/** The rows of a table. The compiler checked each field against its value; here they are handled alike. */
function rowsOf<T>(fields: Fields<T>): Rows {
  // Proof: Fields<T> holds exactly one Field for each name of T.
  return Object.entries(fields) as unknown as Rows;
}

/** One value for each row. */
function build<T>(fields: Fields<T>, make: (field: Field<unknown>, name: string) => unknown): T {
  // Proof: each name of T gets the value that its own field made.
  return Object.fromEntries(rowsOf(fields).map(([name, field]) => [name, make(field, name)])) as T;
}

function valueNamed(values: unknown, name: string): unknown {
  // Proof: values was made by `build` from the same table.
  return (values as Record<string, unknown>)[name];
}

const isGroup = (field: Field<unknown>): field is Extract<Field<unknown>, { fields: unknown }> => 'fields' in field;

function initialOf(field: Field<unknown>): unknown {
  return isGroup(field) ? build(field.fields, initialOf) : field.initial;
}

function readFields<T>(fields: Fields<T>, json: Json, current: T, path: string, warn: Warn): T {
  if (!isJsonObject(json)) throw badValue(path, json, 'an object');
  const given = byLowerCase(json);
  warnUnknown(
    Object.keys(json),
    rowsOf(fields).map(([, { key }]) => key),
    path,
    warn,
  );
  return build(fields, (field, name) => {
    const found = given.get(field.key) ?? undefined;
    const at = `${path}.${field.key}`;
    if (!isGroup(field)) return readValue(field, found, valueNamed(current, name), at);
    if (found === undefined) return valueNamed(current, name);
    return checked(field, readFields(field.fields, found, valueNamed(current, name), at, warn), path);
  });
}

/** Go matches keys in any letter case; of equal ones the last counts. */
function byLowerCase(json: JsonObject): Map<string, Json> {
  return new Map(Object.entries(json).map(([key, value]) => [key.toLowerCase(), value]));
}

/** Tells of keys that nothing reads, with the known one that may have been meant. */
export function warnUnknown(found: readonly string[], known: readonly string[], path: string, warn: Warn): void {
  for (const key of found) {
    if (known.includes(key.toLowerCase())) continue;
    const guess = nearest(key.toLowerCase(), known);
    const prefix = path === '' ? '' : `${path}.`;
    warn(`unknown key ${prefix}${key} has no effect${guess === undefined ? '' : `; did you mean ${prefix}${guess}?`}`);
  }
}

function readValue(field: ValueField<unknown>, found: Json | undefined, current: unknown, at: string): unknown {
  if (found === undefined) {
    if (field.missing === 'required') throw badValue(at, found, field.kind.expected);
    return field.missing === 'zero' ? limited(field, field.kind.zero, found, at) : current;
  }
  const value = field.kind.read(found);
  if (value === undefined) throw badValue(at, field.isHidden ? hiddenText : found, field.kind.expected);
  if (field.missing === 'default' && isZero(value)) return current;
  if (field.missing === 'unset' && found === '') return current;
  return limited(field, value, found, at);
}

function isZero(value: unknown): boolean {
  return value === '' || value === 0 || value === false || (Array.isArray(value) && value.length === 0);
}

function limited(field: ValueField<unknown>, value: unknown, found: Json | undefined, at: string): unknown {
  if (field.limit === undefined || field.limit.holds(value)) return value;
  throw badValue(at, field.isHidden ? hiddenText : found, field.limit.words);
}

function checked<T>(group: Extract<Field<unknown>, { fields: unknown }>, value: T, path: string): T {
  const problem = group.check?.(value);
  if (problem !== undefined) throw badValue(`${path}.${group.key}.${problem.key}`, problem.found, problem.expected);
  return value;
}

function overrideFields<T>(fields: Fields<T>, current: T, path: string, prefix: string, environment: Environment): T {
  return build(fields, (field, name) => {
    const variable = variableOf(prefix, field);
    const at = `${path}.${field.key}`;
    const value = valueNamed(current, name);
    if (isGroup(field)) return checked(field, overrideFields(field.fields, value, at, variable, environment), path);
    const text = environment[variable];
    if (text === undefined) return value;
    const json = field.kind.readText(text);
    const where = `${variable} (${at})`;
    if (json === undefined) throw badValue(where, field.isHidden ? hiddenText : text, field.kind.expected);
    return readValue(field, json, value, where);
  });
}

/** Go's rule: the name of the field in capitals, which is the key without its underscores. */
function variableOf(prefix: string, field: Field<unknown>): string {
  return `${prefix}_${field.key.replaceAll('_', '').toUpperCase()}`;
}

function variableNames<T>(fields: Fields<T>, prefix: string): readonly string[] {
  return rowsOf(fields).flatMap(([, field]) =>
    isGroup(field) ? variableNames(field.fields, variableOf(prefix, field)) : [variableOf(prefix, field)],
  );
}

function writeFields<T>(fields: Fields<T>, values: T, options: WriteOptions): JsonObject {
  const written: Record<string, Json> = {};
  for (const [name, field] of rowsOf(fields)) {
    const value = valueNamed(values, name);
    if (isGroup(field)) written[field.key] = writeFields(field.fields, value, options);
    else if (options.form === 'display' && field.isHidden) written[field.key] = hiddenText;
    else if (options.form === 'display' || !field.isOmitted || !isInitial(field, value)) {
      written[field.key] = field.kind.write(value);
    }
  }
  return written;
}

function isInitial(field: ValueField<unknown>, value: unknown): boolean {
  return JSON.stringify(field.kind.write(value)) === JSON.stringify(field.kind.write(field.initial));
}
