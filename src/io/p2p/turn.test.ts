import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { OncePerTurn } from './turn.ts';

const nextTick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

test('OncePerTurn acts at once for the first who asks in a turn, and once more for all others', async () => {
  let count = 0;
  const turn = new OncePerTurn(() => (count += 1));
  await nextTurn();
  turn.ask();
  assert.equal(count, 0, 'not while it is asked');
  await nextTick();
  assert.equal(count, 1, 'whoever is alone does not wait');
  turn.ask();
  turn.ask();
  await nextTick();
  assert.equal(count, 1);
  await nextTurn();
  assert.equal(count, 2);
  await nextTurn();
  assert.equal(count, 2, 'nobody has asked');
  turn.ask();
  await nextTick();
  assert.equal(count, 3, 'a new turn has a first one of its own');
});

test('OncePerTurn leaves it to `first` when the first act comes', async () => {
  const planned: (() => void)[] = [];
  let count = 0;
  const turn = new OncePerTurn(
    () => (count += 1),
    (act) => planned.push(act),
  );
  await nextTurn();
  turn.ask();
  turn.ask();
  await nextTick();
  assert.deepEqual([planned.length, count], [1, 0]);
  planned[0]?.();
  assert.equal(count, 1);
  await nextTurn();
  assert.equal(count, 2, 'the others at the end of the turn all the same');
});
