/**
 * What is expected where the cursor of a shell stands. Pure: what only the cluster knows is named, not asked.
 */
import type { Command, Completion, OptionSpec } from '../command.ts';

/** Something that can stand at the cursor. */
export interface Candidate {
  readonly text: string;
  /** Shown beside it by shells that can. */
  readonly about: string;
}

/** What fits at the cursor. */
export interface Place {
  /** What is already there of the value. */
  readonly begun: string;
  /** What stands before the value in the same word, such as `--filter=` or the first names of a list. */
  readonly prefix: string;
  readonly wanted: { readonly kind: 'words'; readonly words: readonly Candidate[] } | { readonly kind: Asked };
  /** Words in front of the command: they lead to the cluster. */
  readonly globals: readonly string[];
}

type Asked = Extract<Completion, string>;

interface Tables {
  readonly commands: readonly Command[];
  readonly groups: Readonly<Record<string, string>>;
  readonly globalOptions: readonly OptionSpec[];
}

/** `words` are those behind the program's name; the last one, empty or not, is the one that the cursor stands in. */
export function placeOf(words: readonly string[], tables: Tables): Place {
  const { commands, globalOptions } = tables;
  const joined = joinValues(words);
  const current = joined.at(-1) ?? '';
  const before = joined.slice(0, -1);
  const head = skipOptions(before, 0, globalOptions);
  const globals = before.slice(0, head.at);
  if (head.open !== undefined) return valuePlace(head.open, '', current, globals);
  const [first, second] = before.slice(head.at);
  if (first === undefined) return optionOrWord(current, globalOptions, firstWords(tables), globals);

  if (first === 'help' && second === undefined) return wordsPlace(firstWords(tables), current, globals);
  const single = commands.find((command) => command.words.length === 1 && command.words[0] === first);
  const double = commands.find((command) => command.words[0] === first && command.words[1] === second);
  const command = single ?? (second === undefined ? undefined : double);
  if (command === undefined) {
    const isGroup = second === undefined && commands.some((candidate) => candidate.words[0] === first);
    return wordsPlace(isGroup ? secondWords(commands, first) : [], current, globals);
  }
  return commandPlace(command, before.slice(head.at + command.words.length), current, globals);
}

function commandPlace(command: Command, args: readonly string[], current: string, globals: readonly string[]): Place {
  const options = command.options ?? [];
  let at = 0;
  let count = 0;
  let isOptions = true;
  while (at < args.length) {
    if (args[at] === '--') isOptions = false;
    else if (isOptions && isOption(args[at])) {
      const skipped = skipOptions(args, at, options);
      if (skipped.open !== undefined) return valuePlace(skipped.open, '', current, globals);
      at = skipped.at;
      continue;
    } else count += 1;
    at += 1;
  }
  const max = command.argumentsMax ?? command.argumentsMin ?? 0;
  const completion = count < max ? command.completion : undefined;
  if (isOptions && isOption(current)) return optionOrWord(current, options, [], globals);
  if (completion === undefined) return wordsPlace([], current, globals);
  return typeof completion === 'string'
    ? { begun: current, prefix: '', wanted: { kind: completion }, globals }
    : wordsPlace(named(completion), current, globals);
}

/** Bash takes `--filter=pinned` for three words. */
function joinValues(words: readonly string[]): readonly string[] {
  const joined: string[] = [];
  for (const [at, word] of words.entries()) {
    const isValueSign = word === '=' && isOption(joined.at(-1));
    if (!isValueSign) joined.push(word);
    // The cursor stands right behind it.
    else if (at === words.length - 1) joined.push('');
  }
  return joined;
}

/** From `at` behind all options and their values; `open` is the one whose value is next. */
function skipOptions(
  words: readonly string[],
  at: number,
  options: readonly OptionSpec[],
): { readonly at: number; readonly open?: OptionSpec } {
  let next = at;
  while (next < words.length) {
    const word = words[next];
    if (word === undefined || word === '--' || !isOption(word)) break;
    const spec = word.includes('=') ? undefined : optionNamed(options, word);
    const isOpen = spec !== undefined && spec.kind !== 'boolean';
    if (isOpen && next + 1 >= words.length) return { at: next, open: spec };
    next += isOpen ? 2 : 1;
  }
  return { at: next };
}

function isOption(word: string | undefined): boolean {
  return word?.startsWith('-') === true;
}

function optionNamed(options: readonly OptionSpec[], word: string): OptionSpec | undefined {
  const name = word.replace(/^--?/, '').replace(/=.*$/s, '');
  return options.find((spec) => spec.names.includes(name));
}

function optionOrWord(
  current: string,
  options: readonly OptionSpec[],
  words: readonly Candidate[],
  globals: readonly string[],
): Place {
  if (!isOption(current)) return wordsPlace(words, current, globals);
  const at = current.indexOf('=');
  const spec = at < 0 ? undefined : optionNamed(options, current);
  if (spec !== undefined) return valuePlace(spec, current.slice(0, at + 1), current.slice(at + 1), globals);
  return wordsPlace([...options, help].map(optionCandidate), current, globals);
}

const help: OptionSpec = { names: ['help', 'h'], kind: 'boolean', summary: 'Print this help' };

function optionCandidate({ names, summary }: OptionSpec): Candidate {
  const [name] = names;
  return { text: name.length === 1 ? `-${name}` : `--${name}`, about: summary };
}

function valuePlace(spec: OptionSpec, prefix: string, value: string, globals: readonly string[]): Place {
  const { completion, isCommaList } = spec;
  const cut = isCommaList === true ? value.lastIndexOf(',') + 1 : 0;
  const place = { begun: value.slice(cut), prefix: prefix + value.slice(0, cut), globals };
  if (typeof completion === 'string') return { ...place, wanted: { kind: completion } };
  return { ...place, wanted: { kind: 'words', words: named(completion ?? []) } };
}

function wordsPlace(words: readonly Candidate[], begun: string, globals: readonly string[]): Place {
  return { begun, prefix: '', wanted: { kind: 'words', words }, globals };
}

const named = (names: readonly string[]): readonly Candidate[] => names.map((text) => ({ text, about: '' }));

function firstWords({ commands, groups }: Tables): readonly Candidate[] {
  const words = new Map<string, string>();
  for (const {
    words: [word, second],
    summary,
    isHidden,
  } of commands) {
    if (isHidden === true || words.has(word)) continue;
    words.set(word, second === undefined ? summary : (groups[word] ?? ''));
  }
  words.set('help', 'Print the help of a command');
  return [...words].map(([text, about]) => ({ text, about }));
}

function secondWords(commands: readonly Command[], first: string): readonly Candidate[] {
  return commands
    .filter(({ words, isHidden }) => words[0] === first && isHidden !== true)
    .map(({ words, summary }) => ({ text: words[1] ?? '', about: summary }));
}
