/**
 * The state of one engine, and the few acts that every role uses. Roles are types of their own and have only what
 * they need; everything else of a role is gone when the peer leaves it.
 */
import type { Random } from '../../base/index.ts';
import type { PeerId } from '../../model/index.ts';
import type { Install } from './install.ts';
import type { Journal } from './journal.ts';
import { isVoter, votersOf } from './quorum.ts';
import type { QuorumPurpose, Rules } from './rules.ts';
import type { CatchUp } from './staging.ts';
import type { Transfer } from './transfer.ts';
import type {
  Base,
  Call,
  LogEnd,
  LogIndex,
  RaftOptions,
  RefusalReason,
  Reply,
  Request,
  Response,
  Result,
  Term,
} from './types.ts';
import type { Waiting } from './waiting.ts';

/** Counts ticks up to a random election timeout. */
export interface ElectionTimer {
  elapsed: number;
  timeout: number;
}

export interface Follower {
  readonly kind: 'follower';
  /** Who leads the present term, once it was heard. */
  readonly leader: PeerId | undefined;
  readonly timer: ElectionTimer;
}

/** Asks whether an election would be won, and changes nothing meanwhile. */
export interface PreCandidate {
  readonly kind: 'preCandidate';
  readonly timer: ElectionTimer;
  /** Including its own. */
  readonly grants: Set<PeerId>;
}

export interface Candidate {
  readonly kind: 'candidate';
  readonly timer: ElectionTimer;
  readonly grants: Set<PeerId>;
  readonly isTransfer: boolean;
  /** Its vote for itself is on disk: only then does it count, and are the others asked. */
  isOpen: boolean;
}

export interface Leader {
  readonly kind: 'leader';
  /** By ascending id, so that traces do not depend on the history of the members. */
  readonly followers: Map<PeerId, Progress>;
  /** The first entry of this leadership. When it is committed, the leader is *established*. */
  readonly firstIndex: LogIndex;
  /** Ticks since the election. */
  ticks: number;
  uncommittedBytes: number;
  /** Messages carry the number of the round they were sent in; see `reads.ts`. */
  round: number;
  readonly reads: Read[];
  /** The changes that are answered when their peer is a voter, by peer; see `staging.ts`. */
  readonly staged: Map<PeerId, number[]>;
  /** Meanwhile nothing new is taken. */
  transfer: Transfer | undefined;
  /** Its `ticks` when it last appended something. */
  appendedAt: number;
}

export type Role = Follower | PreCandidate | Candidate | Leader;

/** What the leader knows of a follower: `0 <= match < next`. */
export interface Progress {
  /** Known to be on the follower's disk, and the same as ours. */
  match: LogIndex;
  /** What to send next. */
  next: LogIndex;
  /** `true`: it is not known where the logs agree, or whether the follower is there: one empty append at a time. */
  isProbing: boolean;
  /** The last attempt failed: wait for the next tick. */
  isPaused: boolean;
  appendsInFlight: number;
  heartbeatsInFlight: number;
  /** A snapshot as of this index is on its way: nothing else but heartbeats is sent. */
  installing: LogIndex | undefined;
  /** After a snapshot that did not arrive: the leader's `ticks` from which on another is sent. */
  snapshotFrom: number;
  /** How many in a row it has answered with "no". */
  snapshotRefusals: number;
  /**
   * How fast its disk is: the leader's `ticks` when the append was sent whose entries it had stored within an election timeout.
   * `undefined` when the last one took longer.
   */
  storedQuickly: number | undefined;
  /** The highest `match` it ever had in this term. Above `match` when it has lost its log. */
  acknowledged: LogIndex;
  /** While it is staged. */
  catchUp: CatchUp | undefined;
  /** The commit index it was sent last. */
  toldCommit: LogIndex;
  /** The leader's `ticks` when it last answered anything. */
  contact: number;
  /** The latest round it has answered. */
  round: number;
  /** It was removed by this entry; it is still sent the log up to there, for a while, so that it learns of it. */
  removedAt: { readonly index: LogIndex; readonly tick: number } | undefined;
}

/** A linearizable read: served once `round` is confirmed and the state has reached `index`. */
export interface Read {
  readonly id: number;
  /** `undefined` until the leader is established. */
  index: LogIndex | undefined;
  /** Answers to messages sent in this round, or later, confirm it. */
  round: number;
}

/** What must be remembered of a request until its answer comes. `term` is the asker's, at the time. */
export type CallContext =
  | {
      readonly type: 'append';
      readonly to: PeerId;
      readonly term: Term;
      readonly follower: Progress;
      readonly round: number;
      readonly prevIndex: LogIndex;
      readonly lastIndex: LogIndex;
      /** The follower's `match` when it was sent. */
      readonly match: LogIndex;
      /** The leader's `ticks` when it was sent. */
      readonly tick: number;
    }
  | {
      readonly type: 'heartbeat';
      readonly to: PeerId;
      readonly term: Term;
      readonly follower: Progress;
      readonly round: number;
    }
  | {
      readonly type: 'snapshot';
      readonly to: PeerId;
      readonly term: Term;
      readonly follower: Progress;
      readonly round: number;
      readonly lastIndex: LogIndex;
    }
  | { readonly type: 'vote' | 'preVote' | 'timeoutNow'; readonly to: PeerId; readonly term: Term };

/** A reply that waits for a write. */
interface HeldReply {
  readonly write: number;
  readonly term: Term;
  readonly reply: Reply;
}

interface Outbox {
  readonly calls: Call[];
  readonly replies: Reply[];
  readonly results: Result[];
  receive: { readonly token: number; readonly base: Base } | undefined;
  needsSnapshot: boolean;
}

export class State {
  readonly self: PeerId;
  readonly options: RaftOptions;
  readonly rules: Rules;
  readonly journal: Journal;
  readonly waiting: Waiting;
  /** See `RaftDeps`. */
  readonly previousLog: LogEnd | undefined;
  /** Requests without an answer yet, by `callId`. Bounded by what each kind may have in flight and by their timeouts. */
  readonly calls: Map<number, CallContext> = new Map<number, CallContext>();
  role: Role;
  /** Known to be committed. `applied <= applying <= commit`. */
  commit: LogIndex;
  applied: LogIndex;
  /** The end of the batch that is being applied. */
  applying: LogIndex;
  /** Ticks since the write under way, and the batch that is being applied, were seen under way. */
  writingTicks = 0;
  applyingTicks = 0;
  outbox: Outbox = emptyOutbox();
  /** The newest snapshot on this peer's disk; it reaches to the base of the log at least. */
  snapshot: Base | undefined;
  /** A snapshot on its way into this peer. */
  install: Install | undefined;
  readonly #random: Random;
  #held: HeldReply[] = [];
  #callId = 0;

  constructor(parts: {
    self: PeerId;
    random: Random;
    options: RaftOptions;
    rules: Rules;
    journal: Journal;
    waiting: Waiting;
    applied: LogIndex;
    snapshot: Base | undefined;
    previousLog: LogEnd | undefined;
  }) {
    this.self = parts.self;
    this.#random = parts.random;
    this.options = parts.options;
    this.rules = parts.rules;
    this.journal = parts.journal;
    this.waiting = parts.waiting;
    this.commit = parts.applied;
    this.applied = parts.applied;
    this.applying = parts.applied;
    this.snapshot = parts.snapshot;
    this.previousLog = parts.previousLog;
    this.role = { kind: 'follower', leader: undefined, timer: this.newTimer() };
  }

  get term(): Term {
    return this.journal.hard.term;
  }

  get leader(): PeerId | undefined {
    if (this.role.kind === 'leader') return this.self;
    return this.role.kind === 'follower' ? this.role.leader : undefined;
  }

  /** How many voters decide. */
  quorum(purpose: QuorumPurpose): number {
    return this.rules.quorum(votersOf(this.journal.configuration).length, purpose);
  }

  /**
   * Whether this peer may stand for election: a voter, or one that was a voter until the last change, while that is not known to be
   * committed. It may be the only one that has the change, and without its log nobody can be elected (Raft thesis 4.2.2). Not while
   * its disk hangs: as a leader it could not answer anybody. Nor before it has again what it has
   * put away: its own vote would be one for an older log.
   */
  get isElectable(): boolean {
    const { journal, self, commit } = this;
    if (this.isDiskHanging || this.missesPreviousLog) return false;
    if (isVoter(journal.configuration, self)) return true;
    return journal.configurationIndex > commit && isVoter(journal.configurationBefore, self);
  }

  /** The log does not reach as far as the one that this peer had before: it may lack what this peer has acknowledged. */
  get missesPreviousLog(): boolean {
    const { previousLog, rules, journal } = this;
    if (previousLog === undefined || !rules.remembersPreviousLog) return false;
    return !rules.isUpToDate({ index: journal.lastIndex, term: journal.lastTerm }, previousLog);
  }

  /** What is under way on the disk has been so for long. A leader could still commit, and would answer nobody. */
  get isDiskHanging(): boolean {
    return this.rules.mindsDisk && this.diskTicks > this.options.hangingTicks;
  }

  /** How many ticks what is under way on the disk has taken so far. */
  get diskTicks(): number {
    return Math.max(this.writingTicks, this.applyingTicks);
  }

  /** This peer leads, and an entry of its own term is committed. */
  get isEstablished(): boolean {
    return this.role.kind === 'leader' && this.commit >= this.role.firstIndex;
  }

  countWaiting(): number {
    const { role, waiting } = this;
    if (role.kind !== 'leader') return waiting.size;
    let count = waiting.size + role.reads.length;
    for (const ids of role.staged.values()) count += ids.length;
    return count;
  }

  newTimer(timeoutTicks: number = this.options.electionTicks): ElectionTimer {
    return { elapsed: 0, timeout: timeoutTicks + this.#random.integer(this.options.electionSpreadTicks) };
  }

  /** Follows: in a newer term without a vote given, or in the present one. */
  follow(term: Term, leader: PeerId | undefined): void {
    if (term > this.term) this.journal.setHard({ term, votedFor: undefined });
    const before = this.role;
    // Only a leader's message puts an election off: a newer term by itself does not.
    const timer = leader === undefined && before.kind !== 'leader' ? before.timer : this.newTimer();
    this.role = { kind: 'follower', leader, timer };
    if (before.kind !== 'leader') return;
    for (const read of before.reads) this.refuse(read.id, 'not-leader');
    // The next leader goes on with the staging; who waits for it must ask there.
    for (const ids of before.staged.values()) for (const id of ids) this.refuse(id, 'not-leader');
    // Whoever leads now, or nobody: it is not this peer any more.
    const { transfer } = before;
    if (transfer !== undefined) this.#answerTransfer(transfer.id);
  }

  #answerTransfer(id: number): void {
    this.outbox.results.push({ id, outcome: 'applied', index: this.commit, term: this.term });
  }

  /** A newer term was seen in an answer: whatever this peer was, it is a follower now. */
  followIfNewer(term: Term): boolean {
    if (term <= this.term) return false;
    this.follow(term, undefined);
    return true;
  }

  call(request: Request, context: CallContext): void {
    const callId = ++this.#callId;
    this.calls.set(callId, context);
    const { appendTimeoutTicks, snapshotTimeoutTicks, electionTicks } = this.options;
    const limits = { append: appendTimeoutTicks, snapshot: snapshotTimeoutTicks };
    const timeoutTicks =
      context.type === 'append' || context.type === 'snapshot' ? limits[context.type] : electionTicks;
    this.outbox.calls.push({ callId, to: context.to, request, timeoutTicks });
  }

  /** Replies when write number `write` is done. */
  reply(token: number, response: Response, write: number): void {
    this.#held.push({ write: this.rules.waitsForDisk ? write : 0, term: this.term, reply: { token, response } });
  }

  /**
   * Lets the replies go whose write is done. An answer speaks for the term it was made in: when the term has moved on
   * while it waited, a "yes" is taken back, for what it promised may have been cut off or the vote be another's.
   */
  releaseReplies(): void {
    const held = this.#held;
    if (held.length === 0) return;
    this.#held = [];
    for (const item of held) {
      if (item.write > this.journal.written) this.#held.push(item);
      else if (item.term === this.term || !isPromise(item.reply.response)) this.outbox.replies.push(item.reply);
      else this.outbox.replies.push({ token: item.reply.token, response: takenBack(item.reply.response, this.term) });
    }
  }

  emptyOutbox(): Outbox {
    const full = this.outbox;
    this.outbox = emptyOutbox();
    return full;
  }

  refuse(id: number, reason: RefusalReason): void {
    this.outbox.results.push({ id, outcome: 'refused', reason, leader: this.leader });
  }
}

function emptyOutbox(): Outbox {
  return { calls: [], replies: [], results: [], receive: undefined, needsSnapshot: false };
}

/** A snapshot that was taken is committed, whatever the term. */
function isPromise(response: Response): boolean {
  return (response.type === 'append' && response.success) || (response.type === 'vote' && response.granted);
}

function takenBack(response: Response, term: Term): Response {
  if (response.type === 'append') return { ...response, term, success: false };
  return response.type === 'vote' ? { ...response, term, granted: false } : response;
}
