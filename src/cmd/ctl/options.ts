/**
 * Options on top of commander: Go's forms of values, and failures in Go's words.
 */
import { Command as CommanderCommand, CommanderError, Option } from 'commander';
import { rewriteGoArguments } from '../../base/index.ts';
import { parseGoDuration } from '../../model/index.ts';
import type { OptionSpec, OptionValues } from './command.ts';

/** A command line that does not fit its command; `detail` names the flag. */
export class UsageFailure extends Error {
  override readonly name = 'UsageFailure';
  readonly code = 'ctl/usage';
  /** What to try, on a line of its own. */
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** A commander command that knows the options, for parsing and for its help. */
export function commanderOf(name: string, options: readonly OptionSpec[]): CommanderCommand {
  const command = new CommanderCommand(name).helpOption(false).helpCommand(false).exitOverride();
  command.configureOutput({ writeOut: () => {}, writeErr: () => {} });
  for (const spec of options) command.addOption(optionOf(spec));
  return command;
}

function optionOf(spec: OptionSpec): Option {
  const names = [...spec.names].sort((a, b) => a.length - b.length).map(dashed);
  const placeholder = spec.kind === 'boolean' ? '' : ` <${placeholders[spec.kind]}>`;
  const fallback = spec.fallback === undefined ? '' : ` (default: ${spec.fallback})`;
  // Commander takes two names for an option; no option has more.
  return new Option(`${names.join(', ')}${placeholder}`, spec.summary + fallback);
}

const placeholders = { text: 'text', integer: 'n', duration: 'duration', list: 'text' } as const;

function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

export interface Parsed {
  readonly values: OptionValues;
  readonly args: readonly string[];
}

/** Reads options wherever they stand before `--`. Throws `UsageFailure`. */
export function parseOptions(options: readonly OptionSpec[], argv: readonly string[]): Parsed {
  const specOfName = new Map(options.flatMap((spec) => spec.names.map((name) => [name, spec] as const)));
  const given = new Map<OptionSpec, unknown[]>();
  const command = commanderOf('', options);
  for (const [index, option] of command.options.entries()) {
    const spec = options[index];
    if (spec === undefined) continue;
    // Also for negated names, such as --no-status, which commander would turn around.
    command.on(`option:${option.name()}`, (text: string | null) => {
      given.set(spec, [...(given.get(spec) ?? []), readValue(spec, text, argv)]);
    });
  }
  const rewritten = rewriteGoArguments(argv, (name) => {
    const kind = specOfName.get(name)?.kind;
    return kind === undefined ? undefined : kind === 'boolean' ? 'boolean' : 'value';
  });
  const { operands, unknown } = inGoWords(() => command.parseOptions(rewritten));
  if (unknown[0] !== undefined) throw notDefined(unknown[0]);
  return { values: valuesOf(specOfName, given), args: operands };
}

function inGoWords<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const flag = /'([^']*)'/.exec(error.message)?.[1] ?? '';
    const name = flag.split(/[ ,]/).find((part) => part.startsWith('-')) ?? flag;
    throw new UsageFailure(`flag needs an argument: -${name.replace(/^-+/, '')}`);
  }
}

function notDefined(argument: string): UsageFailure {
  return new UsageFailure(`flag provided but not defined: -${argument.replace(/^-+/, '').replace(/=.*$/s, '')}`);
}

function readValue(spec: OptionSpec, text: string | null, argv: readonly string[]): unknown {
  if (spec.kind === 'boolean') return true;
  const value = text ?? '';
  if (spec.kind === 'text' || spec.kind === 'list') return value;
  const read = spec.kind === 'integer' ? readInteger(value) : readDuration(value);
  if (read === undefined) {
    const name = usedName(spec, argv);
    const hint = spec.kind === 'duration' ? `-${name} takes a time with its unit, such as 30s or 2h` : undefined;
    throw new UsageFailure(`invalid value ${JSON.stringify(value)} for flag -${name}: parse error`, hint);
  }
  return read;
}

/** The name under which the option was given. */
function usedName(spec: OptionSpec, argv: readonly string[]): string {
  const used = argv.map((argument) => argument.replace(/^--?/, '').replace(/=.*$/s, ''));
  return spec.names.find((name) => used.includes(name)) ?? spec.names[0];
}

/** Decimal or with the prefixes of Go: `0x`, `0o`, `0b`; with a sign. */
function readInteger(text: string): number | undefined {
  const [, sign, digits] = /^([+-]?)([0-9]+|0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+)$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const value = Number(digits) * (sign === '-' ? -1 : 1);
  return Number.isSafeInteger(value) ? value : undefined;
}

function readDuration(text: string): number | undefined {
  try {
    return parseGoDuration(text);
  } catch {
    // Reported with the name of the flag.
    return undefined;
  }
}

function valuesOf(
  specOfName: ReadonlyMap<string, OptionSpec>,
  given: ReadonlyMap<OptionSpec, unknown[]>,
): OptionValues {
  const all = (name: string): unknown[] => {
    const spec = specOfName.get(name);
    return spec === undefined ? [] : (given.get(spec) ?? []);
  };
  const last = (name: string): unknown => all(name).at(-1);
  const fallback = (name: string): string => specOfName.get(name)?.fallback ?? '';
  return {
    flag: (name) => last(name) === true,
    text: (name) => String(last(name) ?? fallback(name)),
    integer: (name) => Number(last(name) ?? fallback(name)),
    duration: (name) => Number(last(name) ?? 0),
    list: (name) => all(name).map(String),
  };
}
