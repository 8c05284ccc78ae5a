/**
 * The recorded bytes of the Go peer: decoded, compared with what they mean, encoded again to the same bytes.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { hexDecode, hexEncode, utf8Decode } from '../base/index.ts';
import { serviceIdCodec } from './codecs.ts';
import {
  type Cid,
  type Codec,
  cidOfStateKey,
  decodePin,
  encodePin,
  findMethod,
  formatTime,
  metricCodec,
  multiaddrToBytes,
  parsePeerId,
  peerIdFromBytes,
  peerIdToBytes,
  raftCommandCodec,
  rpcResponseCodec,
  type SnapshotRecord,
  snapshotRecordCodec,
  stateKey,
  type Time,
} from './index.ts';
import * as raft from './raft-wire.ts';
import { anyType } from './schema/any.ts';
import { listType, mapType, wireStructType } from './schema/containers.ts';
import * as peerTypes from './schema/peer.ts';
import { peerIdsType, pinPathType, pinType, pinTypeType } from './schema/pin.ts';
import * as scalars from './schema/scalars.ts';
import * as statusTypes from './schema/status.ts';
import * as transferTypes from './schema/transfer.ts';
import { codecOf, type JsonType, type WireType } from './schema/type.ts';

interface Vector {
  readonly name: string;
  readonly type: string;
  readonly hex: string;
  readonly decoded: unknown;
  readonly note?: string;
}

function vectors(file: string): readonly Vector[] {
  const text = readFileSync(new URL(`../../test/vectors/wire/${file}.json`, import.meta.url), 'utf8');
  // The files are recorded; their form is described beside them.
  const parsed = JSON.parse(text) as { vectors: (Omit<Vector, 'hex'> & { hex: string })[] };
  return parsed.vectors;
}

const rpcTypes: Readonly<Record<string, WireType<unknown> & Partial<JsonType<unknown>>>> = {
  'api.AddedOutput': transferTypes.addedOutputType,
  'api.Alert': peerTypes.alertType,
  'api.BandwidthByProtocol': transferTypes.bandwidthByProtocolType,
  'api.ConnectGraph': peerTypes.connectGraphType,
  'api.Error': transferTypes.apiErrorType,
  'api.GlobalPinInfo': statusTypes.globalPinInfoType,
  'api.GlobalRepoGC': statusTypes.globalRepoGcType,
  'api.ID': peerTypes.idType,
  'api.IPFSID': peerTypes.ipfsIdType,
  'api.IPFSPinInfo': statusTypes.ipfsPinInfoType,
  'api.IPFSRepoStat': statusTypes.ipfsRepoStatType,
  'api.Metric': peerTypes.metricType,
  'api.NodeWithMeta': transferTypes.nodeWithMetaType,
  'api.Pin': pinType,
  'api.PinInfo': statusTypes.pinInfoType,
  'api.PinPath': pinPathType,
  'api.RepoGC': statusTypes.repoGcType,
  'api.Version': peerTypes.versionType,
  'rpc.Response': transferTypes.rpcResponseType,
  'rpc.ServiceID': transferTypes.serviceIdType,
};

/** Zero values of Go that our types cannot say; they appear only behind error headers, where they are skipped. */
const unsayable = new Set(['Pin zero']);
/** Go wrote empty texts here that its own `omitempty` leaves out elsewhere: those sliced from another text. */
const oddEmptyTexts = new Set(['ID full']);
/** Values of `decoded` that JSON.parse rounds: their text is compared instead. */
const jsonOf = (value: unknown): string => JSON.stringify(value);

for (const vector of vectors('rpc-types')) {
  const type = rpcTypes[vector.type];
  if (type === undefined) continue; // LogOp and element types: their own tests
  test(`rpc-types ${vector.name}: decodes and encodes to the same bytes`, () => {
    const codec: Codec<unknown> = codecOf(type);
    const value = codec.decode(hexDecode(vector.hex));
    if (oddEmptyTexts.has(vector.name)) assert.deepEqual(codec.decode(codec.encode(value)), value);
    else if (!unsayable.has(vector.name)) assert.equal(hexEncode(codec.encode(value)), vector.hex);
    const isJsonType = type.print !== undefined && !('Data' in (vector.decoded as object));
    if (isJsonType && !vector.name.startsWith('IPFSPinInfo') && !(vector.name === 'GlobalPinInfo zero')) {
      const printed = type.print?.(value) ?? '';
      assert.equal(printed, jsonOf(vector.decoded));
      if (!vector.name.startsWith('Metric') && !vector.name.startsWith('Alert')) {
        const again = type.parse?.(JSON.parse(printed));
        assert.equal(type.print?.(again), printed);
      }
    }
  });
}

const primitives: Readonly<Record<string, WireType<unknown>>> = {
  int64: scalars.int64Type,
  int: scalars.intType,
  uint64: scalars.uintType,
  bool: scalars.boolType,
  float64: scalars.floatType,
  string: scalars.textType,
  '[]uint8': scalars.bytesType,
  '[]string': listType(scalars.textType),
  '[]int': listType(scalars.intType),
  'map[string]string': mapType(scalars.textType),
  'struct {}': wireStructType([]),
  '*struct {}': wireStructType([]),
  '<nil>': anyType,
  'time.Time': scalars.timeType,
  'peer.ID': scalars.peerIdType,
  '[]peer.ID': peerIdsType,
  'api.Cid': scalars.cidType,
  'api.Multiaddr': scalars.multiaddrType,
  'protocol.ID': scalars.textType,
  'api.TrackerStatus': scalars.intType,
  'api.IPFSPinStatus': statusTypes.ipfsPinStatusType,
  'api.PinType': pinTypeType,
  'api.PinMode': scalars.intType,
  'api.Metric': peerTypes.metricType,
  'api.Pin': pinType,
  'api.Version': peerTypes.versionType,
  'rpc.Response': transferTypes.rpcResponseType,
};

/** A peer id is never encoded as an empty raw: Go writes that form but refuses to read it. */
const otherBytes: Readonly<Record<string, string>> = { 'peer.ID empty': 'a0' };

for (const vector of vectors('msgpack-primitives')) {
  test(`msgpack-primitives ${vector.name}: decodes and encodes to the same bytes`, () => {
    const type = primitives[vector.type];
    assert.ok(type, `no type for ${vector.type}`);
    const codec: Codec<unknown> = codecOf(type);
    if (vector.name === 'peer.ID empty') {
      assert.equal(hexEncode(codec.encode('')), 'c0');
    } else if (vector.name === 'uint 18446744073709551615') {
      assert.throws(() => codec.decode(hexDecode(vector.hex)), { code: 'model/bad-encoding' });
    } else if (vector.note?.includes('truncated')) {
      const count = Number(/[0-9]+/.exec(String(vector.decoded))?.[0]);
      const value = vector.type === 'string' ? 'a'.repeat(count) : new Uint8Array(count).fill(255);
      const bytes = codec.encode(value);
      assert.ok(hexEncode(bytes).startsWith(vector.hex));
      assert.deepEqual(codec.decode(bytes), value);
    } else {
      const value = codec.decode(hexDecode(vector.hex));
      assert.equal(hexEncode(codec.encode(value)), otherBytes[vector.name] ?? vector.hex);
    }
  });
}

for (const vector of vectors('decode-tolerance')) {
  test(`decode-tolerance ${vector.name}`, () => {
    const type = primitives[vector.type];
    assert.ok(type, `no type for ${vector.type}`);
    const codec: Codec<unknown> = codecOf(type);
    const expected = vector.decoded as { ok: boolean; value?: unknown };
    if (!expected.ok) {
      assert.throws(() => codec.decode(hexDecode(vector.hex)), { code: 'model/bad-encoding' });
      return;
    }
    const value: unknown = codec.decode(hexDecode(vector.hex));
    const shape = rpcTypes[vector.type];
    if (shape?.print !== undefined) assert.equal(shape.print(value), jsonOf(expected.value));
    else if (vector.type === 'time.Time')
      assert.equal(JSON.stringify(formatTime(value as Time | null)), jsonOf(expected.value));
    else if (vector.type === 'api.Cid') assert.equal(scalars.cidType.print(value as Cid), jsonOf(expected.value));
    else if (value instanceof Uint8Array) assert.equal(Buffer.from(value).toString('base64'), expected.value);
    else if (vector.type !== 'rpc.Response') assert.deepEqual(value, expected.value);
  });
}

test('pubsub-metrics: the payload decodes and encodes to the same bytes', () => {
  const payload = vectors('pubsub-metrics')[0];
  assert.ok(payload);
  const metric = metricCodec.decode(hexDecode(payload.hex));
  assert.equal(metric.name, 'ping');
  assert.equal(metric.expire, 1704164675000000000n);
  assert.equal(hexEncode(metricCodec.encode(metric)), payload.hex);
});

test('identity: peer ids convert between text, bytes and CID', () => {
  for (const vector of vectors('identity')) {
    const identity = (typeof vector.decoded === 'string' ? {} : vector.decoded) as Record<string, string>;
    const { identity_json_id: text, peer_id_bytes_hex: hex, peer_id_cid: cid } = identity;
    assert.ok(text && hex && cid);
    assert.equal(hexEncode(peerIdToBytes(text)), hex);
    assert.equal(peerIdFromBytes(hexDecode(hex)), text);
    assert.equal(parsePeerId(cid), text);
    assert.equal(parsePeerId(text), text);
  }
});

const requests: Readonly<Record<string, Codec<unknown>>> = {
  '*raft.AppendEntriesRequest': raft.appendEntriesRequestCodec,
  '*raft.RequestVoteRequest': raft.requestVoteRequestCodec,
  '*raft.RequestPreVoteRequest': raft.requestPreVoteRequestCodec,
  '*raft.InstallSnapshotRequest': raft.installSnapshotRequestCodec,
  '*raft.TimeoutNowRequest': raft.timeoutNowCodec,
};
const responses: Readonly<Record<string, Codec<unknown>>> = {
  '*raft.AppendEntriesResponse': raft.appendEntriesResponseCodec,
  '*raft.RequestVoteResponse': raft.requestVoteResponseCodec,
  '*raft.RequestPreVoteResponse': raft.requestPreVoteResponseCodec,
  '*raft.InstallSnapshotResponse': raft.installSnapshotResponseCodec,
  '*raft.TimeoutNowResponse': raft.timeoutNowCodec,
};

for (const vector of vectors('raft')) {
  test(`raft ${vector.name}: decodes and encodes to the same bytes`, () => {
    const bytes = hexDecode(vector.hex);
    const request = requests[vector.type];
    const response = responses[vector.type];
    if (request !== undefined) {
      const found = request.decodeAt(bytes, 1);
      assert.ok(found);
      assert.equal(hexEncode(request.encode(found.value)), hexEncode(bytes.subarray(1, found.end)));
    } else if (response !== undefined) {
      const error = raft.raftErrorCodec.decodeAt(bytes, 0);
      assert.ok(error);
      const found = response.decodeAt(bytes, error.end);
      assert.equal(found?.end, bytes.length);
      assert.equal(hexEncode(raft.raftErrorCodec.encode(error.value)), hexEncode(bytes.subarray(0, error.end)));
      assert.equal(hexEncode(response.encode(found.value)), hexEncode(bytes.subarray(error.end)));
    } else {
      assert.match(vector.type, /Configuration/);
      const value = raft.raftConfigurationCodec.decode(bytes);
      assert.equal(hexEncode(raft.raftConfigurationCodec.encode(value)), vector.hex);
    }
  });
}

/** Fields of commands in a fixed order, for those that were recorded in a random one. */
function sortedCommand(bytes: Uint8Array): string {
  const { c, ...rest } = codecOf(anyType).decode(bytes) as Record<string, unknown>;
  const pin = Object.entries(c as object).sort(([a], [b]) => (a < b ? -1 : 1));
  return jsonOf([pin, rest]);
}

test('raft-logop: commands decode fresh, unknown fields are refused', () => {
  for (const vector of vectors('raft-logop')) {
    const expected = vector.decoded as { errors: unknown; previous_commands_hex: unknown; stored_value_hex: string };
    if (expected.errors !== null) {
      assert.throws(() => raftCommandCodec.decode(hexDecode(vector.hex)), { code: 'model/bad-encoding' });
      continue;
    }
    const command = raftCommandCodec.decode(hexDecode(vector.hex));
    assert.equal(command.type, 'pin');
    if (expected.previous_commands_hex === null) {
      assert.equal(hexEncode(encodePin(command.pin)), expected.stored_value_hex, vector.name);
    }
    // Whatever came before it, our form of the command leaves nothing to inherit.
    const ours = raftCommandCodec.encode(command);
    assert.deepEqual(raftCommandCodec.decode(ours), command);
  }
});

test('raft-logop: we write every field, as Go needs it to forget the command before', () => {
  const explicit = vectors('raft-logop').find((vector) => vector.name === 'full then explicit zero values');
  assert.ok(explicit);
  const bytes = hexDecode(explicit.hex);
  assert.equal(sortedCommand(raftCommandCodec.encode(raftCommandCodec.decode(bytes))), sortedCommand(bytes));
});

test('state: pin values decode and encode to the same bytes', () => {
  const pins = vectors('state').filter((vector) => vector.type === 'api.pb.Pin');
  assert.ok(pins.length >= 9);
  for (const vector of pins) {
    const pin = decodePin(hexDecode(vector.hex));
    assert.equal(hexEncode(encodePin(pin)), vector.hex, vector.name);
    const { read_back: readBack } = vector.decoded as { read_back: unknown };
    assert.equal(pinType.print(pin), jsonOf(readBack), vector.name);
  }
});

test('state: keys name their CIDs', () => {
  for (const vector of vectors('state').filter((row) => row.type === 'datastore key')) {
    const { key, cid } = vector.decoded as { key: string; cid: string };
    assert.equal(cidOfStateKey(key).toString(), cid);
    assert.equal(`/${stateKey(cidOfStateKey(key))}`, key);
  }
});

test('state: export lines are printed as recorded and read back', () => {
  const lines = vectors('state').filter((vector) => vector.type.startsWith('NDJSON'));
  assert.ok(lines.length >= 9);
  for (const vector of lines) {
    const pin = pinType.parse(JSON.parse(String(vector.decoded)));
    assert.equal(`${pinType.print(pin)}\n`, vector.decoded, vector.name);
  }
});

test('state: snapshots are records of key and value, encoded to the same bytes', () => {
  const snapshots = vectors('state').filter((vector) => vector.type === 'dsstate.Marshal');
  assert.equal(snapshots.length, 3);
  for (const vector of snapshots) {
    const bytes = hexDecode(vector.hex);
    const records: SnapshotRecord[] = [];
    for (let at = 0; at < bytes.length; ) {
      const found = snapshotRecordCodec.decodeAt(bytes, at);
      if (found === undefined) assert.fail(`${vector.name} ends within a record`);
      records.push(found.value);
      at = found.end;
    }
    const expected = [vector.decoded ?? []].flat();
    assert.equal(records.length, expected.length, vector.name);
    for (const [index, { key, value }] of records.entries()) {
      const cid = cidOfStateKey(utf8Decode(key));
      assert.equal(cid.toString(), (expected[index] as { cid: string }).cid);
      assert.equal(hexEncode(encodePin(decodePin(value, cid))), hexEncode(value));
    }
    assert.equal(records.map((record) => hexEncode(snapshotRecordCodec.encode(record))).join(''), vector.hex);
  }
});

test('gorpc: requests begin with a method of our table', () => {
  let count = 0;
  for (const vector of vectors('gorpc-streams')) {
    if (!/request/i.test(vector.name)) continue;
    const header = serviceIdCodec.decodeAt(hexDecode(vector.hex), 0);
    if (header === undefined) continue;
    const method = findMethod(header.value.service, header.value.method);
    if (method === undefined) continue;
    const argument = method.argument.decodeAt(hexDecode(vector.hex), header.end);
    if (argument !== undefined) {
      assert.equal(
        hexEncode(serviceIdCodec.encode(header.value)) + hexEncode(method.argument.encode(argument.value)),
        vector.hex.slice(0, argument.end * 2),
      );
    }
    count++;
  }
  assert.ok(count > 0, 'no request recognised');
});

test('rpcResponseCodec and multiaddrToBytes refuse garbage with their own errors', () => {
  assert.throws(() => rpcResponseCodec.decode(Uint8Array.of(0xc1)), { code: 'model/bad-encoding' });
  assert.throws(() => multiaddrToBytes('nonsense'), { code: 'model/bad-multiaddr' });
});
