/** The search for a linear order: histories known to be good or bad, and its agreement with trying every order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../src/base/index.ts';
import { judgeKey, type KeyOperation, type Verdict } from '../../src/sim/checkers/linearizability.ts';
import { pick } from '../../src/sim/pick.ts';

const statesMax = 300_000;

const write = (called: number, returned: number, value: string | undefined): KeyOperation => {
  return { kind: 'write', called, returned, value };
};
const read = (called: number, returned: number, value: string | undefined): KeyOperation => {
  return { kind: 'read', called, returned, value };
};

const cas = (called: number, returned: number, from: string, value: string | undefined): KeyOperation => {
  return { kind: 'cas', called, returned, from, value };
};
const unlike = (called: number, returned: number, value: string): KeyOperation => {
  return { kind: 'unlike', called, returned, value };
};

const cases: readonly { readonly name: string; readonly operations: KeyOperation[]; readonly verdict: Verdict }[] = [
  { name: 'nothing happened', operations: [], verdict: 'linearizable' },
  { name: 'a read of nothing', operations: [read(1, 2, undefined)], verdict: 'linearizable' },
  { name: 'a read of what nobody wrote', operations: [read(1, 2, 'a')], verdict: 'not linearizable' },
  { name: 'a read after a write', operations: [write(1, 2, 'a'), read(3, 4, 'a')], verdict: 'linearizable' },
  {
    name: 'a read that misses a write that had ended',
    operations: [write(1, 2, 'a'), read(3, 4, undefined)],
    verdict: 'not linearizable',
  },
  { name: 'a read during a write', operations: [write(1, 4, 'a'), read(2, 3, undefined)], verdict: 'linearizable' },
  {
    name: 'a value that goes back',
    operations: [write(1, 8, 'a'), read(2, 3, 'a'), read(4, 5, undefined)],
    verdict: 'not linearizable',
  },
  {
    name: 'two writes at a time, seen in two orders',
    operations: [write(1, 10, 'a'), write(2, 11, 'b'), read(3, 4, 'a'), read(5, 6, 'b'), read(7, 8, 'a')],
    verdict: 'not linearizable',
  },
  {
    name: 'a deleted value that comes back',
    operations: [write(1, 2, 'a'), write(3, 4, undefined), read(5, 6, 'a')],
    verdict: 'not linearizable',
  },
  {
    name: 'an unknown write that takes effect late',
    operations: [write(1, Infinity, 'a'), write(2, 3, 'b'), read(4, 5, 'b'), read(6, 7, 'a')],
    verdict: 'linearizable',
  },
  {
    name: 'an unknown write that takes effect twice',
    operations: [write(1, Infinity, 'a'), read(2, 3, 'a'), write(4, 5, 'b'), read(6, 7, 'a')],
    verdict: 'not linearizable',
  },
  {
    name: 'an unknown write that takes effect before its call',
    operations: [read(1, 2, 'a'), write(3, Infinity, 'a')],
    verdict: 'not linearizable',
  },
  {
    name: 'an unknown deletion',
    operations: [write(1, 2, 'a'), write(3, Infinity, undefined), read(4, 5, 'a'), read(6, 7, undefined)],
    verdict: 'linearizable',
  },
  {
    name: 'an unknown deletion that took effect once and is needed twice',
    operations: [
      write(1, 2, 'a'),
      write(3, Infinity, undefined),
      read(4, 5, undefined),
      write(6, 7, 'b'),
      read(8, 9, undefined),
    ],
    verdict: 'not linearizable',
  },
  {
    name: 'a conditional write over what is there',
    operations: [write(1, 2, 'a'), cas(3, 4, 'a', 'b'), read(5, 6, 'b')],
    verdict: 'linearizable',
  },
  {
    name: 'a conditional write over what is not there any more',
    operations: [write(1, 2, 'a'), write(3, 4, 'b'), cas(5, 6, 'a', 'c')],
    verdict: 'not linearizable',
  },
  {
    name: 'two conditional writes over one value',
    operations: [write(1, 2, 'a'), cas(3, 6, 'a', 'b'), cas(4, 5, 'a', 'c')],
    verdict: 'not linearizable',
  },
  {
    name: 'one of two conditional writes that is refused',
    operations: [write(1, 2, 'a'), cas(3, 6, 'a', 'b'), unlike(4, 5, 'a')],
    verdict: 'linearizable',
  },
  {
    name: 'a conditional write that is refused for nothing',
    operations: [write(1, 2, 'a'), unlike(3, 4, 'a'), read(5, 6, 'a')],
    verdict: 'not linearizable',
  },
  {
    name: 'an unknown write that only a refusal has seen',
    operations: [write(1, 2, 'a'), write(3, Infinity, 'b'), unlike(4, 5, 'a')],
    verdict: 'linearizable',
  },
  {
    name: 'an unknown conditional write whose condition is never met',
    operations: [write(1, 2, 'b'), cas(3, Infinity, 'a', 'c'), read(4, 5, 'c')],
    verdict: 'not linearizable',
  },
  {
    name: 'two conditional removals of one value',
    operations: [write(1, 2, 'a'), cas(3, 6, 'a', undefined), cas(4, 5, 'a', undefined)],
    verdict: 'linearizable',
  },
  {
    name: 'a conditional removal of another value',
    operations: [write(1, 2, 'a'), write(3, 4, 'b'), cas(5, 6, 'a', undefined), read(7, 8, undefined)],
    verdict: 'not linearizable',
  },
];

for (const { name, operations, verdict } of cases) {
  test(`judgeKey: ${name} is ${verdict}`, () => assert.equal(judgeKey(operations, statesMax), verdict));
}

test('judgeKey agrees with trying every order on random histories', () => {
  const random = new SeededRandom('linearizability');
  const counts = { linearizable: 0, 'not linearizable': 0, undecided: 0 };
  for (let round = 0; round < 4000; round++) {
    const operations = randomHistory(random, 1 + random.integer(6));
    const expected = hasLinearOrder(operations) ? 'linearizable' : 'not linearizable';
    const verdict = judgeKey(operations, statesMax);
    assert.equal(verdict, expected, `round ${round}: ${JSON.stringify(operations)}`);
    counts[verdict]++;
  }
  assert(counts.linearizable > 500 && counts['not linearizable'] > 500, `both kinds occur: ${JSON.stringify(counts)}`);
});

test('judgeKey takes long histories of a register that works', () => {
  const random = new SeededRandom('register');
  for (const isWrong of [false, true]) {
    const operations = registerHistory(random, 200);
    const last = operations.findLast(({ kind }) => kind === 'read');
    assert(last !== undefined);
    if (isWrong) operations[operations.indexOf(last)] = { ...last, value: 'never written' };
    assert.equal(judgeKey(operations, statesMax), isWrong ? 'not linearizable' : 'linearizable');
  }
});

test('judgeKey passes no history for which it had too few states', () => {
  const writes = Array.from({ length: 12 }, (_, at) => write(at + 1, at + 101, `v${at}`));
  assert.equal(judgeKey([...writes, read(200, 201, 'never written')], 100), 'undecided');
});

/** A few values, so that chance makes good histories as well as bad ones. */
function randomHistory(random: SeededRandom, count: number): KeyOperation[] {
  const moments = shuffled(random, 2 * count);
  return Array.from({ length: count }, (_, at) => {
    const pair = [moments[2 * at] ?? 0, moments[2 * at + 1] ?? 0].sort((a, b) => a - b);
    const [called = 0, returned = 0] = pair;
    const value = [undefined, 'a', 'b'][random.integer(3)];
    const isUnknown = random.integer(5) === 0;
    if (random.integer(2) === 0 && !isUnknown) return read(called, returned, value);
    const from = pick(random, ['a', 'b']);
    if (random.integer(3) === 0) return cas(called, isUnknown ? Infinity : returned, from, value);
    if (random.integer(4) === 0 && !isUnknown) return unlike(called, returned, from);
    return write(called, isUnknown ? Infinity : returned, value);
  });
}

function shuffled(random: SeededRandom, count: number): number[] {
  const numbers = Array.from({ length: count }, (_, at) => at);
  for (let at = count - 1; at > 0; at--) {
    const other = random.integer(at + 1);
    [numbers[at], numbers[other]] = [numbers[other] ?? 0, numbers[at] ?? 0];
  }
  return numbers;
}

/** Tries every subset of the unknown ones, in every order. */
function hasLinearOrder(operations: readonly KeyOperation[], value?: string): boolean {
  const needed = operations.filter(({ returned }) => returned !== Infinity);
  if (needed.length === 0) return true;
  const firstReturn = Math.min(...needed.map(({ returned }) => returned));
  return operations.some((operation) => {
    if (operation.called > firstReturn || !fits(operation, value)) return false;
    const others = operations.filter((other) => other !== operation);
    return hasLinearOrder(others, operation.kind === 'write' || operation.kind === 'cas' ? operation.value : value);
  });
}

function fits(operation: KeyOperation, value: string | undefined): boolean {
  switch (operation.kind) {
    case 'write':
      return true;
    case 'read':
      return operation.value === value;
    case 'unlike':
      return operation.value !== value;
    case 'cas':
      return operation.from === value || (operation.value === undefined && value === undefined);
  }
}

/** Six clients of a register that does each operation at some moment between call and return. */
function registerHistory(random: SeededRandom, count: number): KeyOperation[] {
  const clients = 6;
  const done: KeyOperation[] = [];
  const open: { called: number; kind: 'write' | 'read'; value: string | undefined; isDone: boolean }[] = [];
  let value: string | undefined;
  for (let moment = 1; done.length < count; moment++) {
    const draw = random.integer(3);
    if (draw === 0 && open.length < clients) {
      const kind = random.integer(2) === 0 ? 'read' : 'write';
      open.push({ called: moment, kind, value: random.integer(4) === 0 ? undefined : `v${moment}`, isDone: false });
    }
    const operation = open[random.integer(Math.max(1, open.length))];
    if (operation === undefined) continue;
    if (draw === 1 && !operation.isDone) {
      operation.isDone = true;
      if (operation.kind === 'write') value = operation.value;
      else operation.value = value;
    }
    if (draw === 2 && operation.isDone) {
      open.splice(open.indexOf(operation), 1);
      // One in five outcomes of writes stays unknown, though it was done.
      const isUnknown = operation.kind === 'write' && random.integer(5) === 0;
      done.push({ ...operation, returned: isUnknown ? Infinity : moment });
    }
  }
  return done;
}
