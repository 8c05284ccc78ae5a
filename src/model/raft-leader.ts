/**
 * What a follower asks its leader, when both are ours: the reference has no such service and answers that it cannot find it.
 *
 * Beside `Consensus.LogPin` and `Consensus.RmPeer` these answer with a log index, so that the follower can wait until it has applied it, and take a
 * term, so that a request which is delayed past a change of leaders is refused instead of being carried out late.
 */
import type { RpcMethod } from './methods.ts';
import type { PeerId } from './peer.ts';
import { wireField, wireStructType } from './schema/containers.ts';
import { boolType, bytesType, peerIdType, uintType } from './schema/scalars.ts';
import { codecOf, type WireType } from './schema/type.ts';

/** A command for the leader. */
export interface ProposeRequest {
  /** Refused by a leader of any other term. */
  readonly term: number;
  /** An encoded `RaftCommand`. */
  readonly command: Uint8Array | null;
  /** Only over this pin of the same CID, as `encodePin` makes it; `null`: over whatever is there. */
  readonly onlyIf: Uint8Array | null;
}

/** A change of members for the leader. */
export interface ChangeRequest {
  /** Refused by a leader of any other term. */
  readonly term: number;
  /** To be a voter, or no member. */
  readonly peer: PeerId;
  readonly isRemoval: boolean;
}

/** A place in the log. */
export interface LogPosition {
  readonly index: number;
}

const request = wireField<ProposeRequest>();

const requestType: WireType<ProposeRequest> = wireStructType<ProposeRequest>([
  request('term', 't', uintType),
  request('command', 'c', bytesType),
  request('onlyIf', 'o', bytesType),
]);

const change = wireField<ChangeRequest>();

const changeType: WireType<ChangeRequest> = wireStructType<ChangeRequest>([
  change('term', 't', uintType),
  change('peer', 'p', peerIdType),
  change('isRemoval', 'r', boolType),
]);

const positionType: WireType<LogPosition> = wireStructType<LogPosition>([
  wireField<LogPosition>()('index', 'i', uintType),
]);

const emptyType: WireType<Readonly<Record<never, never>>> = wireStructType<Readonly<Record<never, never>>>([]);

/**
 * `Propose` and `Change` resolve with the index at which the command or the change was applied at the leader. `Read` with an index: whoever has
 * applied it sees all that was committed before the call.
 */
export const raftLeaderMethods: {
  readonly Propose: RpcMethod<ProposeRequest, LogPosition>;
  readonly Change: RpcMethod<ChangeRequest, LogPosition>;
  readonly Read: RpcMethod<Readonly<Record<never, never>>, LogPosition>;
} = {
  Propose: {
    kind: 'unary',
    service: 'RaftLeader',
    name: 'Propose',
    trust: 'trusted',
    argument: codecOf(requestType),
    reply: codecOf(positionType),
  },
  Change: {
    kind: 'unary',
    service: 'RaftLeader',
    name: 'Change',
    trust: 'trusted',
    argument: codecOf(changeType),
    reply: codecOf(positionType),
  },
  Read: {
    kind: 'unary',
    service: 'RaftLeader',
    name: 'Read',
    trust: 'trusted',
    argument: codecOf(emptyType),
    reply: codecOf(positionType),
  },
};
