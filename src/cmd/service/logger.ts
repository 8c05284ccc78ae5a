/**
 * The log of a program: lines on stderr, coloured text on a terminal, JSON otherwise. `GOLOG_LOG_FMT` chooses as with the
 * Go peer: `color`, `nocolor`, `json`.
 */
import { type Logger as PinoLogger, pino } from 'pino';
import type { LogFields, Logger } from '../../base/index.ts';
import type { LogLevels } from './log-level.ts';

export interface LoggerOptions {
  readonly levels: LogLevels;
  /** Name of the first subsystem. */
  readonly name: string;
  /** Value of `GOLOG_LOG_FMT`. */
  readonly format?: string | undefined;
}

/** Writes synchronously, so that no line is lost however the process ends. */
export async function createLogger({ levels, name, format }: LoggerOptions): Promise<Logger> {
  const isText = format === 'color' || format === 'nocolor' || (format !== 'json' && process.stderr.isTTY);
  const base = {
    level: 'trace',
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const root = pino(base, isText ? await textStream(format !== 'nocolor') : pino.destination({ fd: 2, sync: true }));
  return scoped(root, levels, name);
}

/** As a stream of this thread: pino's usual worker takes 50 ms to start. */
async function textStream(isColoured: boolean): Promise<NodeJS.WritableStream> {
  const { default: pretty } = await import('pino-pretty');
  return pretty({
    destination: 2,
    sync: true,
    colorize: isColoured,
    translateTime: 'UTC:yyyy-mm-dd"T"HH:MM:ss.l"Z"',
    ignore: 'logger',
    messageFormat: '{logger}: {msg}',
  });
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
