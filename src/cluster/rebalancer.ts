/**
 * Spreads pins over groups and evens the peers, when somebody asks for it: plans over the pinset as it is, and has the moves carried
 * out. One at a time on a peer. Two on different peers do no harm: a move of a pin that the other has moved is skipped.
 */
import type { Logger } from '../base/index.ts';
import { type PlannedMove, RebalancePlanner } from '../core/allocate/index.ts';
import type { MoveReason, RebalanceEvent, RebalanceSummary } from '../model/index.ts';
import type { Allocator } from './allocator.ts';
import { rebalanceRunning, tooFewAnswer } from './errors.ts';
import type { MemberWatch } from './member-watch.ts';
import type { Move, Mover } from './mover.ts';
import type { CallOptions, Consensus, RebalanceOptions } from './ports.ts';

export interface RebalancerDeps {
  readonly consensus: Consensus;
  readonly allocator: Allocator;
  readonly watch: MemberWatch;
  readonly mover: Mover;
  readonly logger: Logger;
  /** Aborted when the peer stops. */
  readonly stopping: AbortSignal;
}

/** Between two turns for others while pins are planned. */
const pageSize = 256;

export class Rebalancer {
  readonly #deps: RebalancerDeps;
  #isRunning = false;

  constructor(deps: RebalancerDeps) {
    this.#deps = deps;
  }

  /**
   * Each move, when it is planned or has ended, and then the summary. Whoever stops reading, or aborts, ends it: moves that are under
   * way are finished, and no more begun. Throws `cluster/rebalancing`, `cluster/minority`.
   */
  async *run({ isDryRun, movesMax }: RebalanceOptions, call: CallOptions = {}): AsyncGenerator<RebalanceEvent, void> {
    if (this.#isRunning) throw rebalanceRunning();
    this.#isRunning = true;
    const ended = new AbortController();
    const signals = [ended.signal, this.#deps.stopping, ...(call.signal === undefined ? [] : [call.signal])];
    const signal = AbortSignal.any(signals);
    let moving: Promise<unknown> = Promise.resolve();
    try {
      const planner = await this.#planner(isDryRun, movesMax);
      const moves: PlannedMove[] = [];
      for await (const move of this.#planned(planner, signal)) {
        if (isDryRun) yield { move: { ...move, state: 'planned' }, summary: null };
        moves.push(move);
      }
      const done = new Progress();
      if (!isDryRun && moves.length > 0) {
        this.#deps.logger.info('pins are moved to spread and even them', { moves: moves.length });
        moving = this.#carryOut(moves, signal, done);
        yield* done.events(signal);
        signal.throwIfAborted();
        await moving;
      }
      yield { move: null, summary: summaryOf(planner, moves, isDryRun ? undefined : done) };
    } finally {
      ended.abort();
      const release = (): void => {
        this.#isRunning = false;
      };
      // Not waited for: whoever asked has gone, and what is under way can take long.
      moving.then(release, release);
    }
  }

  async #planner(isDryRun: boolean, movesMax: number): Promise<RebalancePlanner> {
    const { allocator, watch } = this.#deps;
    const view = await watch.look();
    if (!isDryRun && !view.hasMajority) throw tooFewAnswer();
    return new RebalancePlanner({ ...(await allocator.known()), gone: new Set(view.gone), movesMax });
  }

  async *#planned(planner: RebalancePlanner, signal: AbortSignal): AsyncGenerator<PlannedMove, void> {
    const pinset = this.#deps.consensus.pinset();
    for await (const page of pinset.pages({ signal, pageSize })) for (const pin of page) planner.count(pin);
    while (planner.next()) {
      for await (const page of pinset.pages({ signal, pageSize })) {
        for (const pin of page) yield* planner.plan(pin);
        if (planner.isFull) break;
      }
    }
    signal.throwIfAborted();
  }

  async #carryOut(moves: readonly PlannedMove[], signal: AbortSignal, done: Progress): Promise<void> {
    const { mover, stopping } = this.#deps;
    const begun = function* (): Generator<PlannedMove, void> {
      for (const move of moves) {
        if (signal.aborted) return;
        yield move;
      }
    };
    const whyOf = new Map<Move, MoveReason>(moves.map((move) => [move, move.why] as const));
    try {
      await mover.run(begun(), stopping, (move, state) => {
        done.add({ ...move, why: whyOf.get(move) ?? 'balance', state });
      });
    } finally {
      done.end();
    }
  }
}

type EndedMove = NonNullable<RebalanceEvent['move']>;

/** Moves that have ended, for one reader. */
class Progress {
  readonly counts: Record<'moved' | 'skipped' | 'failed', number> = { moved: 0, skipped: 0, failed: 0 };
  readonly #moved = new Map<string, number>();
  #news: EndedMove[] = [];
  #isEnded = false;
  #changed = Promise.withResolvers<void>();

  add(move: EndedMove): void {
    if (move.state !== 'planned') this.counts[move.state] += 1;
    if (move.state === 'moved') {
      this.#moved.set(move.from, this.gainOf(move.from) - 1);
      this.#moved.set(move.to, this.gainOf(move.to) + 1);
    }
    this.#news.push(move);
    this.#changed.resolve();
  }

  end(): void {
    this.#isEnded = true;
    this.#changed.resolve();
  }

  /** Pins that the peer has got, less those that it has given. */
  gainOf(peer: string): number {
    return this.#moved.get(peer) ?? 0;
  }

  async *events(signal: AbortSignal): AsyncGenerator<RebalanceEvent, void> {
    const onAbort = (): void => this.#changed.resolve();
    signal.addEventListener('abort', onAbort);
    try {
      while (!signal.aborted) {
        const news = this.#news;
        this.#news = [];
        this.#changed = Promise.withResolvers<void>();
        for (const move of news) yield { move, summary: null };
        if (news.length > 0) continue;
        if (this.#isEnded) return;
        await this.#changed.promise;
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}

function summaryOf(
  planner: RebalancePlanner,
  moves: readonly PlannedMove[],
  done: Progress | undefined,
): RebalanceSummary {
  const shares = planner.shares().map((share) => {
    return done === undefined ? share : { ...share, after: share.before + done.gainOf(share.peer) };
  });
  const counts = done?.counts ?? { moved: 0, skipped: 0, failed: 0 };
  return { isDryRun: done === undefined, planned: moves.length, ...counts, isCut: planner.isFull, shares };
}
