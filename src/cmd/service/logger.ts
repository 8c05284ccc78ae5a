/**
 * The log of a program: lines on stderr, coloured text on a terminal, JSON otherwise. `GOLOG_LOG_FMT` chooses as with the
 * Go peer: `color`, `nocolor`, `json`.
 */
import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';
import type { LogFields, Logger } from '../../base/index.ts';
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
 * Writes synchronously, so that no line is lost however the process ends. A line that cannot be written ends nothing: it waits for the
 * next one.
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
  const root = pino(base, isText ? await asText(output, format !== 'nocolor') : output);
  return scoped(root, levels, name);
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

function scoped(root: PinoLogger, levels: LogLevels, name: string): Logger {
  const child = root.child({ logger: name }, { level: levels.named.get(name) ?? levels.overall });
  return {
    error: (message, fields) => write(child, 'error', message, fields),
    warn: (message, fields) => write(child, 'warn', message, fields),
    info: (message, fields) => write(child, 'info', message, fields),
    debug: (message, fields) => write(child, 'debug', message, fields),
    scope: (inner) => scoped(root, levels, inner),
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
