import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { type Logger, OperatingError, silentLogger } from '../base/index.ts';
import { bootstrap } from './bootstrap.ts';
import type { CallOptions } from './ports.ts';

const self = '12D3KooWEkC8vTbFeHqnAmQoBtpnnaTc6jXQvwfF2s7Gm9tt1Ajm';
const ids = [
  '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5',
  '12D3KooWJTgjVFjLfb4zSJeVWNpA7uLJYbDtUyTnrCPaTtDSWcNt',
];
const [first = '', second = ''] = ids.map((id) => `/ip4/127.0.0.1/tcp/9096/p2p/${id}`);

class Bootstrap {
  readonly clock: FakeClock = new FakeClock();
  readonly lines: string[] = [];
  /** When which address was asked. */
  readonly asked: (readonly [number, string])[] = [];
  readonly stopping: AbortController = new AbortController();
  isUpToDate = false;
  isMember = true;
  answer: (address: string) => void = () => {};
  isOver = false;

  start(): void {
    const logger: Logger = {
      ...silentLogger,
      error: (line) => this.lines.push(line),
      warn: (line) => this.lines.push(line),
      info: (line) => this.lines.push(line),
    };
    const readBarrier = async ({ timeoutMs = 0, signal }: CallOptions): Promise<void> => {
      if (this.isUpToDate) return;
      await new Promise<void>((resolve) => {
        this.clock.after(timeoutMs, resolve);
        signal?.addEventListener('abort', () => resolve());
      });
      throw new OperatingError('consensus/no-leader', 'timed out waiting for leader');
    };
    const join = async (address: string): Promise<void> => {
      this.asked.push([this.clock.now(), address]);
      this.answer(address);
    };
    const consensus = { readBarrier };
    const deps = { self, isMember: async () => this.isMember, consensus, clock: this.clock, logger, join };
    void bootstrap([first, second], deps, this.stopping.signal).then(() => {
      this.isOver = true;
    });
  }

  refuse(text: string): void {
    this.answer = () => {
      throw new OperatingError('p2p/unreachable', text);
    };
  }
}

test('bootstrap: a newcomer is taken in by the first that answers', async () => {
  const run = new Bootstrap();
  run.answer = (address) => {
    if (address === first) throw new OperatingError('p2p/unreachable', 'dial backoff');
  };
  run.isMember = false;
  run.start();
  await run.clock.advance(0);
  assert.equal(run.isOver, true);
  assert.deepEqual(run.asked, [
    [0, first],
    [0, second],
  ]);
  assert.deepEqual(run.lines, [
    `Bootstrapping to ${first}`,
    `bootstrap to ${first} failed: dial backoff`,
    `Bootstrapping to ${second}`,
    `${self}: joined ${ids[1]}'s cluster`,
  ]);
});

test('bootstrap: a newcomer asks again every 2 s, tells each failure once, and gives up after 15 tries', async () => {
  const run = new Bootstrap();
  run.refuse('dial backoff');
  run.isMember = false;
  run.start();
  // Who is no member has to be taken in, whatever it hears.
  run.isUpToDate = true;
  await run.clock.advance(100_000);
  assert.equal(run.isOver, true);
  assert.deepEqual(
    run.asked.filter(([, address]) => address === first).map(([ms]) => ms),
    Array.from({ length: 15 }, (_, at) => at * 2000),
  );
  assert.equal(run.lines.filter((line) => line.endsWith('failed: dial backoff')).length, 2);
  assert.equal(run.lines.at(-1), 'no bootstrap peer took this peer in after 15 tries: start it again to go on');
});

test('bootstrap: a member that nobody takes in gives up', async () => {
  const run = new Bootstrap();
  run.refuse('dial backoff');
  run.start();
  await run.clock.advance(5000 + 15 * 4000);
  assert.equal(run.isOver, true);
  assert.equal(run.asked.length, 30);
  assert.equal(
    run.lines.at(-1),
    'no bootstrap peer took this peer in after 15 tries: if it was removed, start it again',
  );
});

test('bootstrap: a member that is up to date asks nobody', async () => {
  const run = new Bootstrap();
  run.isUpToDate = true;
  run.start();
  await run.clock.advance(0);
  assert.equal(run.isOver, true);
  assert.deepEqual([run.asked, run.lines], [[], []]);
});

test('bootstrap: a member that nobody confirms asks to join again', async () => {
  const run = new Bootstrap();
  run.start();
  await run.clock.advance(5000);
  assert.equal(run.isOver, true);
  assert.deepEqual(run.asked, [[5000, first]]);
  assert.match(run.lines[0] ?? '', /^nobody confirms that this peer is a member still: it asks to join again/);
});

test('bootstrap: a member that learns of its removal asks to join again', async () => {
  const run = new Bootstrap();
  const isMember = [true, false];
  Object.defineProperty(run, 'isMember', { get: () => isMember.shift() });
  run.isUpToDate = true;
  run.start();
  await run.clock.advance(0);
  assert.equal(run.isOver, true);
  assert.deepEqual(run.asked, [[0, first]]);
});

test('bootstrap: a member stops asking when it is confirmed', async () => {
  const run = new Bootstrap();
  run.refuse('dial backoff');
  run.start();
  await run.clock.advance(10_000);
  assert.equal(run.isOver, false);
  assert.deepEqual(
    run.asked.map(([ms]) => ms),
    [5000, 5000, 9000, 9000],
  );
  const told = run.lines.length;
  run.isUpToDate = true;
  await run.clock.advance(1000);
  assert.equal(run.isOver, true);
  assert.deepEqual([run.asked.length, run.lines.length], [4, told]);
});

test('bootstrap: a peer that stops asks no more', async () => {
  const run = new Bootstrap();
  run.refuse('dial backoff');
  run.isMember = false;
  run.start();
  await run.clock.advance(1000);
  run.stopping.abort();
  await run.clock.advance(0);
  assert.equal(run.isOver, true);
  assert.deepEqual(
    run.asked.map(([ms]) => ms),
    [0, 0],
  );
});
