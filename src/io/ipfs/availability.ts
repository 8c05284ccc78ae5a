/**
 * Whether the IPFS node can be reached, and the asking again while it cannot.
 *
 * While it is away, only the probe goes to the network and every other call fails at once with the last cause: calls
 * must neither wait for a dead host one after the other nor crowd out the probe.
 */
import type { Cancel, Clock, Logger } from '../../base/index.ts';

const probeDelayMinMs = 250;
const probeDelayMaxMs = 3000;
/** A node that stays up for less than this and is lost again is asked as slowly as before: each return has all pins compared. */
const steadyMs = 30_000;

export interface AvailabilityDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Asks the node anything; reports through `reached` and `lost`. */
  readonly probe: () => Promise<void>;
  /** For messages. */
  readonly address: string;
}

export class Availability {
  readonly #deps: AvailabilityDeps;
  readonly #listeners: (() => void)[] = [];
  #state: 'unknown' | 'up' | 'down' = 'unknown';
  #cause: Error | undefined;
  #delayMs = probeDelayMinMs;
  #upSinceMs = 0;
  #isProbing = false;
  #isStopped = false;
  #cancel: Cancel | undefined;

  constructor(deps: AvailabilityDeps) {
    this.#deps = deps;
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** Why calls fail at once; `undefined` while they may go out. */
  get refusal(): Error | undefined {
    return this.#state === 'down' ? this.#cause : undefined;
  }

  onUp(listener: () => void): void {
    this.#listeners.push(listener);
    if (this.isUp) listener();
  }

  reached(): void {
    if (this.#state === 'up' || this.#isStopped) return;
    if (this.#state === 'down') this.#deps.logger.info('IPFS answers again', { address: this.#deps.address });
    this.#state = 'up';
    this.#upSinceMs = this.#deps.clock.now();
    for (const listener of this.#listeners) listener();
  }

  lost(cause: Error): void {
    if (this.#isStopped) return;
    this.#cause = cause;
    const before = this.#state;
    this.#state = 'down';
    if (before === 'up' && this.#deps.clock.now() - this.#upSinceMs >= steadyMs) this.#delayMs = probeDelayMinMs;
    if (before === 'unknown') this.#deps.logger.warn(notFoundText(this.#deps.address), { cause: cause.message });
    if (before === 'up') {
      this.#deps.logger.warn('IPFS does not answer any more; going on without it until it is back', {
        address: this.#deps.address,
        cause: cause.message,
      });
    }
    this.#scheduleProbe();
  }

  /** The first question; resolves when it is answered or failed. */
  async start(): Promise<void> {
    await this.#probe();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  #scheduleProbe(): void {
    if (this.#cancel !== undefined || this.#isProbing) return;
    this.#cancel = this.#deps.clock.after(this.#delayMs, () => {
      this.#cancel = undefined;
      void this.#probe();
    });
    this.#delayMs = Math.min(probeDelayMaxMs, this.#delayMs * 2);
  }

  async #probe(): Promise<void> {
    this.#isProbing = true;
    try {
      await this.#deps.probe();
    } catch (error) {
      // A probe that failed in any way, be it an answer that is not IPFS's, is asked again.
      if (this.#state !== 'up') this.lost(error instanceof Error ? error : new TypeError(String(error)));
    } finally {
      this.#isProbing = false;
    }
    if (this.#state === 'down' && !this.#isStopped) this.#scheduleProbe();
  }
}

function notFoundText(address: string): string {
  return (
    `No IPFS node answers at ${address}: start IPFS there, or use "ipfs-cluster-service init --embedded-ipfs"; ` +
    'this peer serves without it and resumes pinning as soon as it answers'
  );
}
