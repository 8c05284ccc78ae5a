/**
 * Logging as an argument. `error` needs a human, `warn` may need one, `info` tells of state changes, `debug` the rest.
 */

/** Named values of a log line. */
export type LogFields = Readonly<Record<string, unknown>>;

/** A place for log lines of one subsystem. */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** A logger whose lines carry the name of the given subsystem, such as `raft` or `restapi`. */
  scope(name: string): Logger;
}

/** Drops everything. For tests and for embedding. */
export const silentLogger: Logger = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  scope: () => silentLogger,
};
