/**
 * What Raft peers send each other, as plain data with its codec: the dialect of hashicorp/go-msgpack, whose struct
 * fields are sorted by name and all written.
 * Source: hashicorp/raft `commands.go`, `log.go`, `configuration.go`; `net_transport.go` for the frames around them.
 *
 * Ids and addresses are the same text here, a peer id; empty stands for nil.
 */
import type { Codec } from './codec.ts';
import { wireField, wireListType, wireStructType } from './schema/containers.ts';
import type { MsgpackReader } from './schema/msgpack-reader.ts';
import { boolType, bytesType, checkedTime, intType, textType, uintType } from './schema/scalars.ts';
import { codecOf, type WireType } from './schema/type.ts';
import { type Time, zeroTimeSeconds } from './time.ts';

/** The first byte of each request on a stream. */
export const raftRpcTypes = {
  appendEntries: 0,
  requestVote: 1,
  installSnapshot: 2,
  timeoutNow: 3,
  requestPreVote: 4,
} as const;

/** Go `raft.LogType`. */
export const raftLogTypes = {
  command: 0,
  noop: 1,
  addPeerDeprecated: 2,
  removePeerDeprecated: 3,
  barrier: 4,
  configuration: 5,
} as const;

/** Go `raft.ServerSuffrage`. */
export const raftSuffrages = { voter: 0, nonvoter: 1, staging: 2 } as const;

/** In front of every request and response. */
export interface RaftHeader {
  /** 3; receivers refuse others in requests, and should not look at it in responses. */
  readonly protocolVersion: number;
  readonly id: string;
  readonly addr: string;
}

/** An entry of the Raft log. */
export interface RaftLogEntry {
  readonly index: number;
  readonly term: number;
  /** One of `raftLogTypes`; unknown ones are kept. */
  readonly type: number;
  readonly data: Uint8Array | null;
  readonly extensions: Uint8Array | null;
  readonly appendedAt: Time | null;
}

/** Replication, and the heartbeat. */
export interface AppendEntriesRequest extends RaftHeader {
  readonly term: number;
  readonly leader: string;
  readonly prevLogEntry: number;
  readonly prevLogTerm: number;
  /** `null` in heartbeats, empty in replication rounds without news. */
  readonly entries: readonly RaftLogEntry[] | null;
  readonly leaderCommitIndex: number;
}

/** Answer to `AppendEntriesRequest`. */
export interface AppendEntriesResponse extends RaftHeader {
  readonly term: number;
  /** The follower's last index before this request's entries were stored. */
  readonly lastLog: number;
  readonly success: boolean;
  readonly noRetryBackoff: boolean;
}

/** Asks for a vote. */
export interface RequestVoteRequest extends RaftHeader {
  readonly term: number;
  readonly candidate: string;
  readonly lastLogIndex: number;
  readonly lastLogTerm: number;
  readonly leadershipTransfer: boolean;
}

/** Answer to `RequestVoteRequest`. */
export interface RequestVoteResponse extends RaftHeader {
  readonly term: number;
  /** For protocol versions below 2; nil. */
  readonly peers: Uint8Array | null;
  readonly granted: boolean;
}

/** Asks whether a vote would be granted. */
export interface RequestPreVoteRequest extends RaftHeader {
  readonly term: number;
  readonly lastLogIndex: number;
  readonly lastLogTerm: number;
}

/** Answer to `RequestPreVoteRequest`. */
export interface RequestPreVoteResponse extends RaftHeader {
  readonly term: number;
  readonly granted: boolean;
}

/** `size` raw bytes follow the request on the stream. */
export interface InstallSnapshotRequest extends RaftHeader {
  readonly snapshotVersion: number;
  readonly term: number;
  readonly leader: string;
  readonly lastLogIndex: number;
  readonly lastLogTerm: number;
  /** A msgpack list of addresses, for old protocol versions: see `raftPeersCodec`. */
  readonly peers: Uint8Array | null;
  /** See `raftConfigurationCodec`. */
  readonly configuration: Uint8Array | null;
  readonly configurationIndex: number;
  readonly size: number;
}

/** Answer to `InstallSnapshotRequest`. */
export interface InstallSnapshotResponse extends RaftHeader {
  readonly term: number;
  readonly success: boolean;
}

/** A member of a Raft configuration. */
export interface RaftServer {
  readonly suffrage: number;
  readonly id: string;
  readonly address: string;
}

/** Data of a configuration entry. */
export interface RaftConfiguration {
  readonly servers: readonly RaftServer[] | null;
}

/** Entries of one request; the reference sends 64. */
const entriesMax = 65_536;

/** Text in a Go byte slice: empty is nil. */
const bytesTextType: WireType<string> = {
  zero: '',
  isZero: (value) => value === '',
  write: (writer, value) => (value === '' ? writer.nil() : writer.string(value)),
  read: textType.read,
};

/** Go's `time.Time.MarshalBinary`: version 1, seconds since year 1, nanoseconds, offset in minutes or -1 for UTC. */
const binaryTimeType: WireType<Time | null> = {
  zero: null,
  isZero: (value) => value === null,
  write(writer, value) {
    const bytes = new Uint8Array(15);
    const view = new DataView(bytes.buffer);
    bytes[0] = 1;
    view.setBigUint64(1, BigInt((value?.seconds ?? zeroTimeSeconds) - zeroTimeSeconds));
    view.setUint32(9, value?.nanos ?? 0);
    view.setInt16(13, value?.offsetMinutes ?? -1);
    writer.raw(bytes);
  },
  read(reader) {
    if (reader.isNil()) return null;
    const tag = reader.peek();
    if (tag >= 0xc7 && tag !== 0xd9 && tag !== 0xda && tag !== 0xdb) return checkedTime(reader, reader.timestamp());
    return readBinaryTime(reader);
  },
};

function readBinaryTime(reader: MsgpackReader): Time | null {
  const bytes = reader.raw(64);
  // Version 2 carries seconds of the offset in a 16th byte; Go writes it for offsets of historical zones only.
  if ((bytes[0] !== 1 || bytes.length !== 15) && (bytes[0] !== 2 || bytes.length !== 16)) {
    throw reader.fail(`expected 15 bytes of a time of version 1, got ${bytes.length} of version ${bytes[0] ?? 0}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const nanos = view.getUint32(9);
  if (nanos > 999_999_999) throw reader.fail(`${nanos} nanoseconds are more than a second`);
  const time = checkedTime(reader, { seconds: Number(view.getBigInt64(1)) + zeroTimeSeconds, nanos });
  const offsetMinutes = view.getInt16(13);
  return time === null || offsetMinutes === -1 ? time : { ...time, offsetMinutes };
}

const entry = wireField<RaftLogEntry>();

const logEntryType: WireType<RaftLogEntry> = wireStructType<RaftLogEntry>([
  entry('appendedAt', 'AppendedAt', binaryTimeType),
  entry('data', 'Data', bytesType),
  entry('extensions', 'Extensions', bytesType),
  entry('index', 'Index', uintType),
  entry('term', 'Term', uintType),
  entry('type', 'Type', uintType),
]);

/** One log entry, as stores keep it. */
export const raftLogEntryCodec: Codec<RaftLogEntry> = codecOf(logEntryType);

const append = wireField<AppendEntriesRequest>();

/** Bytes of `AppendEntriesRequest`. */
export const appendEntriesRequestCodec: Codec<AppendEntriesRequest> = codecOf(
  wireStructType<AppendEntriesRequest>([
    append('addr', 'Addr', bytesTextType),
    append('entries', 'Entries', wireListType(logEntryType, entriesMax)),
    append('id', 'ID', bytesTextType),
    append('leader', 'Leader', bytesTextType),
    append('leaderCommitIndex', 'LeaderCommitIndex', uintType),
    append('prevLogEntry', 'PrevLogEntry', uintType),
    append('prevLogTerm', 'PrevLogTerm', uintType),
    append('protocolVersion', 'ProtocolVersion', intType),
    append('term', 'Term', uintType),
  ]),
);

const appended = wireField<AppendEntriesResponse>();

/** Bytes of `AppendEntriesResponse`. */
export const appendEntriesResponseCodec: Codec<AppendEntriesResponse> = codecOf(
  wireStructType<AppendEntriesResponse>([
    appended('addr', 'Addr', bytesTextType),
    appended('id', 'ID', bytesTextType),
    appended('lastLog', 'LastLog', uintType),
    appended('noRetryBackoff', 'NoRetryBackoff', boolType),
    appended('protocolVersion', 'ProtocolVersion', intType),
    appended('success', 'Success', boolType),
    appended('term', 'Term', uintType),
  ]),
);

const vote = wireField<RequestVoteRequest>();

/** Bytes of `RequestVoteRequest`. */
export const requestVoteRequestCodec: Codec<RequestVoteRequest> = codecOf(
  wireStructType<RequestVoteRequest>([
    vote('addr', 'Addr', bytesTextType),
    vote('candidate', 'Candidate', bytesTextType),
    vote('id', 'ID', bytesTextType),
    vote('lastLogIndex', 'LastLogIndex', uintType),
    vote('lastLogTerm', 'LastLogTerm', uintType),
    vote('leadershipTransfer', 'LeadershipTransfer', boolType),
    vote('protocolVersion', 'ProtocolVersion', intType),
    vote('term', 'Term', uintType),
  ]),
);

const voted = wireField<RequestVoteResponse>();

/** Bytes of `RequestVoteResponse`. */
export const requestVoteResponseCodec: Codec<RequestVoteResponse> = codecOf(
  wireStructType<RequestVoteResponse>([
    voted('addr', 'Addr', bytesTextType),
    voted('granted', 'Granted', boolType),
    voted('id', 'ID', bytesTextType),
    voted('peers', 'Peers', bytesType),
    voted('protocolVersion', 'ProtocolVersion', intType),
    voted('term', 'Term', uintType),
  ]),
);

const preVote = wireField<RequestPreVoteRequest>();

/** Bytes of `RequestPreVoteRequest`. */
export const requestPreVoteRequestCodec: Codec<RequestPreVoteRequest> = codecOf(
  wireStructType<RequestPreVoteRequest>([
    preVote('addr', 'Addr', bytesTextType),
    preVote('id', 'ID', bytesTextType),
    preVote('lastLogIndex', 'LastLogIndex', uintType),
    preVote('lastLogTerm', 'LastLogTerm', uintType),
    preVote('protocolVersion', 'ProtocolVersion', intType),
    preVote('term', 'Term', uintType),
  ]),
);

const preVoted = wireField<RequestPreVoteResponse>();

/** Bytes of `RequestPreVoteResponse`. */
export const requestPreVoteResponseCodec: Codec<RequestPreVoteResponse> = codecOf(
  wireStructType<RequestPreVoteResponse>([
    preVoted('addr', 'Addr', bytesTextType),
    preVoted('granted', 'Granted', boolType),
    preVoted('id', 'ID', bytesTextType),
    preVoted('protocolVersion', 'ProtocolVersion', intType),
    preVoted('term', 'Term', uintType),
  ]),
);

const install = wireField<InstallSnapshotRequest>();

/** Bytes of `InstallSnapshotRequest`. */
export const installSnapshotRequestCodec: Codec<InstallSnapshotRequest> = codecOf(
  wireStructType<InstallSnapshotRequest>([
    install('addr', 'Addr', bytesTextType),
    install('configuration', 'Configuration', bytesType),
    install('configurationIndex', 'ConfigurationIndex', uintType),
    install('id', 'ID', bytesTextType),
    install('lastLogIndex', 'LastLogIndex', uintType),
    install('lastLogTerm', 'LastLogTerm', uintType),
    install('leader', 'Leader', bytesTextType),
    install('peers', 'Peers', bytesType),
    install('protocolVersion', 'ProtocolVersion', intType),
    install('size', 'Size', intType),
    install('snapshotVersion', 'SnapshotVersion', intType),
    install('term', 'Term', uintType),
  ]),
);

const installed = wireField<InstallSnapshotResponse>();

/** Bytes of `InstallSnapshotResponse`. */
export const installSnapshotResponseCodec: Codec<InstallSnapshotResponse> = codecOf(
  wireStructType<InstallSnapshotResponse>([
    installed('addr', 'Addr', bytesTextType),
    installed('id', 'ID', bytesTextType),
    installed('protocolVersion', 'ProtocolVersion', intType),
    installed('success', 'Success', boolType),
    installed('term', 'Term', uintType),
  ]),
);

const header = wireField<RaftHeader>();

/** TimeoutNow has a header only, in both directions. */
export const timeoutNowCodec: Codec<RaftHeader> = codecOf(
  wireStructType<RaftHeader>([
    header('addr', 'Addr', bytesTextType),
    header('id', 'ID', bytesTextType),
    header('protocolVersion', 'ProtocolVersion', intType),
  ]),
);

const server = wireField<RaftServer>();

const serverType: WireType<RaftServer> = wireStructType<RaftServer>([
  server('address', 'Address', textType),
  server('id', 'ID', textType),
  server('suffrage', 'Suffrage', intType),
]);

/** Bytes of `RaftConfiguration`. */
export const raftConfigurationCodec: Codec<RaftConfiguration> = codecOf(
  wireStructType<RaftConfiguration>([wireField<RaftConfiguration>()('servers', 'Servers', wireListType(serverType))]),
);

/** The `peers` of a snapshot: addresses. */
export const raftPeersCodec: Codec<readonly string[] | null> = codecOf(wireListType(bytesTextType));

/** The text in front of each response: an error, or empty. */
export const raftErrorCodec: Codec<string> = codecOf(textType);
