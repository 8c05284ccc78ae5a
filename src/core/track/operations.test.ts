import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeededRandom } from '../../base/index.ts';
import { Cid, type Pin } from '../../model/index.ts';
import { type Failure, type Instant, OperationTable, type OperationTableOptions, type Ticket } from './operations.ts';

const anyCid = Cid.parse('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy');
const pinOf = (more: Partial<Pin> = {}): Pin => ({
  cid: anyCid,
  type: 'pin',
  allocations: [],
  maxDepth: -1,
  reference: null,
  timestamp: { seconds: 0, nanos: 0 },
  replicationFactorMin: -1,
  replicationFactorMax: -1,
  name: '',
  mode: 'recursive',
  shardSize: 0,
  userAllocations: null,
  expireAt: null,
  metadata: null,
  pinUpdate: null,
  origins: null,
  ...more,
});
const at = (ms: number): Instant => ({ ms, wallNanos: BigInt(Math.round(ms)) * 1_000_000n });

const no = (error: string): Failure => ({ cause: 'refused', error });

function table(more: Partial<OperationTableOptions> = {}): OperationTable {
  const options = {
    windowMax: 10,
    errorsMax: 10,
    priorityAgeSeconds: 100,
    priorityAttemptsMax: 2,
    retryDelayMinMs: 1000,
    retryDelayMaxMs: 8000,
    ...more,
  };
  return new OperationTable(options, new SeededRandom(1));
}

function taken(ticket: Ticket | undefined): Ticket {
  assert.ok(ticket !== undefined, 'an operation is ready');
  return ticket;
}

function takePin(ops: OperationTable, now: Instant): Ticket | undefined {
  return ops.takePins(1, now)[0];
}

test('OperationTable: young pins go first, then by age of the intent', () => {
  const ops = table();
  ops.want('pin', 'old', pinOf({ timestamp: { seconds: -500, nanos: 0 } }), at(0));
  ops.want('pin', 'a', pinOf(), at(0));
  ops.want('pin', 'b', pinOf(), at(0));
  assert.equal(ops.queuedCount('pin'), 3);
  const order = [1, 2, 3].map(() => taken(takePin(ops, at(1))).operation.key);
  assert.deepEqual(order, ['a', 'b', 'old']);
  assert.equal(takePin(ops, at(1)), undefined);
});

test('OperationTable: a failed operation shows cause and attempts, and comes back by itself after a growing delay', () => {
  const ops = table();
  ops.want('pin', 'a', pinOf(), at(0));
  let now = 0;
  const delays: number[] = [];
  for (let attempt = 1; attempt <= 6; attempt += 1) {
    const ticket = taken(takePin(ops, at(now)));
    const delay = ops.failedWith(ticket, no(`no ${attempt}`), at(now)) ?? -1;
    assert.deepEqual(
      [ops.get('a')?.phase, ops.get('a')?.error, ops.get('a')?.attempts],
      ['error', `no ${attempt}`, attempt],
    );
    ops.retryDue(at(now + delay - 1));
    assert.equal(takePin(ops, at(now)), undefined, 'not before its time');
    now += delay;
    ops.retryDue(at(now));
    delays.push(delay);
    assert.equal(ops.get('a')?.isPriority, attempt <= 2);
  }
  delays.forEach((delay, i) => {
    const full = Math.min(8000, 1000 * 2 ** i);
    assert.ok(delay >= full / 2 && delay < full, `delay ${i}: ${delay}`);
  });
});

test('OperationTable: the last intent counts, and waits for the end of the replaced attempt', () => {
  const ops = table();
  ops.want('pin', 'a', pinOf(), at(0));
  const pinning = taken(takePin(ops, at(0)));
  assert.deepEqual(ops.want('unpin', 'a', pinOf(), at(1)), { isAccepted: true, mustAbort: true });
  assert.equal(ops.takeUnpin(at(1)), undefined, 'the replaced attempt still runs');
  assert.equal(ops.succeeded(pinning), false, 'its result does not count');
  const unpinning = taken(ops.takeUnpin(at(2)));
  assert.deepEqual(ops.want('pin', 'a', pinOf(), at(3)), { isAccepted: true, mustAbort: true });
  assert.equal(ops.failedWith(unpinning, no('aborted'), at(3)), undefined);
  assert.equal(ops.succeeded(taken(takePin(ops, at(4)))), true);
  assert.equal(ops.get('a'), undefined);
});

test('OperationTable: another depth of a running pin is a new act, other options are not', () => {
  const ops = table();
  ops.want('pin', 'a', pinOf({ maxDepth: 0 }), at(0));
  const direct = taken(takePin(ops, at(0)));
  assert.equal(ops.want('pin', 'a', pinOf({ maxDepth: 0, name: 'x' }), at(1)).mustAbort, false);
  assert.equal(ops.want('pin', 'a', pinOf({ maxDepth: -1 }), at(1)).mustAbort, true);
  assert.equal(ops.succeeded(direct), false);
  assert.equal(taken(takePin(ops, at(2))).pin.maxDepth, -1);
});

test('OperationTable: a full window refuses new pins but never a change of mind', () => {
  const ops = table({ windowMax: 2 });
  assert.equal(ops.want('pin', 'a', pinOf(), at(0)).isAccepted, true);
  assert.equal(ops.want('pin', 'b', pinOf(), at(0)).isAccepted, true);
  assert.equal(ops.want('pin', 'c', pinOf(), at(0)).isAccepted, false);
  assert.equal(ops.want('unpin', 'a', pinOf(), at(0)).isAccepted, true);
  ops.failedWith(taken(takePin(ops, at(0))), no('no'), at(0));
  assert.equal(ops.want('pin', 'c', pinOf(), at(0)).isAccepted, true, 'failed operations hold no room');
});

test('OperationTable: failures beyond the bound push out the oldest', () => {
  const ops = table({ errorsMax: 2 });
  for (const key of ['a', 'b', 'c']) {
    ops.want('pin', key, pinOf(), at(0));
    ops.failedWith(taken(takePin(ops, at(0))), no('no'), at(0));
  }
  assert.deepEqual([...ops.all()].map((op) => op.key).sort(), ['b', 'c']);
});

test('OperationTable: an attempt that was cut off does not count, but one of many in a row does', () => {
  const ops = table();
  ops.want('pin', 'a', pinOf(), at(0));
  ops.cutOff(taken(takePin(ops, at(0))), no('IPFS is down'), at(1));
  const op = ops.get('a');
  assert.deepEqual([op?.phase, op?.attempts, op?.error], ['queued', 0, 'IPFS is down']);
  for (let i = 0; i < 2; i += 1) ops.cutOff(taken(takePin(ops, at(2))), no('IPFS is down'), at(2));
  const delayMs = ops.cutOff(taken(takePin(ops, at(3))), no('IPFS is down'), at(3));
  assert.deepEqual([op?.phase, op?.attempts], ['error', 1]);
  assert.ok(delayMs !== undefined && delayMs >= 500);
});

test('OperationTable lists what it has with queue and place, in the order in which it starts', () => {
  const ops = table();
  const old = pinOf({ timestamp: { seconds: -500, nanos: 0 } });
  ops.want('pin', 'running', pinOf(), at(0));
  ops.want('pin', 'failed', pinOf(), at(0));
  taken(takePin(ops, at(0)));
  ops.failedWith(taken(takePin(ops, at(0))), no('no'), at(0));
  ops.want('unpin', 'gone', pinOf(), at(1));
  ops.want('pin', 'old', old, at(1));
  ops.want('pin', 'young 1', pinOf(), at(1));
  ops.want('pin', 'young 2', pinOf(), at(1));
  assert.deepEqual(
    ops.listed().map(({ operation, queue, position }) => [operation.key, queue, position]),
    [
      ['running', 'none', 0],
      ['young 1', 'priority', 1],
      ['young 2', 'priority', 2],
      ['old', 'normal', 1],
      ['gone', 'unpin', 1],
      ['failed', 'none', 0],
    ],
  );
});

test('OperationTable: what is asked for anew shows no old failure and keeps its attempts; what changes its mind starts over', () => {
  const ops = table();
  ops.want('pin', 'a', pinOf(), at(0));
  ops.failedWith(taken(takePin(ops, at(0))), no('no'), at(5));
  ops.retry('a', at(6));
  const op = ops.get('a');
  assert.deepEqual([op?.cause, op?.error, op?.attempts, op?.wantedNanos], ['none', '', 1, 0n]);
  ops.want('unpin', 'a', pinOf(), at(7));
  assert.deepEqual([op?.cause, op?.attempts, op?.wantedNanos], ['none', 0, 7_000_000n]);
});

test('OperationTable: whole trees that were never begun go together, in order, and others alone', () => {
  const ops = table({ windowMax: 100 });
  const keysOf = (tickets: readonly Ticket[]): string[] => tickets.map(({ operation }) => operation.key);
  ops.want('pin', 'old', pinOf({ timestamp: { seconds: -500, nanos: 0 } }), at(0));
  for (const key of ['a', 'b', 'c', 'd']) ops.want('pin', key, pinOf(), at(0));
  ops.want('pin', 'direct', pinOf({ maxDepth: 0 }), at(0));
  ops.want('pin', 'update', pinOf({ pinUpdate: anyCid }), at(0));
  ops.want('pin', 'origins', pinOf({ origins: ['/ip4/192.0.2.1/tcp/1'] }), at(0));
  ops.want('pin', 'e', pinOf({ origins: [] }), at(0));
  const long = Cid.decode(Uint8Array.of(1, 0x55, 0, 80, ...new Uint8Array(80)));
  ops.want('pin', 'long', pinOf({ cid: long }), at(0));
  assert.equal(ops.next('pin')?.key, 'a');
  const taken: string[][] = [];
  for (let tickets = ops.takePins(3, at(1)); tickets.length > 0; tickets = ops.takePins(3, at(1))) {
    taken.push(keysOf(tickets));
    for (const ticket of tickets) ops.failedWith(ticket, no('no'), at(1));
  }
  assert.deepEqual(taken, [['a', 'b', 'c'], ['d'], ['direct'], ['update'], ['origins'], ['e'], ['long'], ['old']]);
  ops.retryDue(at(10_000));
  assert.deepEqual(keysOf(ops.takePins(3, at(10_000))), ['a'], 'what has failed goes alone');
});

test('OperationTable: what a shared request has not done goes alone and first, uncounted', () => {
  const ops = table({ windowMax: 100 });
  for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) ops.want('pin', key, pinOf(), at(0));
  const tickets = ops.takePins(4, at(1));
  ops.want('unpin', 'b', pinOf(), at(2));
  ops.putBack(tickets, { cause: 'unreachable', error: 'gone' }, at(3));
  const { attempts, error, phase } = ops.get('a') ?? {};
  assert.deepEqual([attempts, error, phase], [0, 'gone', 'queued']);
  assert.equal(taken(ops.takeUnpin(at(4))).operation.key, 'b', 'its place is free');
  const order: string[] = [];
  for (let next = ops.takePins(9, at(5)); next.length > 0; next = ops.takePins(9, at(5))) {
    order.push(next.map(({ operation }) => operation.key).join('+'));
  }
  assert.deepEqual(order, ['a', 'c', 'd', 'e+f']);
});

test('OperationTable: any history keeps the bounds, one attempt per pin, and every intent is served in the end', () => {
  const acts = fc.array(
    fc.record({
      act: fc.constantFrom(
        'pin',
        'unpin',
        'direct',
        'drop',
        'take',
        'together',
        'all ok',
        'ok',
        'fail',
        'postpone',
        'later',
      ),
      key: fc.nat(5),
    }),
    { maxLength: 120 },
  );
  fc.assert(
    fc.property(acts, (history) => {
      const ops = table({ windowMax: 4, errorsMax: 3 });
      const running = new Map<string, Ticket>();
      let together: Ticket[] = [];
      let now = 0;
      const later = (ms: number): void => {
        now += ms;
        ops.retryDue(at(now));
      };
      const end = (key: string, how: string): void => {
        const ticket = running.get(key);
        if (ticket === undefined) return;
        running.delete(key);
        if (how === 'ok') ops.succeeded(ticket);
        else if (how === 'fail') ops.failedWith(ticket, no('no'), at(now));
        else ops.cutOff(ticket, no('down'), at(now));
      };
      const take = (kind: 'pin' | 'unpin'): boolean => {
        const ticket = kind === 'unpin' ? ops.takeUnpin(at(now)) : takePin(ops, at(now));
        if (ticket === undefined) return false;
        assert.equal(running.has(ticket.operation.key), false, 'one attempt per pin');
        running.set(ticket.operation.key, ticket);
        return true;
      };
      // What a request has not brought to an end goes alone from then on, until somebody wants something else of it.
      const alone = new Set<string>();
      const putBack = (): void => {
        ops.putBack(together, undefined, at(now));
        for (const { operation, generation } of together) {
          const { phase, attempts } = operation;
          const isWanted = ops.get(operation.key) === operation && together.length > 0;
          if (isWanted && phase === 'queued' && operation.kind === 'pin')
            assert.equal(attempts, 0, `uncounted ${generation}`);
          if (isWanted && phase === 'queued') alone.add(operation.key);
        }
        together = [];
      };
      const takeTogether = (): void => {
        putBack();
        together = ops.takePins(3, at(now));
        for (const { operation } of together) {
          assert.equal(running.has(operation.key), false, 'one attempt per pin');
          assert.ok(
            together.length === 1 || !alone.has(operation.key),
            'alone after a request that was not carried out',
          );
        }
      };
      for (const { act, key: n } of history) {
        const key = `k${n}`;
        if (act === 'unpin' || act === 'direct' || act === 'drop') alone.delete(key);
        if (act === 'pin' || act === 'unpin') ops.want(act, key, pinOf(), at(now));
        else if (act === 'direct') ops.want('pin', key, pinOf({ maxDepth: 0 }), at(now));
        else if (act === 'drop') assert.ok(!ops.drop(key) || !running.has(key));
        else if (act === 'take') take(n % 2 === 0 ? 'pin' : 'unpin');
        else if (act === 'together') takeTogether();
        else if (act === 'all ok') for (const ticket of together.splice(0)) ops.succeeded(ticket);
        else if (act === 'later') later(3000);
        else end(key, act);
        assert.ok(ops.activeCount <= 4 + ops.failedCount && ops.failedCount <= 3);
      }
      putBack();
      for (let round = 0; round < 100; round += 1) {
        for (const key of [...running.keys()]) end(key, 'ok');
        later(10_000);
        while (take('pin') || take('unpin'));
      }
      assert.deepEqual([...ops.all()], [], 'nothing is left over');
    }),
  );
});
