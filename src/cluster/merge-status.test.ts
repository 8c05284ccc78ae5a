import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collect } from '../../test/support/collect.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { cidNumber, pinOf } from '../../test/support/pins.ts';
import { OperatingError } from '../base/index.ts';
import {
  cidOfStateKey,
  type GlobalPinInfo,
  globalPinInfoOf,
  type PeerLabel,
  type RemoteStatusRow,
  stateKey,
  type TrackerStatus,
  trackerStatusBits,
} from '../model/index.ts';
import { type MergeOptions, mergeStatus, type StatusSource } from './merge-status.ts';
import { PeerPages } from './peer-pages.ts';

const label = (peer: string): PeerLabel => ({ peer, peername: `name of ${peer}`, ipfsPeerId: '', ipfsAddresses: [] });

function row(n: number, status: TrackerStatus = 'pinned', allocations?: string[]): RemoteStatusRow {
  const pin = allocations && pinOf(cidNumber(n), { allocations });
  const key = stateKey(cidNumber(n));
  return { key, status, timestamp: undefined, error: '', attemptCount: 0, priorityPin: false, pin };
}

const options: MergeOptions = {
  filter: 0,
  pinOf: (key) => pinOf(cidOfStateKey(key)),
  failedEntry: (peer, error) => [label(peer), { ...row(0, 'cluster_error'), error }],
};

interface Spec {
  readonly pages: readonly (readonly RemoteStatusRow[])[];
  /** Fails after its pages. */
  readonly error?: Error;
  readonly onEnd?: () => void;
}

function sourceOf(peer: string, { pages, error, onEnd = () => {} }: Spec): StatusSource {
  const open = async function* (): AsyncGenerator<readonly RemoteStatusRow[], void> {
    try {
      for (const page of pages) {
        await null;
        yield page;
      }
      if (error !== undefined) throw error;
    } finally {
      onEnd();
    }
  };
  const rows = new PeerPages({ peer, silenceMs: 15_000, clock: new FakeClock(), open });
  return { label: label(peer), rows };
}

async function merge(sources: readonly StatusSource[], more: Partial<MergeOptions> = {}): Promise<GlobalPinInfo[]> {
  const pages = await collect(mergeStatus(sources, { ...options, ...more }));
  assert.ok(pages.every((page) => page.length > 0));
  return pages.flat().map(globalPinInfoOf);
}

const inOrder = (rows: readonly RemoteStatusRow[]): RemoteStatusRow[] =>
  [...rows].sort((a, b) => (a.key < b.key ? -1 : 1));

function cut<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

test('mergeStatus equals collecting everything, whatever each peer lists, in pages of whatever length', async () => {
  const peer = fc.record({ ns: fc.uniqueArray(fc.nat(15), { maxLength: 12 }), size: fc.integer({ min: 1, max: 5 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(peer, { maxLength: 4 }), async (peers) => {
      const expected = new Map<string, Set<string>>();
      const sources = peers.map(({ ns, size }, i) => {
        const id = `p${i}`;
        for (const n of ns) {
          const key = stateKey(cidNumber(n));
          expected.set(key, (expected.get(key) ?? new Set()).add(id));
        }
        return sourceOf(id, { pages: cut(inOrder(ns.map((n) => row(n))), size) });
      });
      const merged = await merge(sources);
      const keys = merged.map((info) => stateKey(info.cid));
      assert.deepEqual(keys, [...expected.keys()].sort());
      merged.forEach((info, i) => {
        assert.deepEqual(Object.keys(info.peerMap).sort(), [...(expected.get(keys[i] ?? '') ?? [])].sort());
      });
    }),
  );
});

test('mergeStatus: a peer that fails on the way keeps what it said, and is marked from there on', async () => {
  const rows = inOrder([1, 2, 3, 4].map((n) => row(n)));
  const error = new OperatingError('rpc/connection-lost', 'connection lost');
  const b = sourceOf('b', { pages: [rows.slice(0, 2)], error });
  const merged = await merge([sourceOf('a', { pages: [rows] }), b]);
  assert.deepEqual(
    merged.map((info) => info.peerMap.b?.status),
    ['pinned', 'pinned', 'cluster_error', 'cluster_error'],
  );
  assert.equal(merged.at(-1)?.peerMap.b?.error, 'connection lost');
  assert.equal(merged.at(-1)?.peerMap.b?.peername, 'name of b');
});

test('mergeStatus: a failed peer is marked on the pins allocated to it and on those of everyone, on no others', async () => {
  const rows = inOrder([
    row(1, 'pinned', ['a']),
    row(2, 'pinned', ['a', 'b']),
    row(3, 'pinned', []),
    row(4, 'sharded', []),
  ]);
  const b = sourceOf('b', { pages: [], error: new OperatingError('rpc/timeout', 'too late') });
  const merged = await merge([sourceOf('a', { pages: [rows] }), b, sourceOf('c', { pages: [rows] })]);
  const marked = merged.filter(({ peerMap }) => peerMap.b !== undefined).map(({ cid }) => cid.toString());
  assert.deepEqual(marked.sort(), [cidNumber(2).toString(), cidNumber(3).toString()].sort());
  assert.ok(merged.every(({ peerMap }) => Object.keys(peerMap).join('') === (peerMap.b === undefined ? 'ac' : 'abc')));
});

test('mergeStatus leaves out who does not let us ask', async () => {
  const b = sourceOf('b', { pages: [], error: new OperatingError('rpc/authorization', 'not authorized') });
  const merged = await merge([sourceOf('a', { pages: [[row(1)]] }), b]);
  assert.deepEqual(Object.keys(merged[0]?.peerMap ?? {}), ['a']);
});

test('mergeStatus: pins are described by a row that knows them, else by the pinset, and unwanted statuses are left out', async () => {
  const known = row(1, 'remote', ['b']);
  const a = sourceOf('a', { pages: [inOrder([known, row(3, 'remote')])] });
  const b = sourceOf('b', { pages: [inOrder([row(1), row(2)])] });
  const merged = await merge([a, b], { filter: trackerStatusBits.pinned });
  assert.deepEqual(
    merged.map(({ cid, allocations, peerMap }) => [cid.toString(), allocations, Object.keys(peerMap)]).sort(),
    [
      [cidNumber(1).toString(), ['b'], ['b']],
      [cidNumber(2).toString(), [], ['b']],
    ].sort(),
  );
});

test('mergeStatus gives out what it has before it waits for a peer', async () => {
  const rows = inOrder([1, 2, 3].map((n) => row(n)));
  const hung = new PeerPages<RemoteStatusRow>({
    peer: 'b',
    silenceMs: 15_000,
    clock: new FakeClock(),
    open: async function* () {
      yield rows.slice(0, 1);
      await new Promise(() => {});
    },
  });
  const pages = mergeStatus([sourceOf('a', { pages: [rows] }), { label: label('b'), rows: hung }], options);
  const { value } = await pages.next();
  assert.equal(value?.length, 1);
});

test('a vanished client ends the work: mergeStatus ends all peers’ answers when the reader leaves (R29)', async () => {
  let ended = 0;
  const onEnd = (): void => {
    ended += 1;
  };
  const rows = inOrder([1, 2, 3].map((n) => row(n)));
  const sources = ['a', 'b'].map((id) => sourceOf(id, { pages: cut(rows, 1), onEnd }));
  for await (const _ of mergeStatus(sources, options)) break;
  assert.equal(ended, 2);
});
