/** Many peers that come and go, each with a monitor of its own, over a topic that loses messages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base58Encode, type Cancel, type Clock, SeededRandom, silentLogger } from '../../base/index.ts';
import type { PeerMonitor, PubSub } from '../../cluster/ports.ts';
import type { Metric } from '../../model/index.ts';
import { createPeerMonitor } from './monitor.ts';

const peersCount = 220;
const ttlMs = 30_000;
/** Nobody's checks and pings fall together. */
const stepMs = 500;
/** Of a hundred messages; two of a peer in a row are not lost, as in gossip with several ways from each to each. */
const lossPercent = 10;

/** Time that passes for all at once; `due` timers run when it is told to pass. */
class StepClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Map<() => void, number>();

  now(): number {
    return this.#nowMs;
  }

  wallNanos(): bigint {
    return BigInt(this.#nowMs) * 1_000_000n;
  }

  after(delayMs: number, act: () => void): Cancel {
    const own = (): void => act();
    this.#timers.set(own, this.#nowMs + delayMs);
    return () => this.#timers.delete(own);
  }

  async step(): Promise<void> {
    this.#nowMs += stepMs;
    for (const [act, atMs] of this.#timers) {
      if (atMs > this.#nowMs) continue;
      this.#timers.delete(act);
      act();
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

interface Member {
  readonly id: string;
  readonly monitor: PeerMonitor;
  nextPingMs: number;
  hasLost: boolean;
}

test('PeerMonitor: of 220 peers under churn each sees exactly the present ones within a TTL (R24)', async () => {
  const random = new SeededRandom(24);
  const clock = new StepClock();
  const present = new Map<string, Member>();
  const listeners = new Map<string, (from: string, data: Uint8Array) => void>();
  const busOf = (member: { readonly id: string; hasLost: boolean }): PubSub => ({
    publish: async (_, data) => {
      for (const [id, listener] of listeners) {
        if (id !== member.id && !(random.integer(100) < lossPercent && !member.hasLost)) listener(member.id, data);
      }
    },
    subscribe: (_, listener) => void listeners.set(member.id, listener),
  });
  let born = 0;
  const join = async (): Promise<void> => {
    born += 1;
    const bytes = Uint8Array.of(0, 0x24, 8, 1, 0x12, 0x20, ...Array.from({ length: 32 }, () => random.integer(256)));
    const id = base58Encode(bytes);
    const handle = { id, hasLost: false };
    const deps = { pubsub: busOf(handle), clock, logger: silentLogger, members: async () => [...present.keys()] };
    const monitor = createPeerMonitor({ self: id }, deps);
    await monitor.start();
    present.set(id, Object.assign(handle, { monitor, nextPingMs: clock.now() + random.integer(ttlMs / 2) }));
  };
  const leave = async (id: string): Promise<void> => {
    await present.get(id)?.monitor.stop();
    present.delete(id);
    listeners.delete(id);
  };
  const pingOf = (id: string): Metric => ({
    name: 'ping',
    peer: id,
    value: '{}',
    expire: clock.wallNanos() + BigInt(ttlMs) * 1_000_000n,
    valid: true,
    weight: 0n,
    partitionable: false,
    receivedAt: 0n,
  });
  /** Lets time pass; everyone sends twice in a TTL. */
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += stepMs) {
      await clock.step();
      for (const member of present.values()) {
        if (member.nextPingMs > clock.now()) continue;
        member.hasLost = !member.hasLost;
        await member.monitor.publish(pingOf(member.id));
        member.nextPingMs = clock.now() + ttlMs / 2;
      }
    }
  };
  const wrongViews = (): string[] => {
    const expected = [...present.keys()].sort().join();
    return [...present.values()]
      .filter(({ monitor }) => {
        const seen = monitor.latest('ping').map(({ peer }) => peer);
        return seen.join() !== expected;
      })
      .map(({ id }) => id);
  };

  while (present.size < peersCount) await join();
  await pass(ttlMs);
  assert.deepEqual(wrongViews(), [], 'after the start');
  for (let round = 0; round < 3; round += 1) {
    const ids = [...present.keys()];
    for (let n = 0; n < 20; n += 1) await leave(ids[(n * 11 + round) % ids.length] ?? '');
    while (present.size < peersCount) await join();
    await pass(ttlMs);
    assert.deepEqual(wrongViews(), [], `round ${round}, ${born} peers so far`);
  }
  for (const id of [...present.keys()]) await leave(id);
});
