/**
 * The log of a program: lines on stderr, coloured text on a terminal, JSON otherwise. `GOLOG_LOG_FMT` chooses as with the
 * Go peer: `color`, `nocolor`, `json`.
 */
import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';
import type { LogFields, Logger } from '../../base/index.ts';
import { systemClock } from './clock.ts';
import { JoinedLines } from './joined-lines.ts';
import type { LogLevels } from './log-level.ts';

export interface LoggerOptions {
  readonly levels: LogLevels;
  /** Name of the first subsystem. */
  readonly name: string;
  /** Value of `GOLOG_LOG_FMT`. */
  readonly format?: string | undefined;
}

/** Of lines that wait while stderr takes none, because it is a file on a full disk. What comes on top is lost. */
const waitingBytesMax = 64 * 1024;

/**
 * Writes synchronously. Warnings and errors leave at once, with all that was said before, so that none of them is lost however the
 * process ends; what else is said in a burst leaves in groups (`JoinedLines`). A line that cannot be written ends nothing: it waits for
 * the next one.
 */
export async function createLogger({ levels, name, format }: LoggerOptions): Promise<Logger> {
  const isText = format === 'color' || format === 'nocolor' || (format !== 'json' && process.stderr.isTTY);
  const base = {
    level: 'trace',
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const output = pino.destination({ fd: 2, sync: true, maxLength: waitingBytesMax });
  output.on('error', () => {});
  const lines = new JoinedLines((text) => output.write(text), systemClock);
  process.once('exit', () => lines.flush());
  const root = pino(base, isText ? await asText(lines, format !== 'nocolor') : lines);
  return scoped({ root, lines }, levels, name);
}

/** In this thread, for pino's usual worker takes 50 ms to start; and not as a stream, which its first failure would end. */
async function asText(output: DestinationStream, isColoured: boolean): Promise<DestinationStream> {
  // A bundle has no other name of it.
  const { default: pretty } = await import('pino-pretty');
  const format = pretty.prettyFactory({
    colorize: isColoured,
    translateTime: 'UTC:yyyy-mm-dd"T"HH:MM:ss.l"Z"',
    ignore: 'logger',
    messageFormat: '{logger}: {msg}',
  });
  return { write: (line) => output.write(format(line)) };
}

interface Output {
  readonly root: PinoLogger;
  readonly lines: JoinedLines;
}

function scoped(output: Output, levels: LogLevels, name: string): Logger {
  const child = output.root.child({ logger: name }, { level: levels.named.get(name) ?? levels.overall });
  const writeAtOnce = (level: 'error' | 'warn', message: string, fields?: LogFields): void => {
    write(child, level, message, fields);
    output.lines.flush();
  };
  return {
    error: (message, fields) => writeAtOnce('error', message, fields),
    warn: (message, fields) => writeAtOnce('warn', message, fields),
    info: (message, fields) => write(child, 'info', message, fields),
    debug: (message, fields) => write(child, 'debug', message, fields),
    scope: (inner) => scoped(output, levels, inner),
  };
}

function write(
  child: PinoLogger,
  level: 'error' | 'warn' | 'info' | 'debug',
  message: string,
  fields?: LogFields,
): void {
  if (fields === undefined) child[level](message);
  else child[level](fields, message);
}
