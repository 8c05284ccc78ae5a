import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from '../../test/support/collect.ts';
import { cidNumber, pinOf } from '../../test/support/pins.ts';
import { SeededRandom, silentLogger, utf8Decode, utf8Encode } from '../base/index.ts';
import { Cid, type RaftCommand } from '../model/index.ts';
import { createMemoryDatastore } from './memory-datastore.ts';
import { openPinset } from './pinset.ts';
import type { PinsetObserver } from './ports.ts';

const quiet: PinsetObserver = { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} };
const deps = { log: silentLogger, observer: quiet };
const pin = (n: number, name = ''): RaftCommand => ({ type: 'pin', pin: pinOf(cidNumber(n), { name }) });
const unpin = (n: number): RaftCommand => ({ type: 'unpin', pin: pinOf(cidNumber(n)) });

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
    pinset = openPinset(store, deps);
  }
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
    if (random.integer(10) === 0) pinset = openPinset(store, deps);
    assert.equal(pinset.count(), model.size, `seed ${random.seed}, batch ${batch}`);
  }
  const listed = (await collect(pinset.pages())).flat().map(({ cid, name }) => [cid.key, name] as const);
  assert.deepEqual(new Map(listed), model, `seed ${random.seed}`);
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
