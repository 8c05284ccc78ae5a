/** A log in which a cause that returns and returns has one line a minute. */
import type { Clock } from './clock.ts';
import type { LogFields, Logger } from './logger.ts';

const periodMsDefault = 60_000;
/** Causes remembered; all are forgotten when more come. */
const causesMax = 1000;
/** Fields that tell one cause from another of the same message; others vary with every line. */
const identifying = ['peer', 'from', 'name', 'path', 'address', 'part'];

/**
 * Passes on at most one `error` or `warn` line of a message, with the same peer, name, path or address, per period; the next one tells
 * how many were left out. `info` and `debug` pass: they tell of changes.
 */
export function limitedLogger(logger: Logger, clock: Clock, periodMs: number = periodMsDefault): Logger {
  const causes = new Map<string, { readonly lastMs: number; leftOut: number }>();

  /** How many lines of the cause were left out; `undefined`: so is this one. */
  function pass(cause: string): number | undefined {
    const nowMs = clock.now();
    const known = causes.get(cause);
    if (known !== undefined && nowMs - known.lastMs < periodMs) {
      known.leftOut += 1;
      return undefined;
    }
    if (known === undefined && causes.size >= causesMax) causes.clear();
    causes.set(cause, { lastMs: nowMs, leftOut: 0 });
    return known?.leftOut ?? 0;
  }

  function limited(inner: Logger, scope: string): Logger {
    const write = (level: 'error' | 'warn', message: string, fields: LogFields | undefined): void => {
      const leftOut = pass(`${scope} ${level} ${message} ${identityOf(fields)}`);
      if (leftOut !== undefined) inner[level](message, leftOut === 0 ? fields : { ...fields, leftOut });
    };
    return {
      error: (message, fields) => write('error', message, fields),
      warn: (message, fields) => write('warn', message, fields),
      info: (message, fields) => inner.info(message, fields),
      debug: (message, fields) => inner.debug(message, fields),
      scope: (name) => limited(inner.scope(name), name),
    };
  }

  return limited(logger, '');
}

function identityOf(fields: LogFields | undefined): string {
  if (fields === undefined) return '';
  return identifying.map((name) => String(fields[name] ?? '')).join(' ');
}
