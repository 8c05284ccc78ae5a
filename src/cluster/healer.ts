/**
 * Keeps every pin where it should be, as members are lost, come back, are emptied or removed.
 *
 * A round looks at the members. When something has changed for pins, it sweeps over the pinset, and later only over what was left
 * unfinished: everything is derived from the state, so that a restart goes on where it was. Of each pin the nearest living member takes
 * care; two whose views differ for a while do no harm, since every write is refused when the pin has changed meanwhile.
 * Source: Go `cluster.go` `alertsHandler`, `repinFromPeer`, `vacatePeer`. Unlike there, a peer is lost only after a while, and only
 * pins below their minimum move.
 */
import { type Clock, errorCode, errorMessage, type Logger, LogLimit } from '../base/index.ts';
import { decideHolders, type HealDecision, type HealRequest, type HolderWord } from '../core/heal/index.ts';
import { type Cid, type PeerId, type Pin, stateKey, timeToNanos } from '../model/index.ts';
import type { AllocationWriter } from './allocation-writer.ts';
import type { Allocator, Chooser } from './allocator.ts';
import { HealLog } from './heal-log.ts';
import { type HoldingDeps, wordsOf } from './holding.ts';
import { InFlight } from './in-flight.ts';
import { Loop } from './loop.ts';
import { lookIntervalMsMax, type MemberView, type MemberWatch } from './member-watch.ts';
import type { Consensus } from './ports.ts';

export interface HealerOptions {
  readonly monitorPingIntervalMs: number;
  readonly stateSyncIntervalMs: number;
  /** Only peers that are drained are left then. */
  readonly disableRepinning: boolean;
}

export interface HealerDeps extends HoldingDeps {
  readonly consensus: Consensus;
  readonly allocator: Allocator;
  readonly watch: MemberWatch;
  readonly writer: AllocationWriter;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What became of a removed peer's pins. */
export interface Vacated {
  readonly moved: number;
  /** Of those, pins that nobody else held. */
  readonly alone: number;
  /** Pins that have fewer holders than their minimum. */
  readonly short: number;
  readonly failed: number;
  /** So many failed in a row that the rest was not looked at. */
  readonly isCut: boolean;
}

/** Pins at work at once. They wait for answers and for the log, which take many together. */
const inFlightMax = 16;
/** Pins between two looks at the members. */
const pageSize = 256;
/** Unfinished pins that are known by name; with more, all pins are looked through again. */
const unfinishedMax = 10_000;
const retryMsMin = 2000;
const retryMsMax = 60_000;
/** When all pins are looked through for it. */
const sweepRetryMsMax = 600_000;
/** A pin that others write as well is tried so often within a sweep. */
const triesMax = 3;

export class Healer {
  readonly #options: HealerOptions;
  readonly #deps: HealerDeps;
  readonly #loop: Loop;
  readonly #log: HealLog;
  readonly #logLimit: LogLimit;
  /** Pins that are to be looked at again, by state key; `undefined`: all. */
  #unfinished: Map<string, Cid> | undefined;
  #mark: string | undefined;
  #nextMs = 0;
  #nextSweepMs = 0;
  #retryMs = retryMsMin;
  /** How many who are nearer have had their time. */
  #turn = 0;
  /** Members that have said nothing of pins that they hold, and since when. */
  readonly #silentSinceMs = new Map<PeerId, number>();

  constructor(options: HealerOptions, deps: HealerDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#log = new HealLog(deps.clock, deps.logger);
    this.#logLimit = new LogLimit(deps.clock);
    const lookMs = Math.min(lookIntervalMsMax, options.monitorPingIntervalMs / 3);
    this.#loop = new Loop('healing', retryMsMin, deps, async (signal) => {
      await this.#round(signal);
      return lookMs;
    });
  }

  /** Looks at the members now, and from then on again and again. */
  wake(): void {
    this.#loop.wake();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  /**
   * Takes a member off all pins before it is removed, with new holders where there are too few else. Goes on past failures; at full
   * speed, for somebody waits.
   */
  async vacate(peer: PeerId, signal: AbortSignal): Promise<Vacated> {
    const result = { moved: 0, alone: 0, short: 0, failed: 0, isCut: false };
    const now = {
      view: withoutMember(await this.#deps.watch.look(), peer),
      choose: await this.#deps.allocator.chooser(),
    };
    const tasks = new InFlight(inFlightMax);
    const failures = new Failures();
    for await (const page of this.#deps.consensus.pinset().pages({ signal, pageSize })) {
      if (result.isCut) break;
      for (const { cid, allocations } of page) {
        if (!(allocations?.includes(peer) ?? false)) continue;
        await tasks.begin(async () => {
          if (failures.areTooMany) {
            result.isCut = true;
            return;
          }
          try {
            await this.#vacateOne(cid, now, signal, result);
            failures.end();
          } catch (error) {
            result.failed += 1;
            failures.add();
            this.#tell('move a pin of a peer that is removed', cid, error, signal);
          }
        });
      }
    }
    await tasks.ended();
    return result;
  }

  async #vacateOne(
    cid: Cid,
    now: Present,
    signal: AbortSignal,
    result: { moved: number; alone: number; short: number },
  ): Promise<void> {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const pin = this.#deps.consensus.pinset().get(cid);
      if (pin === undefined) return;
      // Nobody else is dropped on this occasion.
      const decision = decide(pin, now, new Map(), false);
      if (decision.kind !== 'write') {
        if (decision.kind === 'short') result.short += 1;
        return;
      }
      if (!(await this.#deps.writer.write(pin, decision.allocations, { signal }))) continue;
      result.moved += 1;
      if (decision.isShort) result.short += 1;
      const holds = (peer: PeerId): boolean => ['stays', 'leaves'].includes(now.view.standings.get(peer) ?? '');
      if (pin.allocations?.some(holds) !== true) result.alone += 1;
      return;
    }
    result.short += 1;
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { watch, clock } = this.#deps;
    const view = await watch.look();
    this.#log.tick();
    if (view.mark !== this.#mark) {
      this.#mark = view.mark;
      this.#turn = 0;
      for (const peer of this.#silentSinceMs.keys()) if (!view.lives.has(peer)) this.#silentSinceMs.delete(peer);
      this.#wantAll();
    } else if (clock.now() >= this.#nextSweepMs) {
      this.#turn = Math.min(this.#turn + 1, view.healers.count);
      this.#wantAll();
    }
    if (clock.now() < this.#nextMs) return;
    if (!this.#isOn(view) || !view.members.includes(this.#deps.self)) {
      this.#nextMs = Number.POSITIVE_INFINITY;
      return;
    }
    if (!view.hasMajority) {
      if (view.gone.length > 0 && this.#logLimit.allows('majority')) {
        const lost = { gone: view.gone.length, members: view.members.length };
        this.#deps.logger.warn(
          'no pins are moved while most members do not answer: it may be this peer that is lost',
          lost,
        );
      }
      return;
    }
    await this.#sweep(view, signal);
  }

  #isOn(view: MemberView): boolean {
    return !this.#options.disableRepinning || view.draining.length > 0;
  }

  #wantAll(): void {
    this.#unfinished = undefined;
    this.#nextMs = 0;
    this.#retryMs = retryMsMin;
    // In any case after a while: users and imports may have brought dead holders.
    this.#nextSweepMs = this.#deps.clock.now() + this.#options.stateSyncIntervalMs;
  }

  /** Once over all that is wanted, as far as it goes. */
  async #sweep(view: MemberView, signal: AbortSignal): Promise<void> {
    const { clock, allocator } = this.#deps;
    const sweep = new Sweep(view, await allocator.chooser(), clock.now());
    const tasks = new InFlight(inFlightMax);
    // What this peer has begun it ends, whoever is nearer by now.
    const isMine = this.#unfinished !== undefined;
    try {
      for await (const page of this.#wanted(view, signal)) {
        for (const pin of page) {
          await this.#refresh(sweep);
          if (sweep.isStuck) break;
          if (!this.#mayNeed(pin, sweep.view) || !(isMine || this.#isOurTurn(pin.cid, sweep.view))) continue;
          await tasks.begin(() => this.#heal(pin.cid, sweep, signal));
        }
        this.#log.goOn(sweep.view, sweep);
        if (sweep.isStuck) break;
      }
    } finally {
      await tasks.ended();
    }
    signal.throwIfAborted();
    this.#conclude(sweep);
  }

  /** A throttled sweep takes its time, and members come and go meanwhile. */
  async #refresh(sweep: Sweep): Promise<void> {
    const { clock, watch, allocator } = this.#deps;
    if (clock.now() - sweep.lookedMs < retryMsMin) return;
    sweep.lookedMs = clock.now();
    sweep.view = await watch.look();
    sweep.choose = await allocator.chooser();
    if (!sweep.view.hasMajority) sweep.isStuck = true;
  }

  /**
   * The nearest begins; what it has not done within an interval the next one does, and so on until all have had their turn: whether one
   * that is alive heals is not known, and it may be that this peer alone does.
   */
  #isOurTurn(cid: Cid, { healers }: MemberView): boolean {
    return healers.countNearer(this.#deps.self, cid) <= this.#turn;
  }

  /** What comes next: nothing, the unfinished ones, or all again. */
  #conclude(sweep: Sweep): void {
    const { clock } = this.#deps;
    const isOverflown = sweep.left > sweep.unfinished.size;
    if (!sweep.isStuck) this.#unfinished = isOverflown ? undefined : sweep.unfinished;
    const isDone = !sweep.isStuck && sweep.left === 0;
    const maxMs = isOverflown ? sweepRetryMsMax : retryMsMax;
    this.#retryMs = sweep.moved + sweep.dropped > 0 ? retryMsMin : Math.min(this.#retryMs * 2, maxMs);
    this.#nextMs = isDone ? Number.POSITIVE_INFINITY : clock.now() + this.#retryMs;
    this.#log.pause(sweep.view, sweep);
  }

  async *#wanted(view: MemberView, signal: AbortSignal): AsyncGenerator<readonly Pin[], void> {
    const pinset = this.#deps.consensus.pinset();
    if (this.#unfinished === undefined) {
      // Mostly nothing is to be done, and then there is no need to look at a million pins.
      const kinds = await pinset.kinds();
      if (kinds === undefined || isAny(kinds, ([kind]) => this.#mayNeed(kind, view))) {
        yield* pinset.pages({ signal, pageSize });
      }
    } else {
      const cids = [...this.#unfinished.values()];
      for (let at = 0; at < cids.length; at += pageSize) {
        signal.throwIfAborted();
        yield cids.slice(at, at + pageSize).flatMap((cid) => pinset.get(cid) ?? []);
      }
    }
  }

  /** Cheap, and true of few: the rest is looked at closely. */
  #mayNeed(pin: HealRequest['pin'], view: MemberView): boolean {
    const { type, replicationFactorMin: min, replicationFactorMax: max } = pin;
    if (min <= 0 || type === 'meta-pin') return false;
    const holders = pin.allocations ?? [];
    if (this.#options.disableRepinning) return holders.some((peer) => view.cordons.get(peer) === 'draining');
    if (holders.length < min || holders.length > max) return true;
    return holders.some((peer) => view.standings.get(peer) !== 'stays');
  }

  async #heal(cid: Cid, sweep: Sweep, signal: AbortSignal): Promise<void> {
    if (sweep.isStuck) return;
    try {
      const outcome = await this.#healed(cid, sweep, signal);
      sweep.failures.end();
      if (outcome !== 'done') sweep.leave(cid);
      if (outcome === 'short') sweep.short += 1;
    } catch (error) {
      sweep.leave(cid);
      sweep.failures.add();
      if (sweep.failures.areTooMany) sweep.isStuck = true;
      this.#tell('move a pin', cid, error, signal);
    }
  }

  async #healed(cid: Cid, sweep: Sweep, signal: AbortSignal): Promise<'done' | 'short' | 'pending'> {
    const { consensus, writer } = this.#deps;
    let said: ReadonlyMap<PeerId, HolderWord> | undefined;
    let hasTurn = false;
    for (let tries = 0; tries < triesMax; ) {
      const pin = consensus.pinset().get(cid);
      // It may be another one than was looked at.
      if (pin === undefined || !this.#mayNeed(pin, sweep.view)) return 'done';
      const isSettled = this.#isSettled(pin);
      let decision = decide(pin, sweep, said, isSettled);
      if (decision.kind === 'ask') {
        const asked = decision.peers.filter((peer) => sweep.view.lives.get(peer)?.life === 'alive');
        said = this.#withPatience(await wordsOf(this.#deps, asked, cid, signal));
        decision = decide(pin, sweep, said, isSettled);
      }
      if (decision.kind === 'fine') return 'done';
      if (decision.kind === 'short') return 'short';
      if (decision.kind !== 'write') {
        sweep.waitFor(holdersThatStay(pin, sweep.view), said);
        return 'pending';
      }
      if (!hasTurn) {
        await writer.turn(signal);
        hasTurn = true;
        await this.#refresh(sweep);
        if (sweep.isStuck) return 'pending';
        // Much may be different by now.
        continue;
      }
      if (await writer.write(pin, decision.allocations, { signal })) {
        if (decision.allocations.some((peer) => !pin.allocations?.includes(peer))) sweep.moved += 1;
        else sweep.dropped += 1;
        return decision.isShort ? 'short' : decision.isPending ? 'pending' : 'done';
      }
      tries += 1;
      said = undefined;
      // The write may have taken its time: members are looked at again.
      hasTurn = false;
    }
    return 'pending';
  }

  /** Who says nothing may say something soon, and is taken for one that is at work for a while. */
  #withPatience(words: ReadonlyMap<PeerId, HolderWord>): ReadonlyMap<PeerId, HolderWord> {
    const nowMs = this.#deps.clock.now();
    const heeded = new Map<PeerId, HolderWord>();
    for (const [peer, word] of words) {
      if (word === 'holds' || word === 'works') this.#silentSinceMs.delete(peer);
      const sinceMs = this.#silentSinceMs.get(peer) ?? nowMs;
      if (word === 'silent') this.#silentSinceMs.set(peer, sinceMs);
      const isShort = nowMs - sinceMs < this.#options.stateSyncIntervalMs;
      heeded.set(peer, word === 'silent' && isShort ? 'works' : word);
    }
    return heeded;
  }

  /** A pin that was written a moment ago may be on the move. */
  #isSettled({ timestamp }: Pin): boolean {
    if (timestamp === null) return true;
    const settleNanos = BigInt(Math.round(this.#options.stateSyncIntervalMs)) * 1_000_000n;
    return this.#deps.clock.wallNanos() - timeToNanos(timestamp) >= settleNanos;
  }

  #tell(what: string, cid: Cid, error: unknown, signal: AbortSignal): void {
    if (signal.aborted || !this.#logLimit.allows(what)) return;
    const cause = { cid: cid.toString(), code: errorCode(error), error: errorMessage(error) };
    this.#deps.logger.warn(`could not ${what}, trying again later`, cause);
  }
}

/** What is known when a pin is decided on. */
interface Present {
  readonly view: MemberView;
  readonly choose: Chooser;
}

/** Counts what goes wrong one after the other: so many failures in a row are not of these pins. */
class Failures {
  #inRow = 0;

  add(): void {
    this.#inRow += 1;
  }

  end(): void {
    if (!this.areTooMany) this.#inRow = 0;
  }

  /** From then on for good. */
  get areTooMany(): boolean {
    return this.#inRow >= inFlightMax;
  }
}

/** What one sweep knows, and what it has come to. */
class Sweep implements Present {
  view: MemberView;
  choose: Chooser;
  /** When the members were looked at. */
  lookedMs: number;
  /** Pins that got new holders. */
  moved = 0;
  /** Pins that holders were dropped of. */
  dropped = 0;
  /** Of the unfinished ones, those below their minimum that nobody can be added to. */
  short = 0;
  /** How many are unfinished. */
  left = 0;
  /** As many of them as are remembered. */
  readonly unfinished: Map<string, Cid> = new Map();
  /** Holders that have not told that they hold a pin, with how many pins wait for each. */
  readonly awaited: Map<PeerId, number> = new Map();
  readonly failures: Failures = new Failures();
  /** Nothing more is begun. */
  isStuck = false;

  constructor(view: MemberView, choose: Chooser, lookedMs: number) {
    this.view = view;
    this.choose = choose;
    this.lookedMs = lookedMs;
  }

  leave(cid: Cid): void {
    this.left += 1;
    if (this.unfinished.size < unfinishedMax) this.unfinished.set(stateKey(cid), cid);
  }

  waitFor(holders: readonly PeerId[], said: ReadonlyMap<PeerId, HolderWord> | undefined): void {
    for (const peer of holders) {
      if (said?.get(peer) !== 'holds') this.awaited.set(peer, (this.awaited.get(peer) ?? 0) + 1);
    }
  }
}

function holdersThatStay({ allocations }: Pin, { standings }: MemberView): readonly PeerId[] {
  return (allocations ?? []).filter((peer) => standings.get(peer) === 'stays');
}

function decide(
  pin: Pin,
  { view, choose }: Present,
  said: ReadonlyMap<PeerId, HolderWord> | undefined,
  isSettled: boolean,
): HealDecision {
  return decideHolders({
    pin,
    standingOf: (peer) => view.standings.get(peer) ?? 'stranger',
    choose: (count, holders) => choose(pin, count, new Set([...holders, ...view.notNew])),
    said,
    isSettled,
  });
}

function isAny<T>(items: Iterable<T>, holds: (item: T) => boolean): boolean {
  for (const item of items) if (holds(item)) return true;
  return false;
}

/** The members as they will be. */
function withoutMember(view: MemberView, peer: PeerId): MemberView {
  const standings = new Map(view.standings);
  standings.delete(peer);
  return { ...view, standings, notNew: new Set([...view.notNew, peer]) };
}
