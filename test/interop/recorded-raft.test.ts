/** What running Go peers sent and stored, recorded: a snapshot on its way to a new follower, and a log with the pins it made. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { hexDecode, hexEncode } from '../../src/base/index.ts';
import type { Request } from '../../src/core/raft/index.ts';
import { decodeRequest, decodeResponse, encodeRequest, encodeResponse } from '../../src/io/consensus/wire.ts';
import {
  cidOfStateKey,
  decodePin,
  formatTime,
  installSnapshotRequestCodec,
  type Pin,
  raftCommandCodec,
  snapshotRecordCodec,
} from '../../src/model/index.ts';

interface Recording {
  readonly vectors: readonly { readonly name: string; readonly hex: string; readonly decoded: unknown }[];
  readonly extra: Readonly<Record<string, unknown>>;
}

function recording(file: string): Recording {
  return JSON.parse(readFileSync(new URL(`../vectors/wire/${file}.json`, import.meta.url), 'utf8'));
}

function hexOf(file: string, name: string): string {
  const found = recording(file).vectors.find((vector) => vector.name === name);
  assert.ok(found, name);
  return found.hex;
}

interface Install {
  readonly request: Request & { readonly type: 'snapshot' };
  /** The frame without the snapshot. */
  readonly frameHex: string;
  readonly snapshot: Uint8Array;
}

/** A frame and the snapshot that follows it on the stream. */
function installOf(hex: string): Install {
  const bytes = hexDecode(hex);
  const struct = installSnapshotRequestCodec.decodeAt(bytes, 1);
  assert.ok(struct);
  const request = decodeRequest(bytes[0] ?? 0, bytes.subarray(1, struct.end));
  assert.ok(request.type === 'snapshot');
  const snapshot = bytes.subarray(struct.end);
  assert.equal(snapshot.length, struct.value.size);
  return { request, frameHex: hexEncode(bytes.subarray(0, struct.end)), snapshot };
}

function pinsOf(snapshot: Uint8Array): Pin[] {
  const pins: Pin[] = [];
  for (let at = 0; at < snapshot.length; ) {
    const record = snapshotRecordCodec.decodeAt(snapshot, at);
    assert.ok(record);
    const cid = cidOfStateKey(Buffer.from(record.value.key).toString());
    const pin = decodePin(record.value.value);
    assert.equal(String(pin.cid), String(cid));
    pins.push(pin);
    at = record.end;
  }
  return pins;
}

describe('a recorded InstallSnapshot', () => {
  for (const [file, name, count] of [
    ['raft', 'install snapshot / request frame', 1],
    ['live-captures', 'raft leader -> new follower: InstallSnapshot', 3],
  ] as const) {
    test(`${name}: is read, and written to the same bytes`, () => {
      const { request, frameHex, snapshot } = installOf(hexOf(file, name));
      assert.equal(hexEncode(encodeRequest(request.leader, request, snapshot.length)), frameHex);
      assert.equal(pinsOf(snapshot).length, count);
      assert.deepEqual(
        request.base.configuration.servers.map(({ suffrage }) => suffrage),
        ['voter', 'voter'],
      );
      assert.equal(request.base.configuration.servers[0]?.id, request.leader);
    });
  }

  test('says up to where it goes, and from which entry its configuration is', () => {
    const { request } = installOf(hexOf('live-captures', 'raft leader -> new follower: InstallSnapshot'));
    const { index, term, configurationIndex } = request.base;
    assert.deepEqual({ index, term, configurationIndex }, { index: 9, term: 3, configurationIndex: 7 });
    const { request: made } = installOf(hexOf('raft', 'install snapshot / request frame'));
    assert.deepEqual([made.base.index, made.base.term, made.base.configurationIndex], [300, 2, 1]);
  });

  test('response: with the header that the codec writes, and without it as a running peer sends it', () => {
    const hex = hexOf('raft', 'install snapshot / response frame');
    const { request } = installOf(hexOf('raft', 'install snapshot / request frame'));
    const follower = request.base.configuration.servers[1]?.id ?? '';
    const bytes = hexDecode(hex);
    const response = decodeResponse('snapshot', bytes.subarray(0, 1), bytes.subarray(1));
    assert.deepEqual(response, { type: 'snapshot', term: 2, success: true });
    assert.equal(hexEncode(encodeResponse(follower, response)), hex);

    const captured = recording('live-captures').vectors.find(({ name }) => name.endsWith(': InstallSnapshot'));
    assert.ok(captured);
    const { response_hex: running } = captured.decoded as { response_hex: string };
    const live = hexDecode(running);
    assert.deepEqual(decodeResponse('snapshot', live.subarray(0, 1), live.subarray(1)), {
      type: 'snapshot',
      term: 3,
      success: true,
    });
  });
});

interface StaleRun {
  readonly three_pins_in_order: readonly { readonly cid: string; readonly stored: { readonly expire_at: string } }[];
  readonly log_entries: readonly { readonly entry: string }[];
}

test('the commands of a recorded log are the pins that were asked for, each of them by itself', () => {
  const run = recording('live-captures').extra.raft_stale_fields_run as StaleRun;
  const commands = run.log_entries
    .filter(({ entry }) => entry.endsWith('"Type": 0}'))
    .map(({ entry }) => raftCommandCodec.decode(hexDecode(/"Data": h'([0-9a-f]+)'/.exec(entry)?.[1] ?? '')));
  const pins = commands.map((command) => {
    assert.ok(command.type === 'pin');
    const { cid, name, mode, maxDepth, expireAt, metadata } = command.pin;
    // No metadata is nil or an empty map on the wire.
    const pairs = Object.entries(metadata ?? {});
    return { cid: String(cid), name, mode, maxDepth, expireAt: formatTime(expireAt)?.slice(0, 19), pairs };
  });
  const [first, second, third] = run.three_pins_in_order;
  const none = { name: '', mode: 'recursive', maxDepth: -1, expireAt: formatTime(null)?.slice(0, 19), pairs: [] };
  assert.deepEqual(pins, [
    {
      ...none,
      cid: first?.cid,
      name: 'first',
      expireAt: first?.stored.expire_at.slice(0, 19),
      pairs: [['k', 'v']],
    },
    // The Go peer stored these two with the metadata and the expiry of the first, and the last one as recursive.
    { ...none, cid: second?.cid },
    { ...none, cid: third?.cid, mode: 'direct', maxDepth: 0 },
  ]);
});
