/** The last events, in order, up to a number and to a size: what whoever comes back can still be told. */
import { assert } from '../../base/index.ts';
import type { EventTopic, EventType } from '../../model/index.ts';

export interface RingLimits {
  readonly countMax: number;
  /** Characters of all data together. */
  readonly lengthMax: number;
}

export interface RingEvent {
  /** From 1, without gaps. */
  readonly sequence: number;
  /** Absent: it is for everybody. */
  readonly topic: EventTopic | undefined;
  readonly type: EventType;
  readonly data: string;
  /** Characters of all data up to the end of this event, since the ring was made. */
  readonly end: number;
}

export class EventRing {
  readonly #limits: RingLimits;
  /** The event with sequence n is at n modulo the length. */
  readonly #events: (RingEvent | undefined)[];
  #first = 1;
  #last = 0;
  #end = 0;
  /** Of the last event that has left. */
  #leftEnd = 0;

  constructor(limits: RingLimits) {
    assert(limits.countMax >= 1, 'countMax >= 1');
    this.#limits = limits;
    this.#events = new Array<RingEvent | undefined>(limits.countMax);
  }

  /** Sequence of the last event; 0 before there was one. */
  get last(): number {
    return this.#last;
  }

  /** Characters of all data so far. */
  get end(): number {
    return this.#end;
  }

  /** An event longer than the ring is alone in it. */
  add(topic: EventTopic | undefined, type: EventType, data: string): void {
    const { countMax, lengthMax } = this.#limits;
    this.#last += 1;
    this.#end += data.length;
    if (this.#last - this.#first >= countMax) this.#dropFirst();
    this.#events[this.#last % countMax] = { sequence: this.#last, topic, type, data, end: this.#end };
    while (this.#end - this.#leftEnd > lengthMax && this.#first < this.#last) this.#dropFirst();
  }

  /** The events behind a sequence, so many at most; `undefined` when some of them have left, or there never was such a one. */
  behind(sequence: number, countMax: number): readonly RingEvent[] | undefined {
    if (sequence < this.#first - 1 || sequence > this.#last) return undefined;
    const events: RingEvent[] = [];
    for (let next = sequence + 1; next <= this.#last && events.length < countMax; next++) {
      const event = this.#events[next % this.#limits.countMax];
      assert(event?.sequence === next, 'the ring has every event from the first to the last');
      events.push(event);
    }
    return events;
  }

  #dropFirst(): void {
    const at = this.#first % this.#limits.countMax;
    this.#leftEnd = this.#events[at]?.end ?? this.#leftEnd;
    this.#events[at] = undefined;
    this.#first += 1;
  }
}
