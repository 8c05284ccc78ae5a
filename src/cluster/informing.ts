/**
 * This peer's own metrics besides the ping: asks its informers in time, and publishes what they say.
 *
 * An informer asks the IPFS node, which may be slow, hang, or fail. So each has one open question at most, however many want to
 * know; a question has a limit; and the next one comes in time for the metric to stay good even if it is as slow as the last.
 * What is not renewed expires: others then see a peer that is late with a metric, while its ping says that it is there.
 * Source: Go `cluster.go` `sendInformerMetrics`, `pushInformerMetrics`.
 */
import { type Clock, errorMessage, type Logger, pause } from '../base/index.ts';
import { informerLate } from './errors.ts';
import { Loop } from './loop.ts';
import type { CallOptions, Informer, PeerMonitor } from './ports.ts';

export interface InformingDeps {
  readonly informers: readonly Informer[];
  readonly monitor: PeerMonitor;
  readonly clock: Clock;
  readonly logger: Logger;
  /** While it is, nobody is asked, and nothing published: a cordoned peer has nothing to be chosen by. Default: never. */
  readonly isSilent?: () => boolean;
}

/** At least so long an informer may take, whatever the lifetime of its metric. */
const questionMsMin = 10_000;
/** Part of the lifetime of a metric that passes before the next try after a failure. */
const retryPart = 4;
/** The same between two questions at least. */
const restPart = 20;
/** Between two extra rounds: with many short pins, each would ask the IPFS node for its size otherwise. */
const extraRoundMs = 1000;
const idleMs = 3_600_000;
/** Whoever has something sent does not wait longer: an IPFS node that hangs holds up nobody who joins. */
const sendMs = 5000;

export class Informing {
  readonly #deps: InformingDeps;
  readonly #questions: readonly Question[];
  readonly #loops: readonly Loop[];
  readonly #extra: Loop;
  readonly #extraEvery: number;
  readonly #stopping = new AbortController();
  #workCount = 0;

  /** `extraEvery`: all metrics are sent after so many beginnings and ends of work on the IPFS node; 0: never. */
  constructor(deps: InformingDeps, options: { readonly extraEvery: number }) {
    this.#deps = deps;
    this.#extraEvery = options.extraEvery;
    this.#questions = deps.informers.map(
      (informer) => new Question(informer, { ...deps, stopping: this.#stopping.signal }),
    );
    this.#loops = this.#questions.map((question) => {
      const { name, ttlMs } = question.informer;
      return new Loop(`informer ${name}`, ttlMs / retryPart, deps, async (signal) => {
        const beganMs = deps.clock.now();
        await question.publish({ signal });
        const tookMs = deps.clock.now() - beganMs;
        // Half of the lifetime, less what an equally slow answer needs of it.
        return Math.max((ttlMs - tookMs) / 2, ttlMs / restPart);
      });
    });
    this.#extra = new Loop('metrics after work', extraRoundMs, deps, async (signal) => {
      await this.send({ signal });
      await pause(deps.clock, extraRoundMs, signal);
      return idleMs;
    });
  }

  start(): void {
    for (const loop of this.#loops) loop.wake();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([this.#extra, ...this.#loops].map((loop) => loop.stop()));
  }

  /**
   * Publishes what all informers say now. Resolves when they have, or after a moment; never rejects. What comes later is published all
   * the same, and what fails is for the loops to report.
   */
  async send(call: CallOptions = {}): Promise<void> {
    const done = new AbortController();
    await Promise.race([this.#askAll(call), pause(this.#deps.clock, sendMs, done.signal)]);
    done.abort();
  }

  async #askAll(call: CallOptions): Promise<void> {
    await Promise.all(
      this.#questions.map(async (question) => {
        try {
          await question.publish(call);
        } catch (error) {
          this.#deps.logger.debug('informer failed', { name: question.informer.name, error: errorMessage(error) });
        }
      }),
    );
  }

  /** Work on the IPFS node has begun or ended. Never waits. Source: Go `ipfshttp.go` `updateInformerMetric`. */
  worked(): void {
    if (this.#extraEvery <= 0) return;
    this.#workCount += 1;
    if (this.#workCount < this.#extraEvery) return;
    this.#workCount = 0;
    this.#extra.wake();
  }
}

interface QuestionDeps extends InformingDeps {
  readonly stopping: AbortSignal;
}

interface OpenQuestion {
  readonly answered: Promise<void>;
  readonly sinceMs: number;
}

/** One informer, and what it is being asked. */
class Question {
  readonly informer: Informer;
  readonly #deps: QuestionDeps;
  readonly #limitMs: number;
  #open: OpenQuestion | undefined;

  constructor(informer: Informer, deps: QuestionDeps) {
    this.informer = informer;
    this.#deps = deps;
    this.#limitMs = Math.max(questionMsMin, informer.ttlMs);
  }

  /** Asks, or waits for what has been asked already, and publishes the answer. Rejects when that takes longer than the limit. */
  async publish({ signal }: CallOptions): Promise<void> {
    const { clock } = this.#deps;
    this.#open ??= this.#ask();
    const { answered, sinceMs } = this.#open;
    const done = new AbortController();
    const ended = AbortSignal.any(signal === undefined ? [done.signal] : [done.signal, signal]);
    const limit = async (): Promise<void> => {
      await pause(clock, Math.max(0, sinceMs + this.#limitMs - clock.now()), ended);
      if (!ended.aborted) throw informerLate(Math.round((clock.now() - sinceMs) / 1000));
    };
    try {
      await Promise.race([answered, limit()]);
    } finally {
      done.abort();
    }
  }

  #ask(): OpenQuestion {
    const { clock, monitor, isSilent = () => false } = this.#deps;
    const limit = new AbortController();
    const cancel = clock.after(this.#limitMs, () => limit.abort());
    const signal = AbortSignal.any([limit.signal, this.#deps.stopping]);
    const ask = async (): Promise<void> => {
      if (isSilent()) return;
      const metrics = await this.informer.metrics({ signal, timeoutMs: this.#limitMs });
      // An answer that comes too late is still the newest there is.
      for (const metric of metrics) if (!isSilent()) await monitor.publish(metric);
    };
    const answered = Promise.resolve()
      .then(ask)
      .finally(() => {
        cancel();
        this.#open = undefined;
      });
    // Whoever waited may have given up.
    answered.catch(() => {});
    return { answered, sinceMs: clock.now() };
  }
}
