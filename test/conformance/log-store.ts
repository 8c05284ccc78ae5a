/** What every implementation of the Raft engine's `LogStore` port must do. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Base,
  type Entry,
  type LogImage,
  type LogOp,
  type LogStore,
  originBase,
} from '../../src/core/raft/index.ts';

/** A place that outlives the stores opened on it. */
export interface LogStorePlace {
  /** A store on what the last one left; that one is closed, or has crashed, before. */
  open(): Promise<LogStore & { close(): Promise<void> }>;
}

/** An entry with data of its own. */
export function command(index: number, term: number, text: string = `${term}.${index}`): Entry {
  return { type: 'command', index, term, data: new TextEncoder().encode(text), appendedAt: BigInt(index) };
}

/** Declares the suite; `place` gives an empty one. */
export function logStoreConformance(name: string, place: () => Promise<LogStorePlace>): void {
  const reopened = (title: string, write: (store: LogStore) => Promise<void>, expected: Partial<LogImage>): void => {
    test(title, async () => {
      const at = await place();
      const before = await at.open();
      await before.load();
      await write(before);
      await before.close();
      const after = await at.open();
      const image = await after.load();
      assert.deepEqual(image, { hard: { term: 0, votedFor: undefined }, base: originBase, entries: [], ...expected });
      await after.close();
    });
  };

  describe(`LogStore contract: ${name}`, () => {
    reopened('an empty store is term 0, base 0, no entries', async () => {}, {});

    const servers = [{ id: '12D3KooWexample', suffrage: 'voter' as const }];
    const entries: Entry[] = [
      { type: 'configuration', index: 1, term: 1, configuration: { servers } },
      { type: 'noop', index: 2, term: 3, appendedAt: 1_700_000_000_123_456_789n },
      { type: 'command', index: 3, term: 3, data: new Uint8Array(0) },
      { type: 'barrier', index: 4, term: 3, appendedAt: 0n },
      command(5, 4),
    ];
    const hard = { term: 4, votedFor: '12D3KooWexample' };
    reopened(
      'every kind of entry comes back as it was',
      (store) =>
        store.write([
          { type: 'hard', state: hard },
          { type: 'put', entries },
        ]),
      { hard, entries },
    );

    reopened(
      'the last hard state wins, and no vote is told from a vote',
      async (store) => {
        await store.write([{ type: 'hard', state: { term: 1, votedFor: 'a' } }]);
        await store.write([
          { type: 'hard', state: { term: 2, votedFor: 'a' } },
          { type: 'hard', state: { term: 3, votedFor: undefined } },
        ]);
      },
      { hard: { term: 3, votedFor: undefined } },
    );

    const five = { term: 5, votedFor: undefined };
    reopened(
      'a cut removes the entries at its index and after, and others take their place in the same write',
      async (store) => {
        await store.write([
          { type: 'hard', state: five },
          { type: 'put', entries: [command(1, 1), command(2, 1), command(3, 1), command(4, 1)] },
        ]);
        await store.write([
          { type: 'cut', from: 3 },
          { type: 'put', entries: [command(3, 2)] },
        ]);
        await store.write([{ type: 'put', entries: [command(4, 2)] }]);
        await store.write([{ type: 'cut', from: 4 }]);
        await store.write([
          { type: 'put', entries: [command(4, 3), command(5, 3)] },
          { type: 'cut', from: 5 },
          { type: 'put', entries: [command(5, 4)] },
        ]);
      },
      { hard: five, entries: [command(1, 1), command(2, 1), command(3, 2), command(4, 3), command(5, 4)] },
    );

    reopened(
      'a cut of everything leaves the hard state',
      async (store) => {
        await store.write([
          { type: 'hard', state: five },
          { type: 'put', entries: [command(1, 1), command(2, 1)] },
        ]);
        await store.write([{ type: 'cut', from: 1 }]);
      },
      { hard: five },
    );

    const many = Array.from({ length: 2500 }, (_, i) => command(i + 1, 1));
    reopened(
      'thousands of entries come back in the order of their indexes',
      (store) =>
        store.write([
          { type: 'hard', state: five },
          { type: 'put', entries: many },
        ]),
      { hard: five, entries: many },
    );

    const baseAt = (index: number, term: number): Base => ({
      index,
      term,
      configuration: { servers },
      configurationIndex: Math.min(index, 2),
    });

    reopened(
      'a compacted log begins after its base and goes on where it was',
      async (store) => {
        await store.write([
          { type: 'hard', state: five },
          { type: 'put', entries: [command(1, 1), command(2, 1), command(3, 2), command(4, 2)] },
        ]);
        await store.write([{ type: 'compact', base: baseAt(3, 2) }]);
        await store.write([{ type: 'put', entries: [command(5, 3)] }]);
      },
      { hard: five, base: baseAt(3, 2), entries: [command(4, 2), command(5, 3)] },
    );

    reopened(
      'a log is compacted to its last entry, again at its base, and cut behind it',
      async (store) => {
        await store.write([
          { type: 'hard', state: five },
          { type: 'put', entries: [command(1, 1), command(2, 1)] },
          { type: 'compact', base: baseAt(2, 1) },
        ]);
        await store.write([{ type: 'compact', base: baseAt(2, 1) }]);
        await store.write([{ type: 'put', entries: [command(3, 1), command(4, 1)] }]);
        await store.write([
          { type: 'cut', from: 3 },
          { type: 'put', entries: [command(3, 5)] },
          { type: 'compact', base: baseAt(2, 1) },
        ]);
      },
      { hard: five, base: baseAt(2, 1), entries: [command(3, 5)] },
    );

    reopened(
      'a reset log is empty after its base, which may be far away or inside it',
      async (store) => {
        await store.write([
          { type: 'hard', state: five },
          { type: 'put', entries: [command(1, 1), command(2, 1), command(3, 1)] },
        ]);
        await store.write([{ type: 'reset', base: baseAt(2, 2) }]);
        await store.write([{ type: 'put', entries: [command(3, 3)] }]);
        await store.write([
          { type: 'reset', base: baseAt(1000, 4) },
          { type: 'put', entries: [command(1001, 5)] },
        ]);
      },
      { hard: five, base: baseAt(1000, 4), entries: [command(1001, 5)] },
    );

    test('a log is read again while it is open, and written on', async () => {
      const at = await place();
      const store = await at.open();
      await store.load();
      await store.write([
        { type: 'hard', state: five },
        { type: 'put', entries: [command(1, 1)] },
      ]);
      assert.deepEqual((await store.load()).entries, [command(1, 1)]);
      await store.write([{ type: 'put', entries: [command(2, 1)] }]);
      await store.close();
      const after = await at.open();
      assert.deepEqual((await after.load()).entries, [command(1, 1), command(2, 1)]);
      await after.close();
    });

    test('a second write before the first resolved is refused as a bug, and the first is kept', async () => {
      const at = await place();
      const store = await at.open();
      await store.load();
      const first = store.write([
        { type: 'hard', state: five },
        { type: 'put', entries: [command(1, 1)] },
      ]);
      await assert.rejects(store.write([{ type: 'put', entries: [command(2, 1)] }]), { code: 'base/assertion' });
      await first;
      await store.write([{ type: 'put', entries: [command(2, 1)] }]);
      await store.close();
      const after = await at.open();
      assert.equal((await after.load()).entries.length, 2);
      await after.close();
    });

    const refusals: readonly { readonly title: string; readonly ops: readonly LogOp[] }[] = [
      { title: 'a gap', ops: [{ type: 'put', entries: [command(5, 1)] }] },
      { title: 'an entry that is there already', ops: [{ type: 'put', entries: [command(3, 1)] }] },
      { title: 'a cut behind the end', ops: [{ type: 'cut', from: 4 }] },
      { title: 'a cut at the base', ops: [{ type: 'cut', from: 1 }] },
      { title: 'compacting behind the end', ops: [{ type: 'compact', base: baseAt(4, 1) }] },
      { title: 'a base before the base', ops: [{ type: 'reset', base: originBase }] },
      { title: 'a term that falls', ops: [{ type: 'hard', state: { term: 4, votedFor: undefined } }] },
      { title: 'an entry of a later term than the hard state', ops: [{ type: 'put', entries: [command(4, 6)] }] },
    ];
    for (const { title, ops } of refusals) {
      test(`${title} is refused as a bug`, async () => {
        const at = await place();
        const store = await at.open();
        await store.load();
        await store.write([
          { type: 'hard', state: five },
          { type: 'put', entries: [command(1, 1), command(2, 1), command(3, 1)] },
          { type: 'compact', base: baseAt(1, 1) },
        ]);
        await assert.rejects(store.write(ops), { code: 'base/assertion' });
        await store.close();
        const after = await at.open();
        assert.deepEqual((await after.load()).entries, [command(2, 1), command(3, 1)]);
        await after.close();
      });
    }
  });
}
