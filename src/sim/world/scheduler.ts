/**
 * Virtual time. Events lie in a heap by (time, order of planning); after each, all microtasks run before the next is taken: what
 * happens between two events is one instant.
 */
import { assert, type Cancel, type Clock } from '../../base/index.ts';
import { microtaskCheckpoint } from './checkpoint.ts';

interface Event {
  readonly atMs: number;
  readonly order: number;
  act: (() => void) | undefined;
}

/** How microtasks are run after each event: by the event loop, or, in half the time, by a checkpoint of V8. */
export type Drain = 'loop' | 'checkpoint';

/** With checkpoints: the event loop has its turn after so many events, for what else there may be. */
const eventsPerTurn = 256;

/** Virtual time, and all that is to happen in it. */
export class Scheduler {
  now = 0;
  /** How many events have run: a bound for runs that do not end. */
  events = 0;
  /** Of them, how many at this instant: a bound for those in which time stands still. */
  eventsNow = 0;
  readonly #heap: Event[] = [];
  /** `undefined`: the event loop does it. */
  readonly #runMicrotasks: (() => void) | undefined;
  #order = 0;

  constructor(drain: Drain = 'loop') {
    this.#runMicrotasks = drain === 'checkpoint' ? microtaskCheckpoint() : undefined;
  }

  after(delayMs: number, act: () => void): Cancel {
    const event: Event = { atMs: this.now + Math.max(0, delayMs), order: this.#order++, act };
    this.#push(event);
    return () => {
      event.act = undefined;
    };
  }

  /** Runs events until `isDone`, which is looked at after each, or until there are none. Rejects with what an event throws. */
  async run(isDone: () => boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const turn = (): void => {
        try {
          for (let left = this.#runMicrotasks === undefined ? 1 : eventsPerTurn; left > 0; left--) {
            if (isDone() || !this.#runNext()) {
              resolve();
              return;
            }
            this.#runMicrotasks?.();
          }
          // Its callback runs when the queues of microtasks and of nextTick are empty.
          setImmediate(turn);
        } catch (error) {
          reject(error);
        }
      };
      setImmediate(turn);
    });
  }

  /** @returns whether there was one. */
  #runNext(): boolean {
    const event = this.#pop();
    if (event === undefined) return false;
    assert(event.atMs >= this.now, 'time does not go back');
    this.eventsNow = event.atMs > this.now ? 1 : this.eventsNow + 1;
    this.now = event.atMs;
    this.events++;
    const { act } = event;
    event.act = undefined;
    act?.();
    return true;
  }

  /** The next that is not cancelled. */
  #pop(): Event | undefined {
    for (;;) {
      const first = this.#heap[0];
      const last = this.#heap.pop();
      if (first === undefined || last === undefined) return undefined;
      if (this.#heap.length > 0) {
        this.#heap[0] = last;
        this.#sink();
      }
      if (first.act !== undefined) return first;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    heap.push(event);
    let at = heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[at] = heap[parent] as Event; // 0 <= parent < at
      at = parent;
    }
    heap[at] = event;
  }

  #sink(): void {
    const heap = this.#heap;
    const moved = heap[0] as Event; // called with at least one
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], moved)) break;
      heap[at] = heap[child] as Event; // child < length
      at = child;
    }
    heap[at] = moved;
  }
}

function isBefore(a: Event | undefined, b: Event | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** As a real timer has a grain: what is left of a wait after rounding would otherwise be waited for in no time, and for ever. */
const timerMinMs = 0.01;

/** One life of a peer has one clock; when the peer crashes, its timers never fire. It can run fast or slow. */
export class VirtualClock implements Clock {
  /** Virtual seconds a second. */
  rate = 1;
  /** How many timers are set: none, once all that has set them is stopped. */
  timers = 0;
  readonly #scheduler: Scheduler;
  #isAlive = true;
  #baseMs: number;
  #baseNow: number;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
    this.#baseMs = scheduler.now;
    this.#baseNow = scheduler.now;
  }

  now(): number {
    return this.#baseNow + (this.#scheduler.now - this.#baseMs) * this.rate;
  }

  wallNanos(): bigint {
    return 1_700_000_000_000_000_000n + BigInt(Math.round(this.now() * 1e6));
  }

  /** A timer keeps the rate it was set with. */
  after(delayMs: number, act: () => void): Cancel {
    this.timers++;
    let isSet = true;
    const end = (): void => {
      if (isSet) this.timers--;
      isSet = false;
    };
    const cancel = this.#scheduler.after(delayMs > 0 ? Math.max(timerMinMs, delayMs / this.rate) : 0, () => {
      end();
      if (this.#isAlive) act();
    });
    return () => {
      end();
      cancel();
    };
  }

  setRate(rate: number): void {
    this.#baseNow = this.now();
    this.#baseMs = this.#scheduler.now;
    this.rate = rate;
  }

  stop(): void {
    this.#isAlive = false;
  }
}
