/**
 * Command lines as Go programs take them, rewritten for a parser that knows `--long` and `-s` only.
 * Source: Go package `flag`, urfave/cli.
 */

/** What a flag takes; `undefined` for one that is not known, which the parser will refuse. `name` has no dashes. */
export type FlagForm = (name: string) => 'boolean' | 'value' | undefined;

const truths = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const lies = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

/**
 * `-name` and `--n` become `--name` and `-n`; `-n=value` becomes two arguments; a boolean flag loses its value, and is
 * left out when that is false. Everything from `--` on, and the value after a flag that takes one, stays as it is.
 */
export function rewriteGoArguments(argv: readonly string[], formOf: FlagForm): string[] {
  const rewritten: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] ?? '';
    if (argument === '--') return [...rewritten, ...argv.slice(at)];
    const [, name = '', value] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(argument) ?? [];
    const form = formOf(name);
    if (name === '' || isNumber(argument)) rewritten.push(argument);
    else if (form === 'boolean' && value !== undefined && lies.has(value)) continue;
    else if (form === 'boolean' && value !== undefined && truths.has(value)) rewritten.push(dashed(name));
    else if (value !== undefined) rewritten.push(...withValue(name, value));
    else {
      rewritten.push(dashed(name));
      if (form === 'value' && at + 1 < argv.length) rewritten.push(argv[++at] ?? '');
    }
  }
  return rewritten;
}

const dashed = (name: string): string => (name.length === 1 ? `-${name}` : `--${name}`);

/** `-n=value` would give the parser the value `=value`. */
function withValue(name: string, value: string): string[] {
  return name.length === 1 ? [dashed(name), value] : [`${dashed(name)}=${value}`];
}

/** A negative number is an argument. */
function isNumber(argument: string): boolean {
  return /^-[0-9]/.test(argument);
}
