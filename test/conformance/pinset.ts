/** What the agreed pinset must do over every store: snapshots are of one moment, a restore replaces everything. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { concatBytes, SeededRandom, silentLogger, utf8Encode } from '../../src/base/index.ts';
import { openPinset, type PinsetState } from '../../src/cluster/index.ts';
import type { Datastore } from '../../src/cluster/ports.ts';
import { encodePin, type RaftCommand, snapshotRecordCodec, stateKey } from '../../src/model/index.ts';
import { collect } from '../support/collect.ts';
import { cidNumber, pinOf } from '../support/pins.ts';

const deps = { log: silentLogger, observer: { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} } };

/** A command of the n-th CID. Two of three names expire, at a few times. */
export const pin = (n: number, name = ''): RaftCommand => {
  const seconds = 1_800_000_000 + (name.length % 5);
  const expireAt = name.length % 3 === 0 ? null : { seconds, nanos: 7 };
  return { type: 'pin', pin: pinOf(cidNumber(n), { name, expireAt }) };
};
export const unpin = (n: number): RaftCommand => ({ type: 'unpin', pin: pinOf(cidNumber(n)) });

/** The record of a pin in a snapshot. */
export function recordOf(n: number, name = ''): Uint8Array {
  const { pin: value } = pin(n, name);
  return snapshotRecordCodec.encode({ key: utf8Encode(stateKey(value.cid)), value: encodePin(value) });
}

/** The bytes, cut into pieces of that size. */
export async function* pieces(bytes: Uint8Array, sizeBytes: number = bytes.length): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes);
}

/** All that can be asked of a pinset, as text. */
export async function contentOf(pinset: PinsetState): Promise<readonly string[]> {
  const pins = (await collect(pinset.pages())).flat();
  assert.equal(pinset.count(), pins.length);
  for (const { cid, name } of pins) assert.equal(pinset.get(cid)?.name, name);
  const byTime = pins
    .flatMap(({ cid, expireAt }) => (expireAt === null ? [] : [[expireAt.seconds, stateKey(cid)] as const]))
    .sort(([a, keyA], [b, keyB]) => a - b || (keyA < keyB ? -1 : 1));
  const expiring = (await collect(pinset.expiring({ pageSize: 7 }))).flat();
  assert.deepEqual(
    expiring.map(({ cid, expireAt }) => [expireAt?.seconds, stateKey(cid)]),
    byTime,
  );
  return pins.map((value) => `${stateKey(value.cid)} ${hashOf(encodePin(value))}`);
}

/** Of what is kept beside the pins to find those that expire, in the namespace in use: that nothing is left of what is gone. */
export async function assertNothingLeft(store: Datastore, pinset: PinsetState): Promise<void> {
  const namespace = store.get(utf8Encode('/applied'))?.[1] === 1 ? '/x2' : '/x';
  const range = { start: utf8Encode(`${namespace}/`), end: utf8Encode(`${namespace}0`) };
  const keys = (await collect(store.scan(range))).flat();
  const expiring = (await collect(pinset.expiring())).flat();
  assert.equal(keys.length, expiring.length);
}

export const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export async function bytesOf(pinset: PinsetState): Promise<Uint8Array> {
  return concatBytes(await collect((await pinset.snapshot()).chunks));
}

/** Declares the suite; `open` gives an empty store, and the suite closes it. */
export function pinsetConformance(name: string, open: () => Promise<Datastore>): void {
  const withStores = (title: string, body: (first: Datastore, second: Datastore) => Promise<void>): void => {
    test(title, async () => {
      const stores = await Promise.all([open(), open()]);
      try {
        await body(...stores);
      } finally {
        for (const store of stores) await store.close();
      }
    });
  };

  describe(`Snapshots of a pinset: ${name}`, () => {
    withStores('random pinsets restored elsewhere are equal, again and again', async (first, second) => {
      const random = new SeededRandom(`snapshot ${process.env.SEED ?? 1}`);
      const source = openPinset(first, deps);
      let copy = openPinset(second, deps);
      for (let round = 1; round <= 12; round++) {
        const commands = Array.from({ length: random.integer(60) }, (_, i): RaftCommand => {
          const n = random.integer(80);
          return random.integer(3) === 0 ? unpin(n) : pin(n, 'x'.repeat(random.integer(4000)) + i);
        });
        await source.apply(commands, round * 10);
        // What the copy has made of its own is gone afterwards.
        await copy.apply([pin(1000 + round), unpin(random.integer(80))], copy.applied + 1);
        const { applied, chunks } = await source.snapshot();
        const tag = Uint8Array.of(round);
        await copy.restore(chunks, { applied, tag });
        for (let restart = 0; restart < 2; restart++) {
          assert.equal(copy.applied, round * 10, `seed ${random.seed}`);
          assert.deepEqual(copy.restoredTag, tag);
          assert.deepEqual(await contentOf(copy), await contentOf(source), `seed ${random.seed}, round ${round}`);
          assert.equal(hashOf(await bytesOf(copy)), hashOf(await bytesOf(source)));
          await assertNothingLeft(second, copy);
          copy = openPinset(second, deps);
        }
      }
    });

    withStores('a snapshot is of one index, whatever is applied while it is read', async (store, other) => {
      const pinset = openPinset(store, deps);
      // Enough for several pages and chunks.
      const count = 2500;
      await pinset.apply(
        Array.from({ length: count }, (_, n) => pin(n, `before ${'x'.repeat(60)}`)),
        1,
      );
      const before = await contentOf(pinset);
      const running = pinset.apply([pin(count, 'in flight')], 2);
      const { applied, chunks } = await pinset.snapshot();
      await running;
      const parts: Uint8Array[] = [];
      let index = 3;
      for await (const chunk of chunks) {
        parts.push(chunk);
        await pinset.apply([pin(index, 'after'), unpin(count - index)], index++);
      }
      assert.ok(parts.length > 2, `${parts.length} chunks`);
      const copy = openPinset(other, deps);
      await copy.restore(pieces(concatBytes(parts)), { applied, tag: new Uint8Array(0) });
      assert.ok(applied === 1 || applied === 2);
      assert.equal(copy.count(), count + applied - 1);
      if (applied === 1) assert.deepEqual(await contentOf(copy), before);
    });

    withStores('readers that have begun see the state before a restore to their end', async (store) => {
      const pinset = openPinset(store, deps);
      await pinset.apply(
        Array.from({ length: 50 }, (_, n) => pin(n)),
        1,
      );
      const seen: string[] = [];
      let isRestored = false;
      for await (const page of pinset.pages({ pageSize: 10 })) {
        seen.push(...page.map(({ cid }) => cid.key));
        if (isRestored) continue;
        isRestored = true;
        await pinset.restore(pieces(recordOf(900)), { applied: 5, tag: new Uint8Array(0) });
      }
      assert.equal(seen.length, 50);
      assert.deepEqual(
        (await collect(pinset.pages())).flat().map(({ cid }) => cid.key),
        [cidNumber(900).key],
      );
    });

    withStores('pins that expire come soonest first, and are in no snapshot', async (store, other) => {
      const pinset = openPinset(store, deps);
      const at = (n: number, seconds: number): RaftCommand => {
        return { type: 'pin', pin: pinOf(cidNumber(n), { name: `${n}`, expireAt: { seconds, nanos: 999 } }) };
      };
      // Numbers that sort another way as text, a zero time, and one before it.
      await pinset.apply([at(1, 70_000), at(2, 300), at(3, 4_102_444_800), at(4, 300), at(5, 0), at(6, -5)], 1);
      await pinset.apply([at(4, 2), at(2, 300), unpin(1), pin(3, '123'), at(7, 9), unpin(7)], 2);
      const names = async (from: PinsetState): Promise<string[]> =>
        (await collect(from.expiring({ pageSize: 1 }))).flat().map(({ name }) => name);
      assert.deepEqual(await names(pinset), ['4', '2']);
      const plain = openPinset(other, deps);
      await plain.apply([pin(3, '123')], 1);
      await pinset.apply([unpin(2), unpin(4), unpin(5), unpin(6)], 3);
      assert.equal(hashOf(await bytesOf(pinset)), hashOf(await bytesOf(plain)));
      assert.deepEqual(await names(pinset), []);
      await assertNothingLeft(store, pinset);
    });

    withStores('sync tells what is on disk', async (store) => {
      const pinset = openPinset(store, deps);
      assert.equal(await pinset.sync(), 0);
      await pinset.apply([pin(1)], 4);
      assert.equal(await pinset.sync(), 4);
      assert.deepEqual((await contentOf(openPinset(store, deps))).length, 1);
    });
  });
}
