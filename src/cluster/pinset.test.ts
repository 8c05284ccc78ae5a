import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNothingLeft, contentOf, pin, unpin } from '../../test/conformance/pinset.ts';
import { collect } from '../../test/support/collect.ts';
import { cidNumber, pinOf } from '../../test/support/pins.ts';
import { RecordedStore } from '../../test/support/recorded-store.ts';
import { SeededRandom, silentLogger, utf8Decode, utf8Encode } from '../base/index.ts';
import { Cid, type RaftCommand } from '../model/index.ts';
import { createMemoryDatastore } from './memory-datastore.ts';
import { openPinset, type PinsetState } from './pinset.ts';
import type { PinsetObserver } from './ports.ts';

const quiet: PinsetObserver = { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} };
const deps = { log: silentLogger, observer: quiet };

test('PinsetState keeps pins under the keys of the reference, with the index that was applied', async () => {
  const store = createMemoryDatastore();
  const pinset = openPinset(store, deps);
  await pinset.apply(
    [{ type: 'pin', pin: pinOf(Cid.parse('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy')) }],
    7,
  );
  const [entries = []] = await collect(store.scan({ start: utf8Encode('/r/'), end: utf8Encode('/s') }));
  assert.deepEqual(
    entries.map(([key]) => utf8Decode(key)),
    ['/r/AFKREIGH2AKISCAILDCQABSYG3DFR6CHU3FGPREGIYMSCK7E7AQA4S52ZY'],
  );
  assert.equal(pinset.applied, 7);
  assert.equal(openPinset(store, deps).applied, 7);
});

test('PinsetState answers get, has, count and pages after each batch, and after a restart', async () => {
  const store = createMemoryDatastore();
  let pinset = openPinset(store, deps);
  assert.equal(pinset.count(), 0);
  assert.equal(pinset.has(cidNumber(1)), false);
  await pinset.apply([pin(1, 'one'), pin(2), pin(1, 'uno'), unpin(3)], 5);
  await pinset.apply([unpin(2), pin(4), unpin(4), pin(4, 'four')], 9);
  await pinset.apply([], 10);
  for (let restart = 0; restart < 2; restart++) {
    assert.equal(pinset.count(), 2);
    assert.equal(pinset.applied, 10);
    assert.equal(pinset.get(cidNumber(1))?.name, 'uno');
    assert.equal(pinset.get(cidNumber(2)), undefined);
    assert.equal(pinset.has(cidNumber(4)), true);
    const listed = (await collect(pinset.pages({ pageSize: 1 }))).flat().map(({ name }) => name);
    assert.deepEqual(listed.sort(), ['four', 'uno']);
    await pinset.sync();
    pinset = openPinset(store, deps);
  }
});

test('PinsetState of before there were keys of expiry has to be replayed once, and then knows what expires', async () => {
  const store = createMemoryDatastore();
  const before = openPinset(store, deps);
  assert.equal(before.mustReplay, false);
  await before.apply([pin(1, 'a'), pin(2), pin(3, 'abcd')], 4);
  await before.sync();
  assert.equal(openPinset(store, deps).mustReplay, false);
  // As the version before wrote it.
  const [keys = []] = await collect(store.scan({ start: utf8Encode('/x'), end: utf8Encode('/y') }));
  assert.equal(keys.length, 3);
  await store.batch(
    keys.map(([key]) => ({ type: 'del' as const, key })),
    { durable: true },
  );

  const pinset = openPinset(store, deps);
  assert.equal(pinset.synced, pinset.applied);
  assert.equal(pinset.mustReplay, true);
  assert.deepEqual(await collect(pinset.expiring()), []);
  await assert.rejects(pinset.apply([], 5), /replayed first/);
  await pinset.replay([]);
  assert.equal(pinset.mustReplay, false);
  assert.deepEqual(
    (await collect(pinset.expiring())).flat().map(({ name }) => name),
    ['a', 'abcd'],
  );
  assert.equal((await contentOf(pinset)).length, 3);
  const again = openPinset(store, deps);
  assert.equal(again.mustReplay, false);
  assert.equal((await contentOf(again)).length, 3);
});

test('PinsetState agrees with a plain map over random commands', async () => {
  const random = new SeededRandom(`pinset ${process.env.SEED ?? 1}`);
  const store = createMemoryDatastore();
  let pinset = openPinset(store, deps);
  const model = new Map<string, string>();
  let index = 0;
  for (let batch = 0; batch < 200; batch++) {
    const commands: RaftCommand[] = [];
    for (let left = random.integer(12); left > 0; left--) {
      const n = random.integer(15);
      const command = random.integer(3) === 0 ? unpin(n) : pin(n, `${batch}.${left}`);
      commands.push(command);
      if (command.type === 'pin') model.set(command.pin.cid.key, command.pin.name);
      else model.delete(command.pin.cid.key);
    }
    index += 1 + random.integer(3);
    await pinset.apply(commands, index);
    if (random.integer(10) === 0) {
      assert.equal(await pinset.sync(), index);
      pinset = openPinset(store, deps);
    }
    assert.equal(pinset.count(), model.size, `seed ${random.seed}, batch ${batch}`);
    await contentOf(pinset);
  }
  const listed = (await collect(pinset.pages())).flat().map(({ cid, name }) => [cid.key, name] as const);
  assert.deepEqual(new Map(listed), model, `seed ${random.seed}`);
});

test('PinsetState is whole again when the log is replayed from the last sync, whichever batches a power cut has taken', async () => {
  const random = new SeededRandom(`replay ${process.env.SEED ?? 1}`);
  let replays = 0;
  for (let life = 0; life < 200; life++) {
    let store = new RecordedStore();
    let pinset = openPinset(store, deps);
    /** Of each entry from 1 on. */
    const log: RaftCommand[] = [];
    for (let cut = 0; cut < 3; cut++) {
      for (let left = random.integer(15); left > 0; left--) {
        const commands = Array.from({ length: 1 + random.integer(4) }, () => {
          const n = random.integer(6);
          return random.integer(3) === 0 ? unpin(n) : pin(n, `${log.length} ${random.integer(1e6)}`);
        });
        log.push(...commands);
        await pinset.apply(commands, log.length);
        if (random.integer(8) === 0) await pinset.sync();
        if (random.integer(20) === 0) await restored(pinset, log);
      }
      const { synced } = pinset;
      store = await store.afterPowerCut(random);
      pinset = openPinset(store, deps);
      assert.equal(pinset.synced, synced);
      log.length = pinset.applied;
      if (pinset.synced < pinset.applied) {
        replays++;
        await pinset.replay(log.slice(pinset.synced));
      }
      assert.deepEqual([pinset.synced, pinset.applied], [log.length, log.length]);
      assert.deepEqual(await contentOf(pinset), await contentOf(await made(log)), `seed ${random.seed}, life ${life}`);
      await assertNothingLeft(store, pinset);
    }
  }
  assert.ok(replays > 200);

  /** The state that these commands make. */
  async function made(commands: readonly RaftCommand[]): Promise<PinsetState> {
    const fresh = openPinset(createMemoryDatastore(), deps);
    if (commands.length > 0) await fresh.apply(commands, commands.length);
    return fresh;
  }

  /** Goes on from a snapshot of what the log makes with a few more entries. */
  async function restored(pinset: PinsetState, log: RaftCommand[]): Promise<void> {
    log.push(pin(random.integer(6), 'of a snapshot'), unpin(random.integer(6)));
    const { chunks, applied } = await (await made(log)).snapshot();
    await pinset.restore(chunks, { applied, tag: utf8Encode('tag') });
  }
});

test('PinsetState is not changed before it was replayed, and tells the observer of that once', async () => {
  const seen: string[] = [];
  const observer = {
    ...quiet,
    onPin: () => seen.push('pin'),
    onReplaced: () => seen.push(`replaced ${pinset.count()}`),
  };
  const store = createMemoryDatastore();
  await openPinset(store, deps).apply([pin(1), pin(2), unpin(1)], 3);
  let pinset = openPinset(store, { log: silentLogger, observer });
  assert.deepEqual([pinset.synced, pinset.applied], [0, 3]);
  await assert.rejects(pinset.apply([pin(3)], 4), { code: 'base/assertion' });
  await assert.rejects(pinset.sync(), { code: 'base/assertion' });
  await pinset.replay([pin(1), pin(2), unpin(1)]);
  assert.deepEqual(seen, ['replaced 1']);
  pinset = openPinset(store, { log: silentLogger, observer });
  await pinset.apply([pin(3)], 4);
  assert.equal(pinset.count(), 2);
});

test('PinsetState tells the observer in log order, when readers see the batch', async () => {
  const seen: string[] = [];
  const pinset = openPinset(createMemoryDatastore(), {
    log: silentLogger,
    observer: {
      onPin: ({ cid, name }) => seen.push(`pin ${name} ${pinset.has(cid)}`),
      onUnpin: ({ cid }) => seen.push(`unpin ${pinset.has(cid)}`),
      onReplaced: () => seen.push('replaced'),
    },
  });
  await pinset.apply([pin(1, 'a'), unpin(2), pin(1, 'b'), unpin(1), pin(3, 'c')], 1);
  assert.deepEqual(seen, ['pin a false', 'unpin false', 'pin b false', 'unpin false', 'pin c true']);
});

test('PinsetState skips what nobody can apply and goes on', async () => {
  const store = createMemoryDatastore();
  const pinset = openPinset(store, deps);
  const nowhere = { type: 'pin' as const, pin: pinOf(Cid.undefined) };
  const strange = { type: 'pin' as const, pin: pinOf(cidNumber(1), { origins: ['no address'] }) };
  await pinset.apply([{ ...pin(5), type: 'unknown' }, nowhere, strange, pin(2)], 3);
  assert.equal(pinset.count(), 1);
  assert.equal(pinset.applied, 3);
});

test('openPinset refuses a damaged progress record', async () => {
  const store = createMemoryDatastore();
  await store.batch([{ type: 'put', key: utf8Encode('/applied'), value: utf8Encode('12') }], { durable: true });
  assert.throws(() => openPinset(store, deps), { code: 'cluster/damaged-state', message: /has 2 bytes, expected 18/ });
});

test('openPinset refuses a record of the last sync that is damaged, or later than what was applied', async () => {
  for (const [value, message] of [
    [utf8Encode('12'), /has 2 bytes, expected 8/],
    [Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 9), /has 9, expected at most 3/],
  ] as const) {
    const store = createMemoryDatastore();
    await openPinset(store, deps).apply([pin(1)], 3);
    await store.batch([{ type: 'put', key: utf8Encode('/synced'), value }], { durable: true });
    assert.throws(() => openPinset(store, deps), { code: 'cluster/damaged-state', message });
  }
});

test('PinsetState has another revision after each change, and after nothing else', async () => {
  const store = createMemoryDatastore();
  const pinset = openPinset(store, deps);
  const revisions = [pinset.revision()];
  await pinset.apply([pin(1), pin(2)], 1);
  revisions.push(pinset.revision());
  await pinset.apply([unpin(1)], 2);
  revisions.push(pinset.revision());
  await pinset.apply([], 3);
  await pinset.sync();
  assert.equal(pinset.revision(), revisions.at(-1));
  const { chunks } = await pinset.snapshot();
  await pinset.restore(chunks, { applied: 4, tag: Uint8Array.of(1) });
  revisions.push(pinset.revision());
  await pinset.apply([pin(3)], 5);
  revisions.push(pinset.revision());
  const later = openPinset(store, deps);
  revisions.push(later.revision());
  await later.replay([{ type: 'pin', pin: pinOf(cidNumber(3)) }]);
  revisions.push(later.revision());
  assert.equal(new Set(revisions).size, 7);
});
