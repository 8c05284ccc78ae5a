/** libp2p's own log lines, at our lowest level: what matters of them reaches the caller as an error. */
import type { ComponentLogger, Logger as Libp2pLogger } from '@libp2p/interface';
import type { Logger } from '../../base/index.ts';
import { errorMessage } from '../../base/index.ts';

/** Passes errors on as `debug` lines and drops the rest, which is written several times per stream. */
export function toComponentLogger(logger: Logger): ComponentLogger {
  const forComponent = (component: string): Libp2pLogger => {
    const drop = (): void => {};
    const log: Libp2pLogger = Object.assign(drop, {
      enabled: false,
      trace: drop,
      error: (format: string, ...args: unknown[]) => {
        const cause = args.find((arg) => arg instanceof Error);
        logger.debug(format, { component, ...(cause === undefined ? {} : { cause: errorMessage(cause) }) });
      },
      newScope: () => log,
    });
    return log;
  };
  return { forComponent };
}
