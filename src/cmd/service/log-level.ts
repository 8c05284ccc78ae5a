/** The forms of `--loglevel`: `LEVEL` or `logger:LEVEL`, several with commas. Source: Go `cmd/ipfs-cluster-service/main.go`. */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

export interface LogLevels {
  readonly overall: LogLevel;
  /** By the name of the subsystem. */
  readonly named: ReadonlyMap<string, LogLevel>;
}

/** Subsystems that speak too much at the overall level, unless they are named or everything is at `debug`. */
const quieter: Readonly<Record<string, LogLevel>> = { libp2p: 'error', 'p2p-gorpc': 'error' };

/** Go has more names for the worst. */
const levels: Readonly<Record<string, LogLevel>> = {
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  error: 'error',
  dpanic: 'fatal',
  panic: 'fatal',
  fatal: 'fatal',
};

/** Throws `RangeError` that names the bad item. Of equal items the last counts. */
export function parseLogLevels(text: string, isDebug: boolean): LogLevels {
  let overall: LogLevel = isDebug ? 'debug' : 'info';
  const named = new Map<string, LogLevel>();
  for (const item of text.split(',').map((part) => part.trim())) {
    if (item === '') continue;
    const parts = item.split(':');
    const level = levels[parts.at(-1)?.toLowerCase() ?? ''];
    if (level === undefined || parts.length > 2 || parts[0] === '') {
      throw new RangeError(
        `found "${item}", expected one of ${Object.keys(levels).join(', ')}, or a logger's name, a colon and one of them`,
      );
    }
    if (parts.length === 2) named.set(parts[0] ?? '', level);
    else overall = level;
  }
  for (const [name, level] of Object.entries(quieter)) {
    if (overall !== 'debug' && !named.has(name)) named.set(name, level);
  }
  return { overall, named };
}
