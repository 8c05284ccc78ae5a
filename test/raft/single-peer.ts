/** One engine with a disk, driven by hand: tests say what it hears, and look at what it does. */

import {
  type AppendRequest,
  type Base,
  type Call,
  type Configuration,
  createRaft,
  type Entry,
  type Input,
  type LogEnd,
  type LogOp,
  type Output,
  type Raft,
  type RaftOptions,
  type Reply,
  type Request,
  type Response,
  type Result,
  type Rules,
  type SnapshotRequest,
  type Status,
} from '../../src/core/raft/index.ts';
import type { PeerId } from '../../src/model/peer.ts';
import { DiskImage } from '../../src/sim/image.ts';

export interface SinglePeerOptions {
  readonly options?: Partial<RaftOptions>;
  readonly rules?: Partial<Rules>;
  /** Default three voters a, b, c; the peer under test is a. */
  readonly voters?: readonly PeerId[];
  /** Terms of the entries after the configuration, on disk at the start. */
  readonly terms?: readonly number[];
  /** Default: that of the last entry. */
  readonly term?: number;
  /** Where a log ended that it has put away. */
  readonly previousLog?: LogEnd;
}

export class SinglePeer {
  raft: Raft;
  readonly disk: DiskImage = new DiskImage();
  /** What came out and was not taken by a test yet. */
  calls: Call[] = [];
  replies: Reply[] = [];
  results: Result[] = [];
  applied: Entry[] = [];
  writing: readonly LogOp[] | undefined;
  /** Whether entries handed out are reported as applied at once. Default true. */
  appliesAtOnce = true;
  /** The last ones that came out. */
  receive: Output['receive'] = undefined;
  restore: Base | undefined = undefined;
  /** How often a snapshot was asked for. */
  snapshotsWanted = 0;
  readonly #options: SinglePeerOptions;
  #token = 0;
  /** What the state says at the next start. */
  appliedIndex = 0;

  constructor(options: SinglePeerOptions = {}) {
    this.#options = options;
    const terms = options.terms ?? [];
    const voters = options.voters ?? ['a', 'b', 'c'];
    const entries: Entry[] = [
      ...(voters.length === 0 ? [] : [configurationEntry(1, 1, voters)]),
      ...terms.map((term, at) => command(at + 2, term)),
    ];
    const term = options.term ?? entries.at(-1)?.term ?? 0;
    this.disk.perform([
      { type: 'hard', state: { term, votedFor: undefined } },
      { type: 'put', entries },
    ]);
    this.raft = this.#boot();
  }

  get status(): Status {
    return this.raft.status();
  }

  give(...inputs: readonly Input[]): this {
    for (const input of inputs) this.raft.step(input);
    this.#carryOut(this.raft.take());
    return this;
  }

  /** Lets the write under way, and all that follow from it, become durable. */
  sync(): this {
    while (this.writing !== undefined) this.syncOne();
    return this;
  }

  syncOne(): this {
    if (this.writing === undefined) return this;
    this.disk.perform(this.writing);
    this.writing = undefined;
    return this.give({ type: 'written' });
  }

  /** Power off and on: what was not synced is gone. */
  restart(): this {
    this.writing = undefined;
    this.calls = [];
    this.replies = [];
    this.results = [];
    this.raft = this.#boot();
    return this;
  }

  ticks(count: number): this {
    for (let i = 0; i < count; i++) this.give({ type: 'tick' });
    return this;
  }

  ask(from: PeerId, request: Request): this {
    return this.give({ type: 'request', from, request, token: ++this.#token });
  }

  /** Entries are applied and, as a state on disk would be, all of them at once. */
  apply(): this {
    const last = this.applied.at(-1);
    if (last === undefined || last.index <= this.appliedIndex) return this;
    this.appliedIndex = last.index;
    return this.give({ type: 'applied', index: last.index });
  }

  /** A snapshot as of an applied index is on disk, and the log is compacted up to there. */
  compact(index: number = this.appliedIndex, trailing: number = 0): this {
    return this.give(
      { type: 'snapshotted', base: this.raft.baseAt(index) },
      { type: 'compact', index, trailing },
    ).sync();
  }

  /** The snapshot that is asked for arrives whole; that takes longer than a write. */
  received(isWhole: boolean = true): this {
    if (this.receive === undefined) throw new TypeError('a snapshot is asked for');
    if (isWhole) this.sync();
    return this.give({ type: 'received', token: this.receive.token, isWhole });
  }

  restored(isDone: boolean = true): this {
    if (this.restore === undefined) throw new TypeError('a state is to be replaced');
    if (isDone) this.appliedIndex = this.restore.index;
    return this.give({ type: 'restored', isDone });
  }

  /** The response to the oldest request that was not looked at yet. */
  nextReply(): Response | undefined {
    return this.replies.shift()?.response;
  }

  /** Calls of a kind, taken out. */
  takeCalls(isWanted: (call: Call) => boolean = () => true): Call[] {
    const taken = this.calls.filter(isWanted);
    this.calls = this.calls.filter((call) => !isWanted(call));
    return taken;
  }

  answer(call: Call | undefined, response: Response): this {
    if (call === undefined) throw new TypeError('there is a call to answer');
    return this.give({ type: 'response', callId: call.callId, response });
  }

  fail(call: Call | undefined): this {
    if (call === undefined) throw new TypeError('there is a call to fail');
    return this.give({ type: 'failed', callId: call.callId });
  }

  /** Wins an election with everyone's help; appends are left unanswered. */
  elect(): this {
    const timeout = 2 * 10;
    for (let i = 0; i < timeout && this.status.role === 'follower'; i++) this.ticks(1);
    for (const call of this.takeCalls()) {
      if (call.request.type !== 'preVote') continue;
      this.answer(call, { type: 'preVote', term: call.request.term, granted: true });
    }
    this.sync();
    for (const call of this.takeCalls((call) => call.request.type === 'vote')) {
      this.answer(call, { type: 'vote', term: this.status.term, granted: true });
    }
    return this;
  }

  /** Elected, and its first entry is on all disks. */
  lead(): this {
    return this.elect().sync().acceptAll();
  }

  /** All followers store all that is sent, until nothing is. */
  acceptAll(): this {
    for (let calls = this.takeCalls(); calls.length > 0; calls = this.takeCalls()) {
      for (const call of calls) this.answer(call, accepted(call));
    }
    return this;
  }

  #boot(): Raft {
    const { options = {}, rules = {}, previousLog } = this.#options;
    return createRaft(
      {
        self: 'a',
        random: { integer: () => 0 },
        image: this.disk.load(),
        applied: this.appliedIndex,
        rules,
        ...(previousLog && { previousLog }),
      },
      options,
    );
  }

  #carryOut(output: Output): void {
    this.calls.push(...output.calls);
    this.replies.push(...output.replies);
    this.results.push(...output.results);
    if (output.write !== undefined) this.writing = output.write;
    if (output.receive !== undefined) this.receive = output.receive;
    if (output.restore !== undefined) this.restore = output.restore;
    if (output.needsSnapshot) this.snapshotsWanted++;
    const last = output.apply.at(-1);
    if (last === undefined) return;
    this.applied.push(...output.apply);
    if (!this.appliesAtOnce) return;
    this.appliedIndex = last.index;
    this.give({ type: 'applied', index: last.index });
  }
}

/** What a follower with the same log, or with nothing missing, answers. */
export function accepted({ request }: Call): Response {
  if (request.type === 'snapshot') return { type: 'snapshot', term: request.term, success: true };
  if (request.type !== 'append') throw new TypeError('an append or a snapshot is accepted');
  return { type: 'append', term: request.term, lastLog: request.prevIndex, success: true, noRetryBackoff: false };
}

export function isHeartbeat({ request }: Call): boolean {
  return request.type === 'append' && request.prevIndex === 0 && request.entries.length === 0;
}

export function command(index: number, term: number): Entry {
  return { index, term, type: 'command', data: Uint8Array.of(index, term) };
}

export function configurationEntry(index: number, term: number, voters: readonly PeerId[]): Entry {
  return { index, term, type: 'configuration', configuration: configurationOf(voters) };
}

export function configurationOf(voters: readonly PeerId[]): Configuration {
  return { servers: voters.map((id) => ({ id, suffrage: 'voter' as const })) };
}

/** "No": the log does not match, and may agree up to `lastLog`. */
export function refused({ request }: Call, lastLog: number): Response {
  if (request.type !== 'append') throw new TypeError('an append is refused');
  return { type: 'append', term: request.term, lastLog, success: false, noRetryBackoff: true };
}

/** A point of a log whose only configuration is entry 1. */
export function baseOf(index: number, term: number, voters: readonly PeerId[] = ['a', 'b', 'c']): Base {
  return { index, term, configuration: configurationOf(voters), configurationIndex: 1 };
}

/** A snapshot of leader b. */
export function snapshot(term: number, base: Base, leader: PeerId = 'b'): SnapshotRequest {
  return { type: 'snapshot', term, leader, base };
}

/** An append of leader b with commands of the given terms. */
export function append(
  term: number,
  [prevIndex, prevTerm]: readonly [number, number],
  terms: readonly number[],
  commit = 0,
  leader: PeerId = 'b',
): AppendRequest {
  const entries = terms.map((entryTerm, at) => command(prevIndex + at + 1, entryTerm));
  return { type: 'append', term, leader, prevIndex, prevTerm, entries, commit };
}
