import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FakeClock, settle } from '../../../test/support/fake-clock.ts';
import { SeededRandom } from '../../base/index.ts';
import { type ClusterEvent, type EventTopic, eventTopics } from '../../model/index.ts';
import type { EventPage } from '../ports.ts';
import { EventFeed, heartbeatMs } from './feed.ts';
import type { RingLimits } from './ring.ts';

const small: RingLimits = { countMax: 16, lengthMax: 1000 };

function feedOf(clock: FakeClock, limits: RingLimits = small): { readonly feed: EventFeed; wanted: number } {
  const state = { wanted: 0 };
  const feed = new EventFeed({ clock, onWanted: () => state.wanted++ }, limits);
  return Object.assign(state, { feed });
}

interface Follower {
  readonly pages: EventPage[];
  readonly events: ClusterEvent[];
  isCut: boolean;
  /** Takes one page, if there is one. */
  take(): Promise<IteratorResult<EventPage, void>>;
  leave(): Promise<void>;
}

function follow(feed: EventFeed, after?: string, topics: readonly EventTopic[] = eventTopics): Follower {
  const abort = new AbortController();
  const pages = feed.read({
    topics: new Set(topics),
    onCut: () => {
      follower.isCut = true;
    },
    signal: abort.signal,
    ...(after === undefined ? {} : { after }),
  });
  const follower: Follower = {
    pages: [],
    events: [],
    isCut: false,
    take: async () => {
      const page = await pages.next();
      if (page.done === true) return page;
      follower.pages.push(page.value);
      follower.events.push(...page.value.events);
      return page;
    },
    leave: async () => {
      abort.abort();
      await pages.return(undefined);
    },
  };
  return follower;
}

/** The id of the last thing that it has seen. */
const placeOf = ({ pages }: Follower): string => pages.at(-1)?.id ?? '';

describe('EventFeed', () => {
  it('keeps nothing and asks for nothing until somebody reads, and again when nobody did for long', async () => {
    const clock = new FakeClock();
    const scene = feedOf(clock);
    const { feed } = scene;
    assert.equal(feed.isWanted(), false);
    feed.add('pin', 'pin', 'lost');
    const first = follow(feed);
    await first.take();
    assert.deepEqual(first.events, []);
    assert.equal(scene.wanted, 1);
    feed.add('pin', 'pin', 'one');
    await first.take();
    await first.leave();
    await clock.advance(599_000);
    assert.equal(feed.isWanted(), true);
    feed.add('pin', 'pin', 'two');
    const second = follow(feed, placeOf(first));
    await second.take();
    await second.take();
    assert.deepEqual(
      second.events.map(({ data }) => data),
      ['two'],
    );
    await second.leave();
    await clock.advance(600_000);
    assert.equal(feed.isWanted(), false);
    const third = follow(feed, placeOf(second));
    await third.take();
    assert.equal(scene.wanted, 2);
    assert.deepEqual(
      third.events.map(({ type, data }) => [type, data]),
      [['reset', '{"reason":"gone"}']],
    );
    assert.notEqual(placeOf(third).split('-')[0], placeOf(second).split('-')[0]);
  });

  it('tells each reader what it has asked for, and all of a reset', async () => {
    const { feed } = feedOf(new FakeClock());
    const pins = follow(feed, undefined, ['pin']);
    const others = follow(feed, undefined, ['status', 'peer', 'alert']);
    for (const reader of [pins, others]) await reader.take();
    feed.add('pin', 'pin', 'a');
    feed.add('peer', 'peer', 'b');
    feed.add(undefined, 'reset', 'c');
    for (const reader of [pins, others]) await reader.take();
    assert.deepEqual(
      pins.events.map(({ data }) => data),
      ['a', 'c'],
    );
    assert.deepEqual(
      others.events.map(({ data }) => data),
      ['b', 'c'],
    );
    assert.deepEqual(
      pins.events.map(({ id }) => Number(id.split('-')[1])),
      [1, 3],
    );
  });

  it('says every 15 s that there is nothing, and where the reader is', async () => {
    const clock = new FakeClock();
    const { feed } = feedOf(clock);
    const reader = follow(feed, undefined, ['alert']);
    await reader.take();
    const quiet = reader.take();
    feed.add('pin', 'pin', 'not for it');
    await clock.advance(heartbeatMs - 1);
    assert.equal(reader.pages.length, 1);
    await clock.advance(1);
    await quiet;
    assert.deepEqual(reader.pages[1]?.events, []);
    assert.match(placeOf(reader), /-1$/);
    assert.equal(clock.pendingCount, 0);
    await reader.leave();
  });

  it('an id that it has not made, or not yet, or of long ago, is answered by a reset', async () => {
    const { feed } = feedOf(new FakeClock());
    const reader = follow(feed);
    await reader.take();
    const epoch = placeOf(reader).split('-')[0];
    for (let n = 0; n < 20; n++) feed.add('pin', 'pin', String(n));
    for (const after of ['', 'x', `${epoch}-`, `${epoch}-21`, `${epoch}-3`, `0${epoch}-20`, `${epoch}-20\n`]) {
      const late = follow(feed, after);
      await late.take();
      assert.deepEqual(
        late.events.map(({ type, id }) => [type, id]),
        [['reset', `${epoch}-20`]],
        JSON.stringify(after),
      );
      await late.leave();
    }
    const just = follow(feed, `${epoch}-4`);
    await just.take();
    await just.take();
    assert.equal(just.events.length, 16);
  });

  it('cuts off who does not read, in time to come back without a loss', async () => {
    const { feed } = feedOf(new FakeClock());
    const slow = follow(feed);
    await slow.take();
    const idle = follow(feed);
    await idle.take();
    const waiting = idle.take();
    for (let n = 0; n < 9; n++) feed.add('pin', 'pin', String(n));
    assert.equal(slow.isCut, true);
    assert.equal(idle.isCut, false);
    await waiting;
    assert.deepEqual(await slow.take(), { done: true, value: undefined });
    const back = follow(feed, placeOf(slow));
    await back.take();
    await back.take();
    assert.deepEqual(
      back.events.map(({ data }) => data),
      [0, 1, 2, 3, 4, 5, 6, 7, 8].map(String),
    );
  });

  it('cuts off by size as well, and one event that is larger than all is told still', async () => {
    const { feed } = feedOf(new FakeClock());
    const slow = follow(feed);
    await slow.take();
    feed.add('pin', 'pin', 'x'.repeat(501));
    assert.equal(slow.isCut, true);
    const back = follow(feed, placeOf(slow));
    await back.take();
    const more = back.take();
    await more;
    const rest = back.take();
    feed.add('pin', 'pin', 'y'.repeat(5000));
    await rest;
    assert.deepEqual(
      back.events.map(({ data }) => data.length),
      [501, 5000],
    );
  });

  it('ends its readers when it ends, when they go, and lets no more in than 256', async () => {
    const clock = new FakeClock();
    const { feed } = feedOf(clock);
    const readers = Array.from({ length: 256 }, () => follow(feed));
    for (const reader of readers) await reader.take();
    await assert.rejects(follow(feed).take(), { code: 'cluster/too-many-readers' });
    await readers[0]?.leave();
    await follow(feed).take();
    const waiting = readers[1]?.take();
    feed.close();
    assert.deepEqual(await waiting, { done: true, value: undefined });
    assert.deepEqual(await readers[2]?.take(), { done: true, value: undefined });
    await assert.rejects(follow(feed).take(), { code: 'cluster/stopped' });
    await settle();
    assert.equal(clock.pendingCount, 0);
  });

  it('over any disconnects nothing is lost and nothing told twice, unless a reset says so', async () => {
    const seed = process.env.SEED ?? 1;
    let resets = 0;
    let cuts = 0;
    for (let round = 0; round < 150; round++) {
      const random = new SeededRandom(`events ${seed} ${round}`);
      const clock = new FakeClock();
      const { feed } = feedOf(clock, { countMax: 4 + random.integer(30), lengthMax: 20 + random.integer(300) });
      const topics = random.integer(2) === 0 ? eventTopics : (['pin', 'alert'] as const);
      const all: { readonly sequence: number; readonly data: string }[] = [];
      let sequence = 0;
      let reader: Follower | undefined;
      let place: string | undefined;
      /** What it knows of: all up to here. */
      let known = 0;
      const told = (page: EventPage): void => {
        for (const event of page.events) {
          const at = Number(event.id.split('-')[1]);
          if (event.type === 'reset') {
            resets++;
            assert.ok(at >= known, `seed ${seed}, round ${round}`);
            known = at;
            continue;
          }
          const expected = all.find((other) => other.sequence > known);
          assert.deepEqual([at, event.data], [expected?.sequence, expected?.data], `seed ${seed}, round ${round}`);
          known = at;
        }
        place = page.id;
        const upTo = Number(page.id.split('-')[1]);
        const missed = all.find((event) => event.sequence > known && event.sequence <= upTo);
        assert.equal(missed, undefined, `seed ${seed}, round ${round}`);
        known = Math.max(known, upTo);
      };
      const open = async (): Promise<void> => {
        reader = follow(feed, place, topics);
        const page = await reader.take();
        if (page.done !== true) told(page.value);
      };
      await open();
      for (let step = 0; step < 60; step++) {
        const act = random.integer(10);
        if (act < 6) {
          for (let n = random.integer(8); n >= 0; n--) {
            const topic = eventTopics[random.integer(eventTopics.length)] ?? 'pin';
            const data = 'x'.repeat(random.integer(20)) + sequence;
            sequence += 1;
            feed.add(topic, topic, data);
            if (topics.some((own) => own === topic)) all.push({ sequence, data });
          }
        } else if (act === 6) {
          await reader?.leave();
          reader = undefined;
        } else if (reader === undefined) await open();
        else if (all.some((event) => event.sequence > known) || reader.isCut) {
          if (reader.isCut) cuts++;
          const page = await reader.take();
          if (page.done === true) reader = undefined;
          else told(page.value);
        }
      }
      if (reader !== undefined) await reader.leave();
      reader = undefined;
      await open();
      while (all.some((event) => event.sequence > known)) {
        // Assigned in `open`, which the compiler does not see.
        const page = await (reader as Follower | undefined)?.take();
        if (page?.done === false) told(page.value);
      }
      await (reader as Follower | undefined)?.leave();
      assert.equal(clock.pendingCount, 0);
    }
    assert.ok(resets > 20 && cuts > 20, `${resets} resets, ${cuts} cuts`);
  });
});
