/**
 * What happens on this peer, told to whoever reads along: each reader has a place in one common ring, so readers cost no more than that,
 * and one that comes back goes on where it was as long as the ring reaches so far.
 *
 * Nothing is kept until somebody reads for the first time, and nothing any more some time after the last one has left; then begins another
 * epoch.
 */
import { type Cancel, type Clock, OperatingError } from '../../base/index.ts';
import { type ClusterEvent, type EventTopic, type EventType, formatEventId, parseEventId } from '../../model/index.ts';
import type { EventPage, EventsOptions } from '../ports.ts';
import { EventRing, type RingEvent, type RingLimits } from './ring.ts';

/** Of pins about as many as a second of heavy load has, and minutes of a usual one. */
const limitsDefault: RingLimits = { countMax: 16_384, lengthMax: 8 * 1024 * 1024 };
const pageSize = 256;
const pageLengthMax = 64 * 1024;
/** A reader that hears nothing for so long is told that. */
export const heartbeatMs = 15_000;
/** How long a ring that nobody reads is kept for those who come back. */
const keptMs = 600_000;
const readersMax = 256;

export interface EventFeedDeps {
  readonly clock: Clock;
  /** Called when the first reader comes, and again after there was none for long. */
  readonly onWanted: () => void;
}

interface Reader {
  readonly topics: ReadonlySet<EventTopic>;
  readonly onCut: () => void;
  /** Sequence of the last event it was given, or that is none of its. */
  place: number;
  /** `RingEvent.end` there. */
  end: number;
  /** It has not asked for more yet. */
  isBusy: boolean;
  wake: () => void;
}

interface Epoch {
  readonly name: string;
  readonly ring: EventRing;
}

export class EventFeed {
  readonly #deps: EventFeedDeps;
  readonly #limits: RingLimits;
  #epoch: Epoch | undefined;
  readonly #readers = new Set<Reader>();
  /** When the last reader has left. */
  #leftMs = 0;
  #isClosed = false;

  constructor(deps: EventFeedDeps, limits: RingLimits = limitsDefault) {
    this.#deps = deps;
    this.#limits = limits;
  }

  /** Whether what happens is to be told; else it is not even put into words. */
  isWanted(): boolean {
    if (this.#epoch === undefined) return false;
    if (this.#readers.size > 0 || this.#deps.clock.now() - this.#leftMs < keptMs) return true;
    this.#epoch = undefined;
    return false;
  }

  /** Only while `isWanted`. @param topic absent: it concerns everybody */
  add(topic: EventTopic | undefined, type: EventType, data: string): void {
    const ring = this.#epoch?.ring;
    if (ring === undefined || this.#isClosed) return;
    ring.add(topic, type, data);
    for (const reader of this.#readers) {
      if (!reader.isBusy) reader.wake();
      else if (this.#isTooSlow(reader, ring)) {
        this.#readers.delete(reader);
        reader.onCut();
      }
    }
  }

  /**
   * Pages of events, the first at once. Ends with the feed, when the signal aborts, and when the reader was cut off for being too slow.
   * Throws `cluster/too-many-readers`, `cluster/stopped`.
   */
  async *read({ topics, after, onCut, signal }: EventsOptions): AsyncGenerator<EventPage, void, undefined> {
    if (this.#isClosed)
      throw new OperatingError('cluster/stopped', 'The peer is stopping: there are no events any more');
    if (this.#readers.size >= readersMax) {
      throw new OperatingError('cluster/too-many-readers', `Cannot follow events: ${readersMax} readers do already`);
    }
    const { name, ring } = this.#begin();
    const known = after === undefined ? undefined : parseEventId(after);
    const found = known?.epoch === name ? ring.behind(known.sequence, 1) : undefined;
    const isMissing = after !== undefined && found === undefined;
    const reader: Reader = { topics, onCut, place: ring.last, end: ring.end, isBusy: true, wake: () => {} };
    if (found !== undefined && known !== undefined) {
      const [next] = found;
      reader.place = known.sequence;
      if (next !== undefined) reader.end = next.end - next.data.length;
    }
    this.#readers.add(reader);
    const onAbort = (): void => reader.wake();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const first = this.#pageOf(name, reader, isMissing ? [resetOf(name, reader.place, 'gone')] : []);
      yield first;
      while (this.#isRead(reader, signal)) {
        const events = ring.behind(reader.place, pageSize);
        if (events === undefined) {
          [reader.place, reader.end] = [ring.last, ring.end];
          yield this.#pageOf(name, reader, [resetOf(name, reader.place, 'gone')]);
        } else if (events.length === 0) {
          if (await this.#isSilent(reader)) yield this.#pageOf(name, reader, []);
        } else {
          const told = this.#take(name, reader, events);
          if (told.length > 0) yield this.#pageOf(name, reader, told);
        }
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#readers.delete(reader);
      this.#leftMs = this.#deps.clock.now();
    }
  }

  /** All readers come to their end. */
  close(): void {
    this.#isClosed = true;
    for (const reader of this.#readers) reader.wake();
    this.#readers.clear();
    this.#epoch = undefined;
  }

  #begin(): Epoch {
    if (!this.isWanted()) {
      // No two epochs of a peer begin in the same nanosecond.
      const name = this.#deps.clock.wallNanos().toString(36);
      this.#epoch = { name, ring: new EventRing(this.#limits) };
      this.#deps.onWanted();
    }
    // Proof: made above, or wanted.
    return this.#epoch as Epoch;
  }

  #isRead(reader: Reader, signal: AbortSignal | undefined): boolean {
    return this.#readers.has(reader) && signal?.aborted !== true;
  }

  /** Half of the ring away: it is told in time to come back without a loss. */
  #isTooSlow({ place, end }: Reader, ring: EventRing): boolean {
    return ring.last - place > this.#limits.countMax / 2 || ring.end - end > this.#limits.lengthMax / 2;
  }

  /** Moves the reader on, by as much as one page may have. @returns what is for it */
  #take(epoch: string, reader: Reader, events: readonly RingEvent[]): ClusterEvent[] {
    const told: ClusterEvent[] = [];
    let length = 0;
    for (const { sequence, topic, type, data, end } of events) {
      reader.place = sequence;
      reader.end = end;
      if (topic !== undefined && !reader.topics.has(topic)) continue;
      told.push({ id: formatEventId({ epoch, sequence }), type, data });
      length += data.length;
      if (length >= pageLengthMax) break;
    }
    return told;
  }

  #pageOf(epoch: string, { place }: Reader, events: readonly ClusterEvent[]): EventPage {
    return { id: formatEventId({ epoch, sequence: place }), events };
  }

  /** Waits for something to happen. @returns whether it is time to say that nothing has */
  async #isSilent(reader: Reader): Promise<boolean> {
    const waiting = Promise.withResolvers<boolean>();
    const cancel: Cancel = this.#deps.clock.after(heartbeatMs, () => waiting.resolve(true));
    reader.wake = () => waiting.resolve(false);
    reader.isBusy = false;
    try {
      return await waiting.promise;
    } finally {
      cancel();
      reader.isBusy = true;
      reader.wake = () => {};
    }
  }
}

/** What lay before it cannot be told any more. */
function resetOf(epoch: string, sequence: number, reason: string): ClusterEvent {
  return { id: formatEventId({ epoch, sequence }), type: 'reset', data: JSON.stringify({ reason }) };
}
