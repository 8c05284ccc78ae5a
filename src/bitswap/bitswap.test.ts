import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CID } from 'multiformats/cid';
import { create } from 'multiformats/hashes/digest';
import { type Cancel, type Clock, errorCode, SeededRandom, silentLogger } from '../base/index.ts';
import { digestOf } from '../multihash/index.ts';
import { type Bitswap, createBitswap } from './bitswap.ts';
import { blockKey } from './multihash.ts';
import type { BitswapStream } from './ports.ts';

/** A clock that the test moves. */
class HandClock implements Clock {
  #nowMs = 0;
  #timers = new Map<number, { atMs: number; act: () => void }>();
  #next = 0;
  now(): number {
    return this.#nowMs;
  }
  wallNanos(): bigint {
    return BigInt(Math.floor(this.#nowMs * 1e6));
  }
  after(delayMs: number, act: () => void): Cancel {
    const id = this.#next++;
    this.#timers.set(id, { atMs: this.#nowMs + delayMs, act });
    return () => this.#timers.delete(id);
  }
  async advance(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, t]) => t.atMs <= end).sort((a, b) => a[1].atMs - b[1].atMs)[0];
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.#nowMs = due[1].atMs;
      due[1].act();
      await settle();
    }
    this.#nowMs = end;
    await settle();
  }
}

/** Lets everything run that waits for nothing but its turn. */
async function settle(): Promise<void> {
  for (let i = 0; i < 30; i++) await new Promise((resolve) => setImmediate(resolve));
}

interface Node {
  readonly name: string;
  readonly bitswap: Bitswap;
  readonly blocks: Map<string, Uint8Array>;
}

/** Nodes joined by pipes in memory; `silent` peers take everything and answer nothing. */
class Net {
  readonly clock = new HandClock();
  readonly nodes = new Map<string, Node>();
  readonly silent = new Set<string>();
  readonly sentBytes = new Map<string, number>();

  node(name: string): Node {
    const blocks = new Map<string, Uint8Array>();
    const bitswap = createBitswap({
      clock: this.clock,
      logger: silentLogger,
      source: { size: (cid) => blocks.get(blockKey(cid))?.length, get: async (cid) => blocks.get(blockKey(cid)) },
      network: {
        open: async (peer, protocols) => {
          const target = this.nodes.get(peer);
          assert.ok(target !== undefined);
          const chunks: (Uint8Array | null)[] = [];
          let wake: (() => void) | undefined;
          const push = (chunk: Uint8Array | null): void => {
            if (this.silent.has(peer) || this.silent.has(name)) return;
            chunks.push(chunk);
            wake?.();
          };
          const half = (read: BitswapStream['read']): BitswapStream => ({
            protocol: protocols[0] ?? '',
            read,
            write: async (bytes) => push(bytes.slice()),
            closeWrite: async () => {},
            reset: () => push(null),
          });
          const incoming = half(async () => {
            while (chunks.length === 0) await new Promise<void>((resolve) => (wake = resolve));
            return chunks.shift() ?? null;
          });
          void target.bitswap.handleStream(name, incoming);
          return half(() => new Promise(() => {}));
        },
      },
    });
    const node = { name, bitswap, blocks };
    this.nodes.set(name, node);
    return node;
  }

  connect(a: Node, b: Node): void {
    a.bitswap.peerConnected(b.name);
    b.bitswap.peerConnected(a.name);
  }

  disconnect(a: Node, b: Node): void {
    a.bitswap.peerDisconnected(b.name);
    b.bitswap.peerDisconnected(a.name);
  }
}

function block(seed: number, sizeBytes = 5000): { cid: CID; data: Uint8Array } {
  const random = new SeededRandom(seed);
  const data = Uint8Array.from({ length: sizeBytes }, () => random.integer(256));
  return { cid: CID.createV1(0x55, create(0x12, digestOf(0x12, data) ?? new Uint8Array())), data };
}

const give = (node: Node, ...blocks: { cid: CID; data: Uint8Array }[]): void => {
  for (const { cid, data } of blocks) node.blocks.set(blockKey(cid), data);
};

test('a session fetches blocks of all sizes, and asks the peer that had the first one', async () => {
  const net = new Net();
  const [a, b, c] = [net.node('a'), net.node('b'), net.node('c')];
  net.connect(a, b);
  net.connect(a, c);
  const blocks = [10, 1024, 1025, 300_000, 2_500_000].map((size, i) => block(i, size));
  give(b, ...blocks);
  const session = a.bitswap.session();
  for (const { cid, data } of blocks) assert.deepEqual(Buffer.from(await session.want(cid)), Buffer.from(data));
  const many = await Promise.all(blocks.map(({ cid }) => session.want(cid)));
  assert.deepEqual(
    many.map((data) => data.length),
    blocks.map(({ data }) => data.length),
  );
  session.close();
  await settle();
  assert.deepEqual(a.bitswap.wantlist(), []);
  assert.deepEqual(b.bitswap.wantlistOf('a'), []);
  assert.deepEqual(c.bitswap.wantlistOf('a'), [], 'those who said no are told of the end too');
  assert.equal(a.bitswap.counters().dupBlocksReceived, 0);
});

test('a want that nobody has is served when the block appears, on either side', async () => {
  const net = new Net();
  const [a, b] = [net.node('a'), net.node('b')];
  net.connect(a, b);
  const [late, own] = [block(1), block(2)];
  const session = a.bitswap.session();
  const wanted = session.want(late.cid);
  const wantedOwn = session.want(own.cid);
  await settle();
  assert.equal(b.bitswap.wantlistOf('a').length, 2);
  give(b, late);
  b.bitswap.notify(late.cid, late.data);
  assert.equal((await wanted).length, late.data.length);
  give(a, own);
  a.bitswap.notify(own.cid, own.data);
  assert.equal((await wantedOwn).length, own.data.length);
  await settle();
  assert.deepEqual(b.bitswap.wantlistOf('a'), []);
});

test('an aborted want is withdrawn from every peer', async () => {
  const net = new Net();
  const [a, b] = [net.node('a'), net.node('b')];
  net.connect(a, b);
  const abort = new AbortController();
  const wanted = a.bitswap.session().want(block(1).cid, { signal: abort.signal });
  await settle();
  assert.equal(b.bitswap.wantlistOf('a').length, 1);
  abort.abort(new Error('enough'));
  await assert.rejects(wanted, /enough/);
  await settle();
  assert.deepEqual(b.bitswap.wantlistOf('a'), []);
  assert.deepEqual(a.bitswap.wantlist(), []);
});

test('a peer that connects later is asked, one that leaves is replaced', async () => {
  const net = new Net();
  const [a, b, c] = [net.node('a'), net.node('b'), net.node('c')];
  const first = block(1);
  const session = a.bitswap.session();
  const wanted = session.want(first.cid);
  give(b, first);
  net.connect(a, b);
  await wanted;
  const second = block(2);
  const wantedSecond = session.want(second.cid);
  give(c, second);
  net.disconnect(a, b);
  net.connect(a, c);
  assert.equal((await wantedSecond).length, second.data.length);
});

test('a silent peer is passed over after a second', async () => {
  const net = new Net();
  const [a, b, c] = [net.node('a'), net.node('b'), net.node('c')];
  net.connect(a, b);
  net.connect(a, c);
  const [first, second] = [block(1), block(2)];
  give(b, first, second);
  give(c, second);
  const session = a.bitswap.session();
  await session.want(first.cid);
  net.silent.add('b');
  let isDone = false;
  const wanted = session.want(second.cid).finally(() => (isDone = true));
  await settle();
  assert.equal(isDone, false);
  await net.clock.advance(2000);
  assert.equal((await wanted).length, second.data.length);
});

test('a second source joins the session and shares the work', async () => {
  const net = new Net();
  const [a, b, c] = [net.node('a'), net.node('b'), net.node('c')];
  net.connect(a, b);
  net.connect(a, c);
  const blocks = Array.from({ length: 60 }, (_, i) => block(i));
  give(b, ...blocks);
  give(c, ...blocks);
  const session = a.bitswap.session();
  await session.want(blocks[0]?.cid ?? block(0).cid);
  await settle();
  await Promise.all(blocks.slice(1).map(({ cid }) => session.want(cid)));
  const [fromB, fromC] = [b.bitswap.counters().blocksSent, c.bitswap.counters().blocksSent];
  assert.ok(fromB > 15 && fromC > 15, `${fromB} and ${fromC}`);
});

test('blocks that nobody wants and blocks with wrong bytes are dropped', async () => {
  const net = new Net();
  const [a, b] = [net.node('a'), net.node('b')];
  net.connect(a, b);
  const good = block(1);
  b.blocks.set(blockKey(good.cid), new Uint8Array(5000));
  let isDone = false;
  const session = a.bitswap.session();
  const wanted = session.want(good.cid).finally(() => (isDone = true));
  wanted.catch(() => {});
  await settle();
  assert.equal(isDone, false);
  give(b, good);
  await net.clock.advance(6000);
  assert.equal((await wanted).length, 5000);
});

test('unknown hash functions and closed sessions are refused, identity CIDs answered', async () => {
  const net = new Net();
  const a = net.node('a');
  const session = a.bitswap.session();
  const strange = CID.createV1(0x55, create(0x22, new Uint8Array(32)));
  await assert.rejects(session.want(strange), (error) => errorCode(error) === 'bitswap/unknown-hash');
  assert.deepEqual([...(await session.want(CID.createV1(0x55, create(0, Uint8Array.of(1, 2)))))], [1, 2]);
  const waiting = session.want(block(1).cid);
  session.close();
  await assert.rejects(waiting, (error) => errorCode(error) === 'bitswap/stopped');
  assert.deepEqual(a.bitswap.wantlist(), []);
});
