/**
 * From a command line to a command, and from a failure to an exit code.
 *
 * Options of the program stand before the command word, those of a command anywhere behind it. The words are looked up
 * here, so that an unknown one is told from a flag; commander reads the options and lays out the help.
 */
import type { Command as CommanderCommand } from 'commander';
import { errorCode, errorMessage, version } from '../../base/index.ts';
import { RequestError } from '../../client/index.ts';
import {
  type Command,
  type CtlIo,
  type Encoding,
  LocalFailure,
  type OptionSpec,
  type OptionValues,
} from './command.ts';
import { commands, groups, programName as name } from './commands.ts';
import { complete } from './completion/complete.ts';
import { placeOf } from './completion/place.ts';
import { type Connected, connectionOf, encodingOf, globalOptions, situationOf } from './globals.ts';
import { hintFor } from './hint.ts';
import { commanderOf, type Parsed, parseOptions, UsageFailure } from './options.ts';
import { type Paint, paintFor } from './paint.ts';
import { printerOf, printRequestError } from './print.ts';
import { statusLineOf } from './status-line.ts';

const helpOption: OptionSpec = { names: ['help', 'h'], kind: 'boolean', summary: 'Print this help' };
const exitUsage = 1;
const exitUnknownWord = 3;

/** Runs one command line, without the names of node and script. @returns the exit code. */
export async function main(argv: readonly string[], io: CtlIo): Promise<number> {
  const head = headLength(argv);
  const globals = tryParse(io, globalOptions, argv.slice(0, head), 'Incorrect Usage. ', []);
  if (globals === undefined) return exitUsage;
  if (globals.values.flag('version')) {
    io.stdout(`${name} version ${version}\n`);
    return 0;
  }
  const rest = [...globals.args, ...argv.slice(head)];
  if (globals.values.flag('help') || rest.length === 0) return printHelp(io, []);
  if (isHelpWord(rest[0])) return helpOn(io, rest.slice(1));
  // The words behind it are those of a command line that is not finished.
  if (rest[0] === 'complete' && rest[1] === '--') return completeWords(io, rest.slice(2));

  const found = findCommand(rest);
  if (found.kind === 'unknown') return unknownWord(io, found.word);
  if (found.kind === 'group') {
    if (isHelpWord(found.args[0])) return helpOn(io, [...found.words, ...found.args.slice(1, 2)]);
    // A flag behind the word of a group can only ask for help.
    const parsed = tryParse(io, [helpOption], found.args, 'Incorrect Usage: ', found.words);
    return parsed === undefined ? exitUsage : printHelp(io, found.words);
  }
  const { command, args } = found;
  const parsed = tryParse(io, [...(command.options ?? []), helpOption], args, 'Incorrect Usage: ', command.words);
  if (parsed === undefined) return exitUsage;
  if (parsed.values.flag('help')) return printHelp(io, command.words);

  return runCommand(io, command, globals.values, parsed);
}

async function runCommand(
  world: CtlIo,
  command: Command,
  globals: OptionValues,
  { args, values }: Parsed,
): Promise<number> {
  const { io, statusLine } = statusLineOf(world, () => performance.now());
  const paint = paintFor(io.isTerminal.stderr, io.environment);
  let encoding: Encoding = 'text';
  let connected: Connected | undefined;
  try {
    encoding = encodingOf(globals);
    connected = connectionOf(io, globals);
    const { client } = connected;
    const warn = (line: string): void => io.stderr(`${paint('busy', 'warning')}: ${line}\n`);
    checkArguments(command, args, warn);
    await command.run({ io, encoding, client, print: printerOf(io, encoding), warn, statusLine }, args, values);
    return 0;
  } catch (error) {
    if (error instanceof RequestError) {
      const exitCode = printRequestError(io, encoding, error);
      printHint(io, hintFor(error, situationOf(io, globals)), paint);
      return exitCode;
    }
    if (!(error instanceof LocalFailure) && errorCode(error) === '') throw error;
    const doing = error instanceof LocalFailure ? error.doing : '';
    io.stderr(`${paint('bad', 'error')} ${doing}: ${errorMessage(error)}\n`);
    if (error instanceof LocalFailure) printHint(io, error.hint, paint);
    return error instanceof LocalFailure ? error.exitCode : 1;
  } finally {
    statusLine.clear();
    await connected?.close();
  }
}

function printHint(io: CtlIo, hint: string | undefined, paint: Paint): void {
  if (hint !== undefined) io.stderr(`${paint('quiet', 'hint')}: ${hint}\n`);
}

async function completeWords(io: CtlIo, words: readonly string[]): Promise<number> {
  const place = placeOf(words, { commands, groups, globalOptions });
  await complete(io, place, () => connectionOf(io, parseOptions(globalOptions, place.globals).values));
  return 0;
}

/** Throws `LocalFailure` when some are missing. */
function checkArguments(
  { words, usage = '', argumentsMin: min = 0, argumentsMax: max = min, refusesMore }: Command,
  args: readonly string[],
  warn: (line: string) => void,
): void {
  const line = `${name} ${words.join(' ')} ${usage}`.trim();
  // An empty one is what a shell makes of a variable that is not set.
  const empty = args.indexOf('');
  if (args.length < min || (empty >= 0 && empty < min))
    throw new LocalFailure('', `an argument is missing, expected: ${line}`);
  if (args.length <= max) return;
  const surplus = args
    .slice(max)
    .map((text) => JSON.stringify(text))
    .join(' ');
  if (refusesMore) throw new LocalFailure('', `found ${surplus} too many, expected: ${line}`);
  warn(`ignored ${surplus}, expected: ${line}`);
}

/** How many arguments come before the command word: flags and their values. */
function headLength(argv: readonly string[]): number {
  let at = 0;
  while (at < argv.length) {
    const argument = argv[at] ?? '';
    if (!argument.startsWith('-') || argument === '-' || argument === '--') break;
    const flag = argument.replace(/^--?/, '');
    const spec = globalOptions.find((option) => option.names.includes(flag));
    at += spec !== undefined && spec.kind !== 'boolean' ? 2 : 1;
  }
  return Math.min(at, argv.length);
}

function tryParse(
  io: CtlIo,
  options: readonly OptionSpec[],
  argv: readonly string[],
  prefix: string,
  words: readonly string[],
): ReturnType<typeof parseOptions> | undefined {
  try {
    return parseOptions(options, argv);
  } catch (error) {
    if (!(error instanceof UsageFailure)) throw error;
    // One line is what is needed; the Go program buries it under the whole help.
    io.stdout(`${prefix}${error.message}\n\nFor help: ${[name, ...words].join(' ')} --help\n`);
    printHint(io, error.hint, paintFor(io.isTerminal.stderr, io.environment));
    return undefined;
  }
}

type Found =
  | { readonly kind: 'command'; readonly command: Command; readonly args: readonly string[] }
  | { readonly kind: 'group'; readonly words: readonly string[]; readonly args: readonly string[] }
  | { readonly kind: 'unknown'; readonly word: string };

function isHelpWord(word: string | undefined): boolean {
  return word === 'help' || word === 'h';
}

function findCommand(argv: readonly string[]): Found {
  const [first = '', second = ''] = argv;
  const single = commands.find((command) => command.words.length === 1 && command.words[0] === first);
  if (single !== undefined) return { kind: 'command', command: single, args: argv.slice(1) };
  if (!commands.some((command) => command.words[0] === first)) return { kind: 'unknown', word: first };
  const double = commands.find((command) => command.words[0] === first && command.words[1] === second);
  if (double !== undefined) return { kind: 'command', command: double, args: argv.slice(2) };
  if (second === '' || second.startsWith('-') || isHelpWord(second))
    return { kind: 'group', words: [first], args: argv.slice(1) };
  return { kind: 'unknown', word: second };
}

function unknownWord(io: CtlIo, word: string): number {
  io.stderr(`No help topic for '${word}'\n`);
  return exitUnknownWord;
}

function helpOn(io: CtlIo, words: readonly string[]): number {
  if (words.length === 0) return printHelp(io, []);
  const found = findCommand(words);
  if (found.kind === 'unknown') return unknownWord(io, found.word);
  return printHelp(io, found.kind === 'command' ? found.command.words : found.words);
}

function printHelp(io: CtlIo, words: readonly string[]): number {
  let command = programTree();
  for (const word of words) command = command.commands.find((child) => child.name() === word) ?? command;
  io.stdout(command.helpInformation());
  return 0;
}

function programTree(): CommanderCommand {
  const program = commanderOf(name, globalOptions)
    .usage('[options] <command> [options of the command] [arguments]')
    .summary('talks to IPFS Cluster peers')
    .description('Talks to a peer of an IPFS Cluster through its HTTP API.');
  for (const command of commands) {
    const [first, second] = command.words;
    const parent = second === undefined ? program : groupOf(program, first, command.isHidden === true);
    const child = commanderOf(second ?? first, [...(command.options ?? []), helpOption])
      .usage(`[options] ${command.usage ?? ''}`.trim())
      .summary(command.summary)
      .description([`${command.summary}.`, command.details ?? ''].join('\n\n').trim());
    parent.addCommand(child, { hidden: command.isHidden === true });
  }
  return program;
}

function groupOf(program: CommanderCommand, word: string, isHidden: boolean): CommanderCommand {
  const existing = program.commands.find((command) => command.name() === word);
  if (existing !== undefined) return existing;
  const group = commanderOf(word, [helpOption])
    .usage('<command>')
    .description(groups[word] ?? '');
  program.addCommand(group, { hidden: isHidden });
  return group;
}
