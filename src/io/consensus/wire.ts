/**
 * Messages of the engine in the bytes of hashicorp/raft's network transport, protocol version 3.
 *
 * A request on a stream is its type (one byte, which is also a msgpack number) and a msgpack struct; a response is a text, the
 * error or empty, and a msgpack struct, or nil after an error.
 * Source: hashicorp/raft `net_transport.go`, `commands.go`, `raft.go`.
 */
import { noBytes, OperatingError } from '../../base/index.ts';
import type {
  AppendRequest,
  Configuration,
  Entry,
  Request,
  Response,
  SnapshotRequest,
  Suffrage,
} from '../../core/raft/index.ts';
import {
  appendEntriesRequestCodec,
  appendEntriesResponseCodec,
  installSnapshotRequestCodec,
  installSnapshotResponseCodec,
  type PeerId,
  parsePeerId,
  type RaftHeader,
  type RaftLogEntry,
  raftConfigurationCodec,
  raftErrorCodec,
  raftLogTypes,
  raftPeersCodec,
  raftRpcTypes,
  raftSuffrages,
  requestPreVoteRequestCodec,
  requestPreVoteResponseCodec,
  requestVoteRequestCodec,
  requestVoteResponseCodec,
  timeFromNanos,
  timeoutNowCodec,
  timeToNanos,
} from '../../model/index.ts';

const protocolVersion = 3;
/** Go `SnapshotVersionMax`: peers and configuration beside the state. */
const snapshotVersion = 1;
/** The oldest that hashicorp/raft speaks with us, `raft.go` `checkRPCHeader`. */
const protocolVersionMin = 2;

/** Type byte and struct. Those of a snapshot announce the `sizeBytes` that follow on the stream. */
export function encodeRequest(self: PeerId, request: Request, sizeBytes: number = 0): Uint8Array {
  const header = headerOf(self);
  switch (request.type) {
    case 'append':
      return framed(raftRpcTypes.appendEntries, appendEntriesRequestCodec.encode(wireAppend(header, request)));
    case 'vote': {
      const { term, candidate, lastIndex, lastTerm, leadershipTransfer } = request;
      const vote = { term, candidate, lastLogIndex: lastIndex, lastLogTerm: lastTerm, leadershipTransfer };
      return framed(raftRpcTypes.requestVote, requestVoteRequestCodec.encode({ ...header, ...vote }));
    }
    case 'preVote': {
      const { term, lastIndex, lastTerm } = request;
      const preVote = { ...header, term, lastLogIndex: lastIndex, lastLogTerm: lastTerm };
      return framed(raftRpcTypes.requestPreVote, requestPreVoteRequestCodec.encode(preVote));
    }
    case 'snapshot':
      return framed(
        raftRpcTypes.installSnapshot,
        installSnapshotRequestCodec.encode(wireSnapshot(header, request, sizeBytes)),
      );
    case 'timeoutNow':
      return framed(raftRpcTypes.timeoutNow, timeoutNowCodec.encode(header));
  }
}

/**
 * `rpcType` is the byte in front of the struct. Throws `OperatingError` `consensus/unsupported` for what the sender is to be
 * told, and `model/bad-encoding` for what is no message.
 */
export function decodeRequest(rpcType: number, bytes: Uint8Array): Request {
  switch (rpcType) {
    case raftRpcTypes.appendEntries: {
      const wire = appendEntriesRequestCodec.decode(bytes);
      checkVersion(wire);
      return {
        type: 'append',
        term: wire.term,
        // Old versions fill `Leader` only; both are the id of a peer.
        leader: wire.addr === '' ? wire.leader : wire.addr,
        prevIndex: wire.prevLogEntry,
        prevTerm: wire.prevLogTerm,
        entries: (wire.entries ?? []).map(entryOfWire),
        commit: wire.leaderCommitIndex,
      };
    }
    case raftRpcTypes.requestVote: {
      const wire = requestVoteRequestCodec.decode(bytes);
      checkVersion(wire);
      return {
        type: 'vote',
        term: wire.term,
        candidate: wire.addr === '' ? wire.candidate : wire.addr,
        lastIndex: wire.lastLogIndex,
        lastTerm: wire.lastLogTerm,
        leadershipTransfer: wire.leadershipTransfer,
      };
    }
    case raftRpcTypes.requestPreVote: {
      const wire = requestPreVoteRequestCodec.decode(bytes);
      checkVersion(wire);
      return { type: 'preVote', term: wire.term, lastIndex: wire.lastLogIndex, lastTerm: wire.lastLogTerm };
    }
    case raftRpcTypes.installSnapshot:
      return decodeSnapshotRequest(bytes).request;
    case raftRpcTypes.timeoutNow:
      checkVersion(timeoutNowCodec.decode(bytes));
      return { type: 'timeoutNow' };
    default:
      throw new OperatingError('consensus/unsupported', `unknown rpc type ${rpcType}`);
  }
}

/** With the number of bytes that follow. Throws as `decodeRequest` does. */
export function decodeSnapshotRequest(bytes: Uint8Array): { request: SnapshotRequest; sizeBytes: number } {
  const wire = installSnapshotRequestCodec.decode(bytes);
  checkVersion(wire);
  if (wire.snapshotVersion !== snapshotVersion) {
    throw new OperatingError('consensus/unsupported', `unsupported snapshot version ${wire.snapshotVersion}`);
  }
  if (wire.size < 0) throw new OperatingError('consensus/unsupported', `a snapshot of ${wire.size} bytes`);
  return {
    sizeBytes: wire.size,
    request: {
      type: 'snapshot',
      term: wire.term,
      leader: wire.addr === '' ? wire.leader : wire.addr,
      base: {
        index: wire.lastLogIndex,
        term: wire.lastLogTerm,
        configuration: configurationOf(wire.configuration ?? noBytes),
        configurationIndex: wire.configurationIndex,
      },
    },
  };
}

/** Empty error and struct. */
export function encodeResponse(self: PeerId, response: Response): Uint8Array {
  return framedResponse('', encodeBody(headerOf(self), response));
}

/** What a refused request is answered with: the text and nil. */
export function encodeError(text: string): Uint8Array {
  return framedResponse(text, Uint8Array.of(0xc0));
}

/** `error` and `body` are the two values of a response. Throws `consensus/refused` with the sender's text. */
export function decodeResponse(type: Request['type'], error: Uint8Array, body: Uint8Array): Response {
  const text = raftErrorCodec.decode(error);
  if (text !== '') throw new OperatingError('consensus/refused', text);
  switch (type) {
    case 'append': {
      const { term, lastLog, success, noRetryBackoff } = appendEntriesResponseCodec.decode(body);
      return { type, term, lastLog, success, noRetryBackoff };
    }
    case 'vote': {
      const { term, granted } = requestVoteResponseCodec.decode(body);
      return { type, term, granted };
    }
    case 'preVote': {
      const { term, granted } = requestPreVoteResponseCodec.decode(body);
      return { type, term, granted };
    }
    case 'snapshot': {
      const { term, success } = installSnapshotResponseCodec.decode(body);
      return { type, term, success };
    }
    case 'timeoutNow':
      return { type };
  }
}

/** A message that only says "I lead": the form that Go followers answer without looking at their log. */
export function isHeartbeat(request: Request): boolean {
  return request.type === 'append' && request.prevIndex === 0 && request.entries.length === 0 && request.commit === 0;
}

function encodeBody(header: RaftHeader, response: Response): Uint8Array {
  switch (response.type) {
    case 'append': {
      const { term, lastLog, success, noRetryBackoff } = response;
      return appendEntriesResponseCodec.encode({ ...header, term, lastLog, success, noRetryBackoff });
    }
    case 'vote': {
      const { term, granted } = response;
      return requestVoteResponseCodec.encode({ ...header, term, peers: null, granted });
    }
    case 'preVote': {
      const { term, granted } = response;
      return requestPreVoteResponseCodec.encode({ ...header, term, granted });
    }
    case 'snapshot': {
      const { term, success } = response;
      return installSnapshotResponseCodec.encode({ ...header, term, success });
    }
    case 'timeoutNow':
      return timeoutNowCodec.encode(header);
  }
}

function wireSnapshot(header: RaftHeader, { term, leader, base }: SnapshotRequest, sizeBytes: number) {
  return {
    ...header,
    snapshotVersion,
    term,
    leader,
    lastLogIndex: base.index,
    lastLogTerm: base.term,
    peers: raftPeersCodec.encode(base.configuration.servers.map(({ id }) => id)),
    configuration: configurationData(base.configuration),
    configurationIndex: base.configurationIndex,
    size: sizeBytes,
  };
}

function wireAppend(header: RaftHeader, request: AppendRequest) {
  return {
    ...header,
    term: request.term,
    leader: request.leader,
    prevLogEntry: request.prevIndex,
    prevLogTerm: request.prevTerm,
    entries: isHeartbeat(request) ? null : request.entries.map(entryToWire),
    leaderCommitIndex: request.commit,
  };
}

function entryToWire(entry: Entry): RaftLogEntry {
  const { index, term, type, appendedAt } = entry;
  return {
    index,
    term,
    type: raftLogTypes[type],
    data: entryData(entry),
    extensions: null,
    appendedAt: appendedAt === undefined ? null : timeFromNanos(appendedAt),
  };
}

function entryData(entry: Entry): Uint8Array | null {
  if (entry.type === 'command') return entry.data;
  return entry.type === 'configuration' ? configurationData(entry.configuration) : null;
}

function configurationData({ servers }: Configuration): Uint8Array {
  return raftConfigurationCodec.encode({
    servers: servers.map(({ id, suffrage }) => ({ suffrage: raftSuffrages[suffrage], id, address: id })),
  });
}

function entryOfWire(wire: RaftLogEntry): Entry {
  const { index, term, appendedAt } = wire;
  const base = appendedAt === null ? { index, term } : { index, term, appendedAt: timeToNanos(appendedAt) };
  switch (wire.type) {
    case raftLogTypes.command:
      return { ...base, type: 'command', data: wire.data ?? noBytes };
    case raftLogTypes.noop:
      return { ...base, type: 'noop' };
    case raftLogTypes.barrier:
      return { ...base, type: 'barrier' };
    case raftLogTypes.configuration:
      return { ...base, type: 'configuration', configuration: configurationOf(wire.data ?? noBytes) };
    default:
      throw new OperatingError('consensus/unsupported', `log entry ${index} has unknown type ${wire.type}`);
  }
}

function configurationOf(data: Uint8Array): Configuration {
  const servers = (raftConfigurationCodec.decode(data).servers ?? []).map(({ id, suffrage }) => ({
    id: parsePeerId(id),
    suffrage: suffrageOf(suffrage),
  }));
  if (new Set(servers.map(({ id }) => id)).size !== servers.length) {
    throw new OperatingError('consensus/unsupported', 'a configuration names a peer twice');
  }
  return { servers };
}

function suffrageOf(value: number): Suffrage {
  const names: readonly Suffrage[] = ['voter', 'nonvoter', 'staging'];
  const name = names.find((candidate) => raftSuffrages[candidate] === value);
  if (name === undefined) throw new OperatingError('consensus/unsupported', `unknown suffrage ${value}`);
  return name;
}

function headerOf(self: PeerId): RaftHeader {
  return { protocolVersion, id: self, addr: self };
}

function checkVersion({ protocolVersion: version }: RaftHeader): void {
  if (version >= protocolVersionMin && version <= protocolVersion) return;
  // Text of hashicorp/raft `ErrUnsupportedProtocol`.
  throw new OperatingError('consensus/unsupported', 'operation not supported with current protocol version');
}

function framed(rpcType: number, struct: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + struct.length);
  bytes[0] = rpcType;
  bytes.set(struct, 1);
  return bytes;
}

function framedResponse(error: string, body: Uint8Array): Uint8Array {
  const text = raftErrorCodec.encode(error);
  const bytes = new Uint8Array(text.length + body.length);
  bytes.set(text);
  bytes.set(body, text.length);
  return bytes;
}
