/**
 * What a command is: words, options, and what it does with them. `program.ts` turns the table of them into a parser
 * and help.
 */
import type { Client } from '../../client/index.ts';
import type { Json, Time } from '../../model/index.ts';
import type { Paint } from './paint.ts';
import type { StatusLine } from './status-line.ts';

/** The world as commands see it; tests bring their own. */
export interface CtlIo {
  stdout(text: string): void;
  stderr(text: string): void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  now(): Time;
  writeFile(path: string, text: string): Promise<void>;
  /** Where relative paths begin. */
  readonly folder: string;
  /** Which streams people read: colours and progress are only for them. */
  readonly isTerminal: { readonly stdout: boolean; readonly stderr: boolean };
  /** Letters in a line of the terminal. */
  columns(): number;
  /** Milliseconds between pinning and the look at the status, and between two looks of `--wait`. */
  readonly statusDelayMs: number;
}

/** How a value is shown: as JSON, or as the lines people read. */
export interface Form<T> {
  readonly json: Json<T>;
  /** Whole lines, each with its end. */
  text(value: T, paint: Paint): string;
}

/** What a command works with. */
export interface CommandContext {
  readonly io: CtlIo;
  readonly encoding: Encoding;
  readonly client: Client;
  /** Writes a result in the chosen encoding. */
  print<T>(form: Form<T>, value: T): void;
  /** A line on stderr, for what the Go program does without a word. */
  warn(line: string): void;
  /** A line that is redrawn while something takes long; nothing where stderr is no terminal. */
  readonly statusLine: StatusLine;
}

/** How results are printed: for people, as Go's indented JSON, or as compact JSON with a document per line. */
export type Encoding = 'text' | 'json' | 'ndjson';

/** What the shell offers for a word: one of these, or what only the cluster or the disk knows. */
export type Completion = readonly string[] | 'files' | 'peers' | 'metrics';

export type OptionKind = 'boolean' | 'text' | 'integer' | 'duration' | 'list';

export interface OptionSpec {
  /** Long and short names without dashes; the first one names the value. */
  readonly names: readonly [string, ...string[]];
  readonly kind: OptionKind;
  readonly summary: string;
  /** Shown in help, and used when the option is not given. */
  readonly fallback?: string;
  readonly completion?: Completion;
  /** The value is a list with commas between. */
  readonly isCommaList?: true;
}

/** Values of options by their first name; all have one. */
export interface OptionValues {
  flag(name: string): boolean;
  /** Empty when not given. */
  text(name: string): string;
  /** 0 when not given. */
  integer(name: string): number;
  /** Milliseconds; 0 when not given. */
  duration(name: string): number;
  list(name: string): readonly string[];
}

export interface Command {
  readonly words: readonly [string, ...string[]];
  readonly summary: string;
  /** What stands behind the options, such as `<CID|Path>`. */
  readonly usage?: string;
  /** How many of those there must be. Default 0. */
  readonly argumentsMin?: number;
  /** How many there can be; what is more is ignored, as by the Go program, and told. Default `argumentsMin`. */
  readonly argumentsMax?: number;
  /** What is more is refused instead: of commands that the Go program does not have, a word too many may be a flag without its dashes. */
  readonly refusesMore?: true;
  /** Further sentences of its help. */
  readonly details?: string;
  /** Works, but is not listed. */
  readonly isHidden?: boolean;
  readonly options?: readonly OptionSpec[];
  /** Of the arguments behind the options. */
  readonly completion?: Completion;
  run(context: CommandContext, args: readonly string[], options: OptionValues): Promise<void>;
}

/** A failure before or beside the API: `error <doing>: <message>` on stderr. */
export class LocalFailure extends Error {
  override readonly name = 'LocalFailure';
  readonly code = 'ctl/local';
  readonly doing: string;
  readonly exitCode: number;
  /** What to try, on a line of its own. */
  readonly hint: string | undefined;

  constructor(doing: string, message: string, exitCode: number = 1, hint?: string) {
    super(message);
    this.doing = doing;
    this.exitCode = exitCode;
    this.hint = hint;
  }
}
