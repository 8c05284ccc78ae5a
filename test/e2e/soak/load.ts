/** Clients that pin, rename and unpin through all peers, dead ones included, and keep the ledger. */
import { setTimeout } from 'node:timers/promises';
import { SeededRandom } from '../../../src/base/index.ts';
import { type Outcome, pin, unpin } from '../../support/member-api.ts';
import type { Ledger, Value } from './ledger.ts';

/** Before the next write of a client whose last one failed: the port of a dead peer is not tried thousands of times. */
const pauseAfterFailureMs = 20;
/** Pins of one client that it may still rename or remove. */
const liveMax = 200;
/** Examples of answers that were no success. */
const whysMax = 200;

export interface LoadOptions {
  readonly seed: string;
  readonly writerCount: number;
  /** Between two writes of a client. */
  readonly pauseMs: number;
  /** Base URLs of the HTTP APIs. */
  readonly targets: readonly string[];
  readonly ledger: Ledger;
  /** A CID that nobody has used; its content can be found. */
  readonly newCid: (n: number) => Promise<string>;
}

export class Load {
  /** What was answered other than success, and how often. */
  readonly whys: Map<string, number> = new Map<string, number>();
  /** Writes that were acknowledged, by their target. */
  readonly acknowledgedBy: Map<string, number> = new Map<string, number>();
  #acknowledged = 0;
  readonly #options: LoadOptions;
  readonly #writers: Promise<void>[] = [];
  readonly #extra = new Set<Promise<unknown>>();
  #isPaused = false;
  #isOver = false;
  #busy = 0;
  #cids = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  start(): void {
    for (let i = 0; i < this.#options.writerCount; i++) this.#writers.push(this.#write(i));
  }

  /** Resolves when nothing is under way. */
  async pause(): Promise<void> {
    this.#isPaused = true;
    while (this.#busy > 0 || this.#extra.size > 0) await setTimeout(5);
  }

  resume(): void {
    this.#isPaused = false;
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#writers);
    await Promise.all(this.#extra);
  }

  /** One more write, of a new pin through the given peer. Gives whether it was acknowledged. */
  probe(target: string): Promise<boolean> {
    const act = async (): Promise<boolean> => {
      const cid = await this.#newCid();
      return cid !== undefined && (await this.#change(target, cid, `probe ${cid.slice(-6)}`));
    };
    const probing = act();
    this.#extra.add(probing);
    return probing.finally(() => this.#extra.delete(probing));
  }

  async #write(writer: number): Promise<void> {
    const { seed, targets, pauseMs } = this.#options;
    const random = new SeededRandom(`${seed} writer ${writer}`);
    const live: string[] = [];
    for (let n = 0; !this.#isOver; n++) {
      if (this.#isPaused) {
        await setTimeout(10);
        continue;
      }
      this.#busy++;
      const target = targets[random.integer(targets.length)] ?? '';
      const isNew = live.length === 0 || (live.length < liveMax && random.integer(10) < 6);
      const at = random.integer(live.length + 1) % Math.max(1, live.length);
      const cid = isNew ? await this.#newCid() : live.splice(at, 1)[0];
      const value = isNew || random.integer(3) === 0 ? `writer ${writer} write ${n}` : undefined;
      const isDone = cid !== undefined && (await this.#change(target, cid, value));
      if (isDone && value !== undefined && cid !== undefined) live.push(cid);
      this.#busy--;
      await setTimeout(isDone ? pauseMs : pauseAfterFailureMs);
    }
  }

  /** `undefined` when no IPFS node takes content at the moment. */
  async #newCid(): Promise<string | undefined> {
    return this.#options.newCid(this.#cids++).catch(() => undefined);
  }

  async #change(target: string, cid: string, value: Value): Promise<boolean> {
    const { ledger } = this.#options;
    ledger.begin(cid, value);
    const outcome: Outcome = await (value === undefined ? unpin(target, cid) : pin(target, cid, value));
    if (outcome.type === 'done') {
      ledger.acknowledged(cid);
      this.#acknowledged++;
      this.acknowledgedBy.set(target, (this.acknowledgedBy.get(target) ?? 0) + 1);
    } else {
      if (outcome.type === 'refused') ledger.neverSent(cid);
      else ledger.unanswered(cid);
      const why = outcome.why.replaceAll(cid, '<cid>');
      if (this.whys.has(why) || this.whys.size < whysMax) this.whys.set(why, (this.whys.get(why) ?? 0) + 1);
    }
    return outcome.type === 'done';
  }
}
