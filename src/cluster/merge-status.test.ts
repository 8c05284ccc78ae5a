import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collect } from '../../test/support/collect.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { cidNumber, pinOf } from '../../test/support/pins.ts';
import { OperatingError } from '../base/index.ts';
import { type PinInfo, type PinInfoShort, stateKey, type TrackerStatus } from '../model/index.ts';
import { globalPinInfo, mergeStatus } from './merge-status.ts';
import { PeerRows } from './peer-rows.ts';
import { rowOf } from './tracker/row.ts';

const row = (peer: string, n: number, status: TrackerStatus = 'pinned', allocations: string[] = []): PinInfo =>
  rowOf({ peer, peername: `name of ${peer}`, ipfsId: '', ipfsAddresses: [] }, pinOf(cidNumber(n), { allocations }), {
    status,
    timestamp: null,
  });

const failedEntry = (peer: string, error: string): PinInfoShort => ({ ...row(peer, 0, 'cluster_error'), error });

interface Spec {
  readonly rows: readonly PinInfo[];
  readonly isOrdered?: boolean;
  /** Fails after its rows. */
  readonly error?: Error;
}

function rowsOf(peer: string, { rows, isOrdered = true, error }: Spec, onEnd: () => void = () => {}): PeerRows {
  return new PeerRows({
    peer,
    isOrdered,
    silenceMs: 15_000,
    clock: new FakeClock(),
    open: async function* () {
      try {
        for (const item of rows) {
          await null;
          yield item;
        }
        if (error !== undefined) throw error;
      } finally {
        onEnd();
      }
    },
  });
}

const inOrder = (rows: readonly PinInfo[]): PinInfo[] =>
  [...rows].sort((a, b) => (stateKey(a.cid) < stateKey(b.cid) ? -1 : 1));

test('mergeStatus equals collecting everything, whatever each peer lists, in order or not', async () => {
  const peer = fc.record({ ns: fc.uniqueArray(fc.nat(15), { maxLength: 12 }), isOrdered: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(peer, { maxLength: 4 }), async (peers) => {
      const expected = new Map<string, Set<string>>();
      const sources = peers.map(({ ns, isOrdered }, i) => {
        const id = `p${i}`;
        for (const n of ns) {
          const key = stateKey(cidNumber(n));
          expected.set(key, (expected.get(key) ?? new Set()).add(id));
        }
        const rows = ns.map((n) => row(id, n));
        return rowsOf(id, { rows: isOrdered ? inOrder(rows) : rows, isOrdered });
      });
      const merged = await collect(mergeStatus(sources, failedEntry));
      const keys = merged.map((info) => stateKey(info.cid));
      assert.deepEqual(keys, [...expected.keys()].sort());
      merged.forEach((info, i) => {
        assert.deepEqual(Object.keys(info.peerMap).sort(), [...(expected.get(keys[i] ?? '') ?? [])].sort());
      });
    }),
  );
});

test('mergeStatus: a peer that fails on the way keeps what it said, and is marked from there on', async () => {
  const ns = inOrder([1, 2, 3, 4].map((n) => row('a', n)));
  const first = ns.slice(0, 2).map((info) => ({ ...info, peer: 'b' }));
  const b = rowsOf('b', { rows: first, error: new OperatingError('rpc/connection-lost', 'connection lost') });
  const merged = await collect(mergeStatus([rowsOf('a', { rows: ns }), b], failedEntry));
  assert.deepEqual(
    merged.map((info) => info.peerMap.b?.status),
    ['pinned', 'pinned', 'cluster_error', 'cluster_error'],
  );
  assert.equal(merged.at(-1)?.peerMap.b?.error, 'connection lost');
});

test('mergeStatus leaves out who does not let us ask', async () => {
  const b = rowsOf('b', { rows: [], error: new OperatingError('rpc/authorization', 'not authorized') });
  const merged = await collect(mergeStatus([rowsOf('a', { rows: [row('a', 1)] }), b], failedEntry));
  assert.deepEqual(Object.keys(merged[0]?.peerMap ?? {}), ['a']);
});

test('mergeStatus ends all peers’ answers when the reader leaves', async () => {
  let ended = 0;
  const peers = ['a', 'b'].map((id) =>
    rowsOf(id, { rows: inOrder([1, 2, 3].map((n) => row(id, n))) }, () => {
      ended += 1;
    }),
  );
  for await (const _ of mergeStatus(peers, failedEntry)) break;
  assert.equal(ended, 2);
});

test('globalPinInfo describes the pin by a row without error', () => {
  const good = { ...row('a', 1), name: 'right' };
  const bad = { ...row('b', 1, 'cluster_error'), name: '' };
  assert.equal(globalPinInfo([good, bad])?.name, 'right');
  assert.equal(globalPinInfo([]), undefined);
});
