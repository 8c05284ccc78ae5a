/** What every implementation of the Raft engine's `LogStore` port must do. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Entry, type LogImage, type LogStore, originBase } from '../../src/core/raft/index.ts';

/** A place that outlives the stores opened on it. */
export interface LogStorePlace {
  /** A store on what the last one left; that one is closed, or has crashed, before. */
  open(): Promise<LogStore & { close(): Promise<void> }>;
}

/** An entry with data of its own. */
export function command(index: number, term: number, text: string = `${term}.${index}`): Entry {
  return { type: 'command', index, term, data: new TextEncoder().encode(text), appendedAt: BigInt(index) };
}

export interface LogStoreTraits {
  /** Where a gap is found out when not by the write itself. */
  readonly gapsAreFoundBy?: string;
}

/** Declares the suite; `place` gives an empty one. */
export function logStoreConformance(
  name: string,
  place: () => Promise<LogStorePlace>,
  traits: LogStoreTraits = {},
): void {
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

    test('a gap is refused as a bug', { skip: traits.gapsAreFoundBy ?? false }, async () => {
      const at = await place();
      const store = await at.open();
      await store.load();
      await assert.rejects(store.write([{ type: 'put', entries: [command(2, 1)] }]), { code: 'base/assertion' });
      await store.close();
    });
  });
}
