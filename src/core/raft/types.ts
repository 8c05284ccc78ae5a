/**
 * The public types of the Raft engine: what goes in, what comes out.
 *
 * The engine is a synchronous step machine without clock, disk or network. The shell around it
 *
 * 1. feeds inputs with `step`, as many as there are in one turn of the event loop,
 * 2. calls `take` and carries out *everything* in the output, **at once and in any order**: what must wait for the disk
 *    is held back inside the engine until the write it depends on was reported with `written`,
 * 3. reports back: `written` when the write is durable, `applied` when the entries are applied, `received` and `restored` for
 *    snapshots, exactly one `response` or `failed` for each call.
 *
 * Messages have the shape of hashicorp/raft's RPCs (protocol version 3), so that one engine talks to our own peers and to
 * Go peers: a response carries nothing that tells which request it answers, the leader remembers that by `callId`.
 */
import type { Random } from '../../base/index.ts';
import type { PeerId } from '../../model/index.ts';
import type { Rules } from './rules.ts';

// ------------------------------------------------------------------------------------------------ log

/** A position in the log: 1 is the first entry, 0 is before it. */
export type LogIndex = number;

/** An election period: 1 is the first, 0 is before it. */
export type Term = number;

/** The last entry of a log. */
export interface LogEnd {
  readonly index: LogIndex;
  readonly term: Term;
}

/**
 * `voter` counts for quorums; the others only receive the log. Leaders make a `staging` member a voter when it keeps up with the
 * log; Go leaders leave it as it is.
 */
export type Suffrage = 'voter' | 'nonvoter' | 'staging';

/** A member of the cluster. */
export interface Server {
  readonly id: PeerId;
  readonly suffrage: Suffrage;
}

/** The members as of one log entry. Empty before a peer was told. Ids are unique. */
export interface Configuration {
  readonly servers: readonly Server[];
}

interface EntryBase {
  readonly index: LogIndex;
  readonly term: Term;
  /** Wall clock of the leader, nanoseconds since 1970. For Go peers, who show it; nothing here decides by it. */
  readonly appendedAt?: bigint;
}

/** An entry is never changed once made: logs, messages and outputs share it. */
export type Entry =
  | (EntryBase & { readonly type: 'command'; readonly data: Uint8Array })
  /** Opens a term. */
  | (EntryBase & { readonly type: 'noop' })
  /** Made by Go leaders only; has no effect. */
  | (EntryBase & { readonly type: 'barrier' })
  | (EntryBase & { readonly type: 'configuration'; readonly configuration: Configuration });

/** What a peer must not forget about elections. */
export interface HardState {
  readonly term: Term;
  /** Whom this peer gave its vote in `term`. */
  readonly votedFor: PeerId | undefined;
}

/**
 * A point of the log at which the state stands in for all entries up to it: where a snapshot ends and a compacted log begins.
 * Index 0 when nothing was ever compacted.
 */
export interface Base {
  readonly index: LogIndex;
  readonly term: Term;
  /** As of `index`. Empty at index 0: the first configuration is log entry 1. */
  readonly configuration: Configuration;
  /** The entry that made `configuration`: `configurationIndex <= index`. */
  readonly configurationIndex: LogIndex;
}

/** One step of a write. `put` entries follow what is there without a gap, after the cuts before it. */
export type LogOp =
  | { readonly type: 'hard'; readonly state: HardState }
  /** Removes the entries at `from` and after. */
  | { readonly type: 'cut'; readonly from: LogIndex }
  | { readonly type: 'put'; readonly entries: readonly Entry[] }
  /** Forgets the entries up to `base`, keeps those after it: `base.index` is in the log, or is its base. */
  | { readonly type: 'compact'; readonly base: Base }
  /** Forgets all entries; the log begins after `base`. */
  | { readonly type: 'reset'; readonly base: Base };

/** Of a log that was never compacted. */
export const originBase: Base = { index: 0, term: 0, configuration: { servers: [] }, configurationIndex: 0 };

/** All that a peer knows after a restart. `entries` are contiguous, the first at `base.index + 1`. */
export interface LogImage {
  readonly hard: HardState;
  readonly base: Base;
  readonly entries: readonly Entry[];
}

/**
 * The durable log (port; implemented by the store and by the simulator's disk).
 *
 * `load` checks order and checksums and rejects rather than skipping; an empty store is term 0, base 0, no entries.
 * `write` is all or nothing, in order, and durable when it resolves. **One write in flight**: a second call is a programmer
 * error. After a crash the write in flight is there wholly or not at all, and nothing acknowledged is missing. A failed
 * write is final for this store, for a later write that succeeds would prove nothing: it is opened anew, as after a crash.
 */
export interface LogStore {
  load(): Promise<LogImage>;
  write(ops: readonly LogOp[]): Promise<void>;
}

/** What a peer remembers of a log that it has put away, beside its present one: see `RaftDeps.previousLog`. */
export interface PreviousLog extends LogEnd {
  /** All peers that a configuration in it names, as far as it was known, and those of the logs before it. */
  readonly members: readonly PeerId[];
}

// ------------------------------------------------------------------------------------------------ messages

/**
 * Entries from the leader. `prevIndex` and `prevTerm` name the entry before them, and the receiver takes them only if it has
 * that entry. The *heartbeat form* has `prevIndex`, `prevTerm` and `commit` 0 and no entries: it only says "I lead".
 */
export interface AppendRequest {
  readonly type: 'append';
  readonly term: Term;
  readonly leader: PeerId;
  readonly prevIndex: LogIndex;
  readonly prevTerm: Term;
  readonly entries: readonly Entry[];
  readonly commit: LogIndex;
}

/** A candidate asks for a vote. */
export interface VoteRequest {
  readonly type: 'vote';
  readonly term: Term;
  readonly candidate: PeerId;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** The leader itself asked for this election: "I hear a leader" is no reason to refuse. */
  readonly leadershipTransfer: boolean;
}

/** "Would you vote for me?" `term` is the one an election would have; asking changes nothing anywhere. */
export interface PreVoteRequest {
  readonly type: 'preVote';
  readonly term: Term;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
}

/** "Stand for election now." */
export interface TimeoutNowRequest {
  readonly type: 'timeoutNow';
}

/** Go on from here: the entries before are compacted away. The bytes of the state travel beside the message, from shell to shell. */
export interface SnapshotRequest {
  readonly type: 'snapshot';
  readonly term: Term;
  readonly leader: PeerId;
  readonly base: Base;
}

/** What peers ask of each other. */
export type Request = AppendRequest | VoteRequest | PreVoteRequest | TimeoutNowRequest | SnapshotRequest;

/**
 * `lastLog` matters on failure only: the leader goes on from `min(prevIndex, lastLog + 1)`. We answer the last index that may
 * still agree, Go peers their last index.
 */
export interface AppendResponse {
  readonly type: 'append';
  readonly term: Term;
  readonly lastLog: LogIndex;
  readonly success: boolean;
  /** For Go leaders: retry at once. */
  readonly noRetryBackoff: boolean;
}

/** Whether the vote was given. */
export interface VoteResponse {
  readonly type: 'vote';
  readonly term: Term;
  readonly granted: boolean;
}

/** Whether the answering peer would vote. */
export interface PreVoteResponse {
  readonly type: 'preVote';
  /** A granting answer carries the term that was asked for. */
  readonly term: Term;
  readonly granted: boolean;
}

/** The election has been started. */
export interface TimeoutNowResponse {
  readonly type: 'timeoutNow';
}

/** Whether the state is, durably, at least that of the snapshot. */
export interface SnapshotResponse {
  readonly type: 'snapshot';
  readonly term: Term;
  readonly success: boolean;
}

/** Has the type of its request. */
export type Response = AppendResponse | VoteResponse | PreVoteResponse | TimeoutNowResponse | SnapshotResponse;

// ------------------------------------------------------------------------------------------------ inputs

/** Something to put into the log. `id` is the shell's, unique among those it has not been answered yet. */
export interface Proposal {
  readonly id: number;
  readonly data: Uint8Array;
  readonly appendedAt?: bigint;
}

/**
 * One member more or less; Raft changes one at a time. A new voter is *staged*: it does not count until it
 * keeps up with the log, so that a peer which is empty or far behind never holds up commitment.
 */
export type ConfigurationChange =
  | { readonly type: 'add'; readonly server: Server }
  | { readonly type: 'remove'; readonly peer: PeerId };

/** Everything that can happen to a node. */
export type Input =
  /** One unit of time has passed. When the shell's timer was late it feeds one tick, not all that were missed. */
  | { readonly type: 'tick' }
  /** `token` is the shell's and comes back with the reply. `from` is who sent it, as far as the transport knows. */
  | { readonly type: 'request'; readonly from: PeerId; readonly request: Request; readonly token: number }
  | { readonly type: 'response'; readonly callId: number; readonly response: Response }
  /** The call ended without a response: refused, broken, too late, answered with an error, or not understood. */
  | { readonly type: 'failed'; readonly callId: number }
  /** Answered in `results`, one by one. */
  | { readonly type: 'propose'; readonly proposals: readonly Proposal[] }
  /** Adds or removes one member. Answered in `results`; an `add` of a voter when it is one. */
  | { readonly type: 'change'; readonly id: number; readonly change: ConfigurationChange; readonly appendedAt?: bigint }
  /** Hands leadership to `to`, or to the voter that is furthest. Answered in `results`: `applied` when this peer leads no more. */
  | { readonly type: 'transfer'; readonly id: number; readonly to?: PeerId }
  /** Asks for a linearizable read. Answered in `results`: reads made after `applied` see all that was committed before. */
  | { readonly type: 'read'; readonly id: number }
  /** The write of the last output is durable. */
  | { readonly type: 'written' }
  /** The `apply` of the last output is applied, and reads of the state see it. */
  | { readonly type: 'applied'; readonly index: LogIndex }
  /** A snapshot as of `base`, of `baseAt`, is on disk: those who need what was compacted away can be sent it. */
  | { readonly type: 'snapshotted'; readonly base: Base }
  /** That snapshot turned out to be unreadable: whoever needs one is sent the next that is `snapshotted`. */
  | { readonly type: 'snapshot-lost'; readonly base: Base }
  /**
   * The state is on disk up to `index`: the log forgets what is before, but for its last `trailing` entries, for what followers
   * that are heard need next, up to as many again, and for what follows a snapshot that is being sent, up to 65,536.
   */
  | { readonly type: 'compact'; readonly index: LogIndex; readonly trailing: number }
  /** The bytes asked for by `receive` are on disk, or, when not `isWhole`, will not come. */
  | { readonly type: 'received'; readonly token: number; readonly isWhole: boolean }
  /**
   * The `restore` of the last output is done: reads see the state of the snapshot, and a crash no longer takes it. Not `isDone`: it
   * was no snapshot, and the state is as before.
   */
  | { readonly type: 'restored'; readonly isDone: boolean };

// ------------------------------------------------------------------------------------------------ outputs

/** A request to send. The shell answers it with exactly one `response` or `failed`, at the latest after `timeoutTicks`. */
export interface Call {
  readonly callId: number;
  readonly to: PeerId;
  readonly request: Request;
  readonly timeoutTicks: number;
}

/** Answers the request that came with `token`. Each request gets one reply, unless the peer stops. */
export interface Reply {
  readonly token: number;
  readonly response: Response;
}

/** Why a proposal was not taken. */
export type RefusalReason =
  /** Ask `leader`, if known. During a transfer this peer itself: nobody takes anything until that is over. */
  | 'not-leader'
  /** Too much is waiting to be committed or answered. */
  | 'busy'
  /** The index the proposal had was taken by another leader's entry; or the staged peer was removed. */
  | 'superseded'
  /** A change of members, or of the leader, is under way, or the term has not committed anything yet. */
  | 'change-pending'
  /** Nobody could take the leadership over, or not in time. */
  | 'no-successor'
  /** The configuration is as asked for already. */
  | 'unchanged'
  /** The last voter cannot be removed. */
  | 'last-voter';

/**
 * The answer to a proposal, change, transfer or read, by its `id`.
 *
 * `applied`: in the log at `index` with `term`, committed, and applied here; a read: everything up to `index` is applied here.
 * `refused`: it is not in the log and never will be, so that trying again elsewhere cannot make it happen twice. A refused `add`
 * may have staged the peer, and then it becomes a voter all the same.
 * `unknown`: the state was replaced by a snapshot that reaches over its index. Nothing else is: a leader that steps down keeps
 * its proposals waiting until their index is applied. The shell's own deadline, when it comes first, means the same.
 */
export type Result =
  | { readonly id: number; readonly outcome: 'applied'; readonly index: LogIndex; readonly term: Term }
  | {
      readonly id: number;
      readonly outcome: 'refused';
      readonly reason: RefusalReason;
      readonly leader: PeerId | undefined;
    }
  | { readonly id: number; readonly outcome: 'unknown' };

/** What a node is at the moment. */
export type RoleName = 'follower' | 'preCandidate' | 'candidate' | 'leader';

/** How a node stands. */
export interface Status {
  readonly role: RoleName;
  readonly term: Term;
  readonly leader: PeerId | undefined;
  /** The last one in the log, committed or not. */
  readonly configuration: Configuration;
  readonly configurationIndex: LogIndex;
  /** The one before it: holds again if the last one is cut off, which may happen until `commit` reaches `configurationIndex`. */
  readonly configurationBefore: Configuration;
  /** The log begins after it. */
  readonly baseIndex: LogIndex;
  readonly commit: LogIndex;
  readonly applied: LogIndex;
  readonly lastIndex: LogIndex;
  /** Up to here the log is on this peer's disk. */
  readonly durable: LogIndex;
  /** Leader only: an entry of this term is committed, so that reads and changes of members are served. */
  readonly isEstablished: boolean;
}

/** Things to do now. Empty lists when there is nothing of a kind. */
export interface Output {
  /** Start this write; none other is under way. Report `written`. */
  readonly write: readonly LogOp[] | undefined;
  readonly calls: readonly Call[];
  readonly replies: readonly Reply[];
  /** Committed entries in order, all types, durable here. Apply them in one batch with the last index; report `applied`. No more come before. */
  readonly apply: readonly Entry[];
  /**
   * Take the bytes that follow the request with this token to disk; report `received`. A later `receive`, or a reply to that
   * request, means that they are not wanted any more.
   */
  readonly receive: { readonly token: number; readonly base: Base } | undefined;
  /** Replace the whole state by the snapshot that was received; report `restored`. No `apply` comes before. */
  readonly restore: Base | undefined;
  /** A follower needs a snapshot, and there is none that is new enough: take one now. */
  readonly needsSnapshot: boolean;
  readonly results: readonly Result[];
  /** Set when role, term, leader, configuration or `isEstablished` has changed. */
  readonly status: Status | undefined;
}

// ------------------------------------------------------------------------------------------------ the engine

/** All counts and times of the engine. Ticks are the shell's: 100 ms each unless it says otherwise. */
export interface RaftOptions {
  /** A follower that hears nothing this long stands for election. Default 10. */
  readonly electionTicks: number;
  /** A candidate that has not won after this long, and a random part, stands again. Default 10. */
  readonly candidateTicks: number;
  /** A leader whose quorum is silent this long steps down. At most `electionTicks`. Default 10. */
  readonly leaseTicks: number;
  /**
   * When the own disk takes longer than this for one write, or one batch to be applied, it hangs: the peer leaves leading to others, if
   * enough of them have quicker disks, and does not stand. Default 20.
   */
  readonly hangingTicks: number;
  /** The election timeout is drawn from `electionTicks + [0, this)`. At least 3: with less, peers tie for ever. Default 10. */
  readonly electionSpreadTicks: number;
  /** Default 1. Below `electionTicks`. */
  readonly heartbeatTicks: number;
  /** How long an append or a vote may take, which wait for a disk. Heartbeats and pre-votes get `electionTicks`. Default 100. */
  readonly appendTimeoutTicks: number;
  /** How long the sending of a snapshot may take; the shell gives up earlier when nothing moves. Default 36,000. */
  readonly snapshotTimeoutTicks: number;
  /** Default 64, which is Go's `max_append_entries`. */
  readonly entriesPerAppendMax: number;
  /** Data bytes; a single larger entry travels alone. Default 1 MiB. */
  readonly bytesPerAppendMax: number;
  /** Appends on the way to one follower, a smaller one never behind a larger. Default 2, Go's pipeline depth. */
  readonly appendsInFlightMax: number;
  /** Proposals, changes and reads that wait for their answer; more are refused as `busy`. Default 8,192. */
  readonly waitingMax: number;
  /** Bytes of entries that are not committed; more are refused as `busy`. Default 64 MiB. */
  readonly uncommittedBytesMax: number;
  /** Data bytes of entries that stay in the log when it is compacted, whoever needs more. Default 128 MiB. */
  readonly keptBytesMax: number;
  /** Entries handed out to be applied in one batch. Default 1,024. */
  readonly applyMax: number;
}

/** What a node starts from. */
export interface RaftDeps {
  readonly self: PeerId;
  readonly random: Random;
  /** What `LogStore.load` returned. */
  readonly image: LogImage;
  /** The newest snapshot on disk, for those who need what was compacted away. */
  readonly snapshot?: Base;
  /** Index up to which the state has been applied, as the state says: `base.index <= applied <= last index`. */
  readonly applied: LogIndex;
  /**
   * Where the log ended that this peer had before the present one, when it has put one away. What it had acknowledged there still
   * decides whom it votes for, and that it does not stand, until the present log has got as far. The hard state of that log is the
   * beginning of the present one's.
   */
  readonly previousLog?: LogEnd;
  /** Planted bugs, in tests. */
  readonly rules?: Partial<Rules>;
}

/** One peer's engine: `createRaft(deps, options?: Partial<RaftOptions>): Raft`. */
export interface Raft {
  /** Takes one input. Throws only on a broken invariant, which ends the peer. */
  step(input: Input): void;
  /** Everything to do since the last call. */
  take(): Output;
  status(): Status;
  /** Leader only: how much of the log each follower is known to have on disk. */
  matches(): ReadonlyMap<PeerId, LogIndex>;
  /** An entry of the log in memory. */
  entry(index: LogIndex): Entry | undefined;
  /** What a snapshot of the state at `index` is of; `index` is applied, and not before the base of the log. */
  baseAt(index: LogIndex): Base;
}
