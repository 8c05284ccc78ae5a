/** Searches over a real store, next to what looking at every pin finds. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { collect } from '../../../test/support/collect.ts';
import { cidNumber, pinOf } from '../../../test/support/pins.ts';
import { OperatingError, SeededRandom, silentLogger, utf8Encode } from '../../base/index.ts';
import {
  formatCursor,
  matchesSearch,
  type Pin,
  type PinSearch,
  parseCursor,
  parsePinSearch,
  parseQuery,
  pinTypeBits,
  type RaftCommand,
  stateKey,
} from '../../model/index.ts';
import { createMemoryDatastore } from '../memory-datastore.ts';
import { openPinset, type PinsetState } from '../pinset.ts';
import type { Datastore, PinPageRequest, PinsetObserver } from '../ports.ts';
import { allKeys, beginningsOf, entryOf, textBytesMax } from './entries.ts';
import { pinPage } from './pin-pages.ts';
import { candidatesMax, SearchIndex } from './search-index.ts';

interface Scene {
  readonly pinset: PinsetState;
  readonly store: Datastore;
  index: SearchIndex;
  readonly observer: { current: PinsetObserver | undefined };
  write(...commands: readonly RaftCommand[]): Promise<void>;
}

function scene(store: Datastore = createMemoryDatastore(), state: Datastore = createMemoryDatastore()): Scene {
  const observer: Scene['observer'] = { current: undefined };
  const pinset = openPinset(state, {
    log: silentLogger,
    observer: {
      onPin: (pin) => observer.current?.onPin(pin),
      onUnpin: (pin) => observer.current?.onUnpin(pin),
      onReplaced: () => observer.current?.onReplaced(),
    },
  });
  const index = newIndex(pinset, store);
  observer.current = index.observer;
  let applied = pinset.applied;
  return {
    pinset,
    store,
    index,
    observer,
    write: async (...commands) => {
      applied += 1;
      await pinset.apply(commands, applied);
    },
  };
}

function newIndex(pinset: PinsetState, store: Datastore): SearchIndex {
  // It outlives the index, as a folder does.
  const kept = { ...boundStore(store), close: async () => {} };
  return new SearchIndex({ pinset, openStore: async () => kept, logger: silentLogger });
}

function boundStore(store: Datastore): Datastore {
  return {
    get: (key) => store.get(key),
    batch: (ops, options) => store.batch(ops, options),
    scan: (range, options) => store.scan(range, options),
    scanText: (range, options) => store.scanText(range, options),
    close: () => store.close(),
  };
}

const pin = (n: number, more: Partial<Pin> = {}): RaftCommand => ({ type: 'pin', pin: pinOf(cidNumber(n), more) });
const unpin = (n: number): RaftCommand => ({ type: 'unpin', pin: pinOf(cidNumber(n)) });
const all = pinTypeBits.all;

/** All pages, and what was on them. */
async function walk(
  { pinset, index }: Scene,
  search: PinSearch | undefined,
  limit: number,
  between: () => Promise<void> = async () => {},
): Promise<readonly string[]> {
  const names: string[] = [];
  let cursor = '';
  do {
    const request: PinPageRequest = { types: all, limit, cursor, ...(search === undefined ? {} : { search }) };
    const page = await pinPage(request, { pinset: () => pinset, index }, {});
    assert.ok(page.pins.length <= limit);
    names.push(...page.pins.map(({ cid }) => cid.toString()));
    cursor = page.next;
    await between();
  } while (cursor !== '');
  return names;
}

async function naive({ pinset }: Scene, search: PinSearch): Promise<readonly string[]> {
  const pins = (await collect(pinset.pages())).flat();
  return pins.filter((found) => matchesSearch(found, search)).map(({ cid }) => cid.toString());
}

/** What is in the index, as text. */
async function entriesOf(store: Datastore): Promise<readonly string[]> {
  const entries = (await collect(store.scan(allKeys))).flat();
  return entries.map(([key, value]) => `${Buffer.from(key).toString('hex')} ${Buffer.from(value).toString('hex')}`);
}

const names = ['', 'a', 'ab', 'ab\0', 'ab\0c', 'ä', 'b', '\u{10ffff}', 'x'.repeat(textBytesMax), 'x'.repeat(200)];
const metadata: readonly Pin['metadata'][] = [
  null,
  { k: 'v' },
  { k: 'v', l: '' },
  { k: 'w', l: 'v' },
  { k: 'y'.repeat(200) },
  { __proto: 'z' },
];
const times = [-5, 0, 1_700_000_000, 1_700_000_001, 1_800_000_000];

const anyPin = fc.record({
  name: fc.constantFrom(...names),
  metadata: fc.constantFrom(...metadata),
  timestamp: fc.oneof(fc.constant(null), fc.record({ seconds: fc.constantFrom(...times), nanos: fc.constant(0) })),
});
const anySearch: fc.Arbitrary<PinSearch> = fc
  .record({
    name: fc.option(fc.constantFrom(...names.slice(1), 'none'), { nil: undefined }),
    namePrefix: fc.option(fc.constantFrom('a', 'ab', 'ab\0', 'x', 'x'.repeat(150), 'ä', '\u{10ffff}'), {
      nil: undefined,
    }),
    metadata: fc.constantFrom({}, { k: 'v' }, { l: 'v', k: 'w' }, { k: 'y'.repeat(200) }, { k: 'y'.repeat(199) }),
    createdAfter: fc.option(fc.constantFrom(...times), { nil: undefined }),
    createdBefore: fc.option(fc.constantFrom(...times), { nil: undefined }),
  })
  .map(({ createdAfter, createdBefore, name, namePrefix, metadata: meta }) => ({
    metadata: meta,
    ...(name === undefined ? {} : { name }),
    ...(namePrefix === undefined ? {} : { namePrefix }),
    ...(createdAfter === undefined ? {} : { createdAfter: { seconds: createdAfter, nanos: 500 } }),
    ...(createdBefore === undefined ? {} : { createdBefore: { seconds: createdBefore, nanos: 0 } }),
  }));
const anyWrite = fc.tuple(fc.nat(30), fc.option(anyPin, { nil: undefined }));

describe('SearchIndex', () => {
  it('finds what looking at every pin finds, at every step of any history, over restarts', async () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ writes: fc.array(anyWrite, { maxLength: 12 }) }),
        fc.record({ search: anySearch, limit: fc.integer({ min: 1, max: 9 }) }),
        fc.constant('restart' as const),
        fc.constant('replaced' as const),
      ),
      { maxLength: 25 },
    );
    await fc.assert(
      fc.asyncProperty(steps, anySearch, async (history, last) => {
        const at = scene();
        for (const step of [...history, { search: last, limit: 5 }]) {
          if (step === 'restart') {
            await at.index.close();
            at.index = newIndex(at.pinset, at.store);
            at.observer.current = at.index.observer;
          } else if (step === 'replaced') at.observer.current?.onReplaced();
          else if ('writes' in step) {
            await at.write(...step.writes.map(([n, what]) => (what === undefined ? unpin(n) : pin(n, what))));
          } else {
            const found = await walk(at, step.search, step.limit);
            assert.deepEqual(found.toSorted(), (await naive(at, step.search)).toSorted());
          }
        }
        // What it has come to by following is what it would be if it were made now.
        const anew = createMemoryDatastore();
        const other = newIndex(at.pinset, anew);
        await other.find({ search: { metadata: {} }, matches: () => true, limit: 1, after: undefined });
        assert.deepEqual(await entriesOf(at.store), await entriesOf(anew));
      }),
      { numRuns: 60 },
    );
  });

  it('lists every pin that is there during a whole walk exactly once, whatever is written in between', async () => {
    const seed = process.env.SEED ?? 1;
    for (let round = 0; round < 25; round++) {
      const random = new SeededRandom(`search walk ${seed} ${round}`);
      const at = scene();
      const named = (n: number): Partial<Pin> => ({
        name: `${n % 2 === 0 ? 'site' : 'blog'} ${n % 17}`,
        metadata: { tenant: `t${n % 3}` },
        timestamp: { seconds: 1_700_000_000 + (n % 23), nanos: 0 },
      });
      const count = 200;
      await at.write(...Array.from({ length: count }, (_, n) => pin(n, named(n))));
      const searches: readonly (PinSearch | undefined)[] = [
        undefined,
        { namePrefix: 'site', metadata: {} },
        { metadata: { tenant: 't1' } },
        { metadata: {}, createdAfter: { seconds: 1_700_000_003, nanos: 0 } },
        { name: 'blog 3', metadata: { tenant: 't0' } },
      ];
      const search = searches[round % searches.length];
      const touched = new Set<number>();
      const before = new Set(await walk(at, search, 1000));
      const found = await walk(at, search, 1 + random.integer(20), async () => {
        const n = random.integer(2 * count);
        touched.add(n);
        // Gone and come back, new, or called and dated otherwise.
        if (random.integer(3) === 0) await at.write(unpin(n));
        else await at.write(pin(n, named(random.integer(50))));
        // The same again is no change.
        const m = random.integer(count);
        if (!touched.has(m)) await at.write(pin(m, named(m)));
      });
      for (let n = 0; n < count; n++) {
        if (touched.has(n)) continue;
        const cid = cidNumber(n).toString();
        const times = found.filter((other) => other === cid).length;
        assert.equal(
          times,
          before.has(cid) ? 1 : 0,
          `seed ${seed}, round ${round}: pin ${n} was listed ${times} times`,
        );
      }
    }
  });

  it('in the order of CIDs no pin is listed twice, however it is changed', async () => {
    const at = scene();
    await at.write(...Array.from({ length: 100 }, (_, n) => pin(n)));
    let n = 0;
    const found = await walk(at, undefined, 7, () => at.write(pin(n++ % 100, { name: 'changed' })));
    assert.equal(new Set(found).size, 100);
    assert.equal(found.length, 100);
  });

  it('is made while pins are written, and has them', async () => {
    const at = scene();
    await at.write(...Array.from({ length: 3000 }, (_, n) => pin(n, { name: 'old' })));
    const first = walk(at, { name: 'new', metadata: {} }, 1000);
    for (let n = 0; n < 3000; n += 7) await at.write(pin(n, { name: 'new' }), unpin(n + 1));
    await first;
    const found = await walk(at, { name: 'new', metadata: {} }, 1000);
    assert.deepEqual(found.toSorted(), (await naive(at, { name: 'new', metadata: {} })).toSorted());
    assert.equal(found.length, 429);
  });

  it('an entry that a power cut has left over shows nothing, and nothing twice', async () => {
    const at = scene();
    await at.write(pin(1, { name: 'ab' }), pin(2, { name: 'ac' }));
    assert.equal((await walk(at, { namePrefix: 'a', metadata: {} }, 5)).length, 2);
    const [left] = beginningsOf(entryOf({ name: 'aa', metadata: null, timestamp: null }));
    assert.ok(left !== undefined);
    const keys = [1, 3].map((n) => Buffer.concat([left, utf8Encode(stateKey(cidNumber(n)))]));
    await at.store.batch(
      keys.map((key) => ({ type: 'put', key, value: new Uint8Array() })),
      { durable: false },
    );
    assert.equal((await walk(at, { namePrefix: 'a', metadata: {} }, 5)).length, 2);
    assert.equal((await walk(at, { name: 'aa', metadata: {} }, 5)).length, 0);
  });

  it('costs nothing until somebody searches', async () => {
    let isOpened = false;
    const { pinset } = scene();
    const index = new SearchIndex({
      pinset,
      logger: silentLogger,
      openStore: async () => {
        isOpened = true;
        return createMemoryDatastore();
      },
    });
    index.observer.onPin(pinOf(cidNumber(1)));
    index.observer.onReplaced();
    await index.close();
    assert.equal(isOpened, false);
  });

  it('a store that fails is told to whoever waits, and the next search begins anew', async () => {
    const at = scene();
    await at.write(pin(1, { name: 'a' }));
    let isBroken = true;
    let opened = 0;
    const index = new SearchIndex({
      pinset: at.pinset,
      logger: silentLogger,
      openStore: async () => {
        opened += 1;
        const { scan, scanText, get, batch } = boundStore(createMemoryDatastore());
        return {
          get,
          scan,
          scanText,
          close: async () => {},
          batch: async (ops, options) => {
            if (isBroken) throw new OperatingError('store/full', 'the disk is full');
            await batch(ops, options);
          },
        };
      },
    });
    at.index = index;
    at.observer.current = index.observer;
    await assert.rejects(walk(at, { name: 'a', metadata: {} }, 5), { code: 'store/full' });
    isBroken = false;
    assert.equal((await walk(at, { name: 'a', metadata: {} }, 5)).length, 1);
    assert.equal(opened, 2);
    isBroken = true;
    await at.write(pin(2, { name: 'a' }));
    await assert.rejects(walk(at, { name: 'a', metadata: {} }, 5), { code: 'store/full' });
  });

  it('ends with the peer: whoever waits is told, and nothing is written afterwards', async () => {
    const at = scene();
    await at.write(...Array.from({ length: 2000 }, (_, n) => pin(n)));
    const waiting = assert.rejects(walk(at, { name: 'a', metadata: {} }, 5), { code: 'cluster/stopped' });
    await at.index.close();
    await waiting;
    await assert.rejects(walk(at, { name: 'a', metadata: {} }, 5), { code: 'cluster/stopped' });
    const left = await entriesOf(at.store);
    await at.write(pin(5000));
    assert.deepEqual(await entriesOf(at.store), left);
  });

  it('ends in the middle of being made: nobody is shown what is not complete', async () => {
    const at = scene();
    await at.write(...Array.from({ length: 2000 }, (_, n) => pin(n, { name: n % 10 === 0 ? 'a' : 'b' })));
    let batches = 0;
    const { get, scan, scanText, batch } = boundStore(createMemoryDatastore());
    const index = new SearchIndex({
      pinset: at.pinset,
      logger: silentLogger,
      openStore: async () => ({
        get,
        scan,
        scanText,
        close: async () => {},
        batch: async (ops, options) => {
          await batch(ops, options);
          batches += 1;
          if (batches === 4) void index.close();
        },
      }),
    });
    at.index = index;
    await assert.rejects(walk(at, { name: 'a', metadata: {} }, 1000), { code: 'cluster/stopped' });
    assert.equal(batches, 4);
  });

  it('looks at a bounded number of pins for a page', async () => {
    const at = scene();
    await at.write(...Array.from({ length: 6000 }, (_, n) => pin(n, { name: n === 5999 ? 'ab' : 'a' })));
    const request = { search: { namePrefix: 'a', metadata: { k: 'v' } }, types: all, limit: 10, cursor: '' };
    const deps = { pinset: () => at.pinset, index: at.index };
    assert.deepEqual(await pinPage(request, deps, {}), { pins: [], next: '' });
    const rare = { search: { namePrefix: 'a', metadata: {} }, types: pinTypeBits['meta-pin'], limit: 10, cursor: '' };
    let pages = 0;
    for (let cursor = ''; pages === 0 || cursor !== ''; pages++) {
      const page = await pinPage({ ...rare, cursor }, deps, {});
      assert.deepEqual(page.pins, []);
      cursor = page.next;
    }
    assert.equal(pages, 6000 / candidatesMax + 1);
  });
});

describe('cursors', () => {
  it('come back as they were, and any other text is refused', () => {
    const place = utf8Encode(stateKey(cidNumber(1)));
    const cursor = formatCursor(place, 'pins 30 ');
    assert.deepEqual(parseCursor(cursor, 'pins 30 '), place);
    const refused = {
      code: 'model/bad-cursor',
      message: /^parameter cursor: found ".*", expected the "next" of a page of this very list$/,
    };
    assert.throws(() => parseCursor(cursor, 'pins 2 '), refused);
    fc.assert(
      fc.property(fc.string(), (text) => {
        assert.throws(() => parseCursor(text, 'pins 30 '), refused);
      }),
    );
    for (let i = 0; i < cursor.length; i++) {
      const other = cursor.slice(0, i) + (cursor[i] === 'a' ? 'b' : 'a') + cursor.slice(i + 1);
      assert.throws(() => parseCursor(other, 'pins 30 '), refused, `letter ${i}`);
      assert.throws(() => parseCursor(cursor.slice(0, i), 'pins 30 '), refused, `cut at ${i}`);
    }
  });

  it('searches are read from the query, and what cannot be read is named', () => {
    const read = (text: string): PinSearch | undefined => parsePinSearch(parseQuery(text));
    assert.equal(read('limit=3&filter=pin&name=&meta-=x&meta-k='), undefined);
    assert.deepEqual(read('name=a+b&meta-k=v&meta-__proto__=w'), {
      name: 'a b',
      metadata: Object.fromEntries([
        ['k', 'v'],
        ['__proto__', 'w'],
      ]),
    });
    assert.deepEqual(read('created-after=2026-01-01T00:00:00Z&name-prefix=x')?.createdAfter, {
      seconds: 1_767_225_600,
      nanos: 0,
    });
    assert.throws(() => read('created-before=yesterday'), {
      message: 'parameter created-before: found "yesterday", expected a time such as 2026-01-31T12:00:00Z',
    });
  });

  it('an entry has a beginning for the name, each key of the metadata and the time, however long they are', () => {
    fc.assert(
      fc.property(fc.string(), fc.dictionary(fc.string(), fc.string()), fc.integer(), (name, meta, seconds) => {
        const long = name.repeat(50);
        const entry = entryOf({ name: long, metadata: meta, timestamp: { seconds, nanos: 0 } });
        const beginnings = beginningsOf(entry);
        assert.equal(beginnings.length, 2 + Object.keys(meta).length);
        const sizes = beginnings.reduce((sum, { length }) => sum + 2 + length, 0);
        assert.equal(sizes, entry.length);
      }),
    );
    const many = Object.fromEntries(Array.from({ length: 3000 }, (_, n) => [`${n}`, '\0'.repeat(200)]));
    const beginnings = beginningsOf(entryOf({ name: '', metadata: many, timestamp: null }));
    assert.equal(beginnings.length, 3001);
    assert.ok(beginnings.every(({ length }) => length <= 2 * (2 * textBytesMax + 2) + 1));
  });
});
