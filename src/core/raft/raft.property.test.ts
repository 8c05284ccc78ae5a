/**
 * One engine in a cluster that is imagined around it: whatever the others might do, it never throws, and keeps what it must.
 *
 * The others are a log (`History`) that grows, is committed, and from time to time goes to a leader of a later term who has
 * all that is committed. Votes and acknowledgements are given to the engine whenever real peers might give them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DiskImage } from '../../sim/image.ts';
import {
  type Base,
  bootstrapOps,
  type Call,
  type Configuration,
  createRaft,
  type Entry,
  type Input,
  type LogOp,
  type Output,
  type Raft,
  type Request,
  type Response,
} from './index.ts';

const voters = ['a', 'b', 'c'];
const noConfiguration: Configuration = { servers: [] };

const kinds = [
  ...['tick', 'append', 'append', 'grow', 'commit', 'newTerm', 'snapshot', 'received', 'received', 'restored'],
  ...['restored', 'applied', 'applied', 'written', 'written', 'written', 'answer', 'answer', 'answer', 'answer'],
  ...['propose', 'change', 'read', 'transfer', 'compact', 'crash', 'vote', 'preVote', 'timeoutNow', 'serve'],
  ...['propose', 'change', 'compact', 'serve', 'serve', 'elect', 'grow', 'append'],
] as const;

interface Step {
  readonly kind: string;
  readonly x: number;
  readonly y: number;
}

/** What the cluster agrees on, or may. */
class History {
  term = 1;
  /** Entry `index` is at `index - 1`. */
  log: Entry[];
  committed = 0;
  /** What the others have acknowledged to the engine: as long as that believes to lead, its own disk may make it a majority. */
  held = 0;
  /** Whether the engine leads `term`. */
  isEngines = false;

  constructor(first: Entry) {
    this.log = [first];
  }

  termAt(index: number): number {
    return this.log[index - 1]?.term ?? 0;
  }

  configurationAt(index: number): { configuration: Configuration; configurationIndex: number } {
    for (let at = index; at > 0; at--) {
      const entry = this.log[at - 1];
      if (entry?.type === 'configuration') return { configuration: entry.configuration, configurationIndex: at };
    }
    return { configuration: noConfiguration, configurationIndex: 0 };
  }

  baseAt(index: number): Base {
    return { index, term: this.termAt(index), ...this.configurationAt(index) };
  }

  grow(isChange: boolean): void {
    const index = this.log.length + 1;
    const { term } = this;
    if (!isChange) {
      this.log.push({ index, term, type: 'command', data: Uint8Array.of(index & 255, term & 255) });
      return;
    }
    const { servers } = this.configurationAt(index - 1).configuration;
    const without = servers.filter(({ id }) => id !== 'd');
    const configuration =
      without.length < servers.length
        ? { servers: without }
        : { servers: [...servers, { id: 'd', suffrage: 'staging' as const }] };
    this.log.push({ index, term, type: 'configuration', configuration });
  }

  /** Only with an entry of the term. */
  commit(count: number): void {
    const index = Math.min(this.log.length, this.committed + count);
    if (this.termAt(index) === this.term) this.committed = index;
  }

  nextLeader(term: number, lost: number): void {
    this.isEngines = false;
    this.term = term;
    this.log.length = Math.max(this.committed, this.held, this.log.length - lost);
    this.log.push({ index: this.log.length + 1, term, type: 'noop' });
  }
}

class Driver {
  readonly history: History;
  readonly disk = new DiskImage();
  raft: Raft;
  #writing: readonly LogOp[] | undefined;
  #applying: number | undefined;
  #applied = 0;
  #snapshot: Base | undefined;
  #receive: Output['receive'];
  #restore: Base | undefined;
  #calls: Call[] = [];
  #requests = new Map<number, Request>();
  #asked = new Set<number>();
  #id = 0;

  constructor() {
    const ops = bootstrapOps(voters);
    this.disk.perform(ops);
    const [first] = this.disk.entries;
    assert(first !== undefined);
    this.history = new History(first);
    this.raft = this.#boot();
  }

  play({ kind, x, y }: Step): void {
    const { history } = this;
    const isForeign = !history.isEngines;
    switch (kind) {
      case 'tick':
        for (let count = x % 4; count >= 0; count--) this.#give({ type: 'tick' });
        break;
      case 'elect':
        for (let count = 0; count < 20 && this.raft.status().role === 'follower'; count++) this.#give({ type: 'tick' });
        this.#serve();
        break;
      case 'serve':
        this.#serve();
        break;
      case 'append':
        if (isForeign) this.#ask(this.#appendOf(x, y));
        break;
      case 'grow':
        if (isForeign) for (let count = x % 3; count >= 0; count--) history.grow(y % 8 === 0);
        break;
      case 'commit':
        if (isForeign) history.commit(1 + (x % 4));
        break;
      case 'newTerm':
        if (this.raft.status().role !== 'leader') history.held = 0;
        history.nextLeader(Math.max(history.term, this.raft.status().term) + 1, x % 4);
        break;
      case 'snapshot':
        if (isForeign && history.committed > 0) {
          const base = history.baseAt(1 + (x % history.committed));
          this.#ask({ type: 'snapshot', term: history.term, leader: 'b', base });
        }
        break;
      case 'received':
        if (this.#receive !== undefined) {
          const { token } = this.#receive;
          this.#receive = undefined;
          this.#give({ type: 'received', token, isWhole: x % 4 > 0 });
        }
        break;
      case 'restored':
        this.#restored(x % 5 > 0);
        break;
      case 'applied':
        if (this.#applying !== undefined) {
          this.#applied = this.#applying;
          this.#applying = undefined;
          this.#give({ type: 'applied', index: this.#applied });
        }
        break;
      case 'written':
        this.#written();
        break;
      case 'answer':
        this.#answer(x, y);
        break;
      case 'propose': {
        const proposals = Array.from({ length: 1 + (x % 3) }, () => ({
          id: this.#nextId(),
          data: Uint8Array.of(y & 255),
        }));
        this.#give({ type: 'propose', proposals });
        break;
      }
      case 'change':
        this.#give({
          type: 'change',
          id: this.#nextId(),
          change: x % 3 === 0 ? { type: 'remove', peer: 'd' } : { type: 'add', server: { id: 'd', suffrage: 'voter' } },
        });
        break;
      case 'read':
        this.#give({ type: 'read', id: this.#nextId() });
        break;
      case 'transfer':
        this.#give({ type: 'transfer', id: this.#nextId(), ...(x % 2 === 0 && { to: 'c' }) });
        break;
      case 'compact':
        if (this.#applied > this.disk.base.index && this.#restore === undefined) {
          const base = this.raft.baseAt(this.#applied);
          if (x % 3 > 0) {
            this.#snapshot = base;
            this.#give({ type: 'snapshotted', base });
          }
          this.#give({ type: 'compact', index: this.#applied, trailing: y % 4 });
        }
        break;
      case 'crash':
        this.#crash(x % 2 === 0);
        break;
      case 'vote':
        this.#askVote(x, y);
        break;
      case 'preVote':
        this.#ask({ type: 'preVote', term: this.raft.status().term + (x % 3), lastIndex: y, lastTerm: x % 5 });
        break;
      case 'timeoutNow':
        if (isForeign) this.#ask({ type: 'timeoutNow' });
        break;
    }
  }

  /** Some part of the leader's log, also what the engine has, or has compacted away. */
  #appendOf(x: number, y: number): Request {
    const { log, term, committed } = this.history;
    const { lastIndex } = this.raft.status();
    const from = x % 2 === 0 ? x % (log.length + 1) : Math.min(lastIndex, log.length);
    const entries = log.slice(from, from + (y % 5));
    const prevTerm = this.history.termAt(from);
    if (y % 7 === 0) return { type: 'append', term, leader: 'b', prevIndex: 0, prevTerm: 0, entries: [], commit: 0 };
    return {
      type: 'append',
      term,
      leader: 'b',
      prevIndex: from,
      prevTerm,
      entries,
      commit: y % 2 === 0 ? committed : 0,
    };
  }

  #askVote(x: number, y: number): void {
    // In a term in which nobody was elected.
    const term = Math.max(this.history.term, this.raft.status().term) + (x % 2);
    if (term === this.history.term) return;
    this.#ask({ type: 'vote', term, candidate: 'c', lastIndex: y, lastTerm: x % 7, leadershipTransfer: y % 3 === 0 });
  }

  #answer(x: number, y: number): void {
    const [call] = this.#calls.splice(x % Math.max(1, this.#calls.length), 1);
    if (call === undefined) return;
    const { callId } = call;
    const response = y % 6 === 0 ? undefined : this.#responseTo(call.request, y);
    this.#give(response === undefined ? { type: 'failed', callId } : { type: 'response', callId, response });
  }

  /** For a while everything goes well. */
  #serve(): void {
    for (let round = 0; round < 6; round++) {
      this.#written();
      for (let count = this.#calls.length; count > 0; count--) this.#answer(0, 1);
      if (this.#applying !== undefined) this.play({ kind: 'applied', x: 0, y: 0 });
    }
  }

  #responseTo(request: Request, y: number): Response | undefined {
    const { history } = this;
    switch (request.type) {
      case 'timeoutNow':
        return { type: 'timeoutNow' };
      case 'preVote':
        return { type: 'preVote', term: request.term, granted: y % 4 > 0 };
      case 'vote': {
        const { committed } = history;
        const isNewEnough =
          request.lastTerm > history.termAt(committed) ||
          (request.lastTerm === history.termAt(committed) && request.lastIndex >= committed);
        return { type: 'vote', term: request.term, granted: request.term > history.term && isNewEnough };
      }
      case 'snapshot':
        return { type: 'snapshot', term: Math.max(request.term, history.term), success: request.term === history.term };
      case 'append': {
        const success = request.term === history.term && y % 5 > 0;
        if (success) history.held = Math.max(history.held, request.prevIndex + request.entries.length);
        const lastLog = success ? request.prevIndex : y % (request.prevIndex + 1);
        return { type: 'append', term: Math.max(request.term, history.term), lastLog, success, noRetryBackoff: false };
      }
    }
  }

  #crash(isWritten: boolean): void {
    if (this.#writing !== undefined && isWritten) this.disk.perform(this.#writing);
    this.#writing = undefined;
    this.#applying = undefined;
    this.#receive = undefined;
    this.#restore = undefined;
    this.#calls = [];
    this.#requests.clear();
    this.#asked.clear();
    const snapshot = this.#snapshot;
    if (
      snapshot !== undefined &&
      this.#applied === snapshot.index &&
      this.disk.termAt(snapshot.index) !== snapshot.term
    ) {
      // As the shell does when a snapshot was taken and the log not yet reset.
      if (snapshot.index >= this.disk.base.index) this.disk.perform([{ type: 'reset', base: snapshot }]);
    }
    this.raft = this.#boot();
    this.#check();
  }

  #written(): void {
    if (this.#writing === undefined) return;
    this.disk.perform(this.#writing);
    this.#writing = undefined;
    this.#give({ type: 'written' });
  }

  #restored(isDone: boolean): void {
    const base = this.#restore;
    if (base === undefined) return;
    this.#restore = undefined;
    if (isDone) {
      this.#applied = base.index;
      this.#snapshot = base;
    }
    this.#give({ type: 'restored', isDone });
  }

  #ask(request: Request): void {
    const token = this.#nextId();
    this.#requests.set(token, request);
    this.#give({ type: 'request', from: 'b', request, token });
  }

  #nextId(): number {
    this.#asked.add(++this.#id);
    return this.#id;
  }

  #boot(): Raft {
    let draws = 0;
    const random = { integer: (limit: number) => draws++ % limit };
    const snapshot = this.#snapshot;
    const deps = { self: 'a', random, image: this.disk.load(), applied: this.#applied, ...(snapshot && { snapshot }) };
    return createRaft(deps, { entriesPerAppendMax: 2, applyMax: 3 });
  }

  #give(input: Input): void {
    this.raft.step(input);
    const output = this.raft.take();
    this.#follow();
    if (output.write !== undefined) {
      assert(this.#writing === undefined, 'one write at a time');
      this.#writing = output.write;
    }
    this.#calls.push(...output.calls);
    for (const { token, response } of output.replies) this.#replied(token, response);
    for (const { id } of output.results) assert(this.#asked.delete(id), 'each is answered once');
    if (output.receive !== undefined) this.#receive = output.receive;
    if (output.restore !== undefined) {
      assert(this.#applying === undefined && output.apply.length === 0, 'no batch is applied under a restore');
      assert(output.restore.index > this.#applied && this.raft.status().role !== 'leader');
      this.#restore = output.restore;
    }
    if (output.apply.length > 0) {
      assert(this.#applying === undefined && this.#restore === undefined, 'one batch at a time');
      assert.equal(output.apply[0]?.index, this.#applied + 1);
      this.#applying = output.apply.at(-1)?.index;
      assert((this.#applying ?? 0) <= this.disk.lastIndex, 'applied <= durable');
      for (const entry of output.apply) assert.equal(entry.term, this.history.termAt(entry.index), 'applied = agreed');
    }
    if (output.needsSnapshot) assert.equal(this.raft.status().role, 'leader');
    this.#check();
  }

  /** While the engine leads, its log is the one the others get. */
  #follow(): void {
    const { history } = this;
    const { role, term, lastIndex, baseIndex, commit } = this.raft.status();
    if (role !== 'leader') return;
    if (term < history.term) {
      // Deposed, and does not know it: what was acknowledged before may still become a majority by its own disk.
      if (commit <= history.held) history.committed = Math.max(history.committed, commit);
      return;
    }
    if (term > history.term) {
      assert(lastIndex > history.committed, 'a leader has all that is committed');
      history.held = 0;
    }
    history.isEngines = true;
    history.term = term;
    for (let index = baseIndex + 1; index <= lastIndex; index++) {
      const entry = this.raft.entry(index);
      assert(entry !== undefined);
      if (index <= history.committed) assert.equal(entry.term, history.termAt(index), 'committed entries stay');
      history.log[index - 1] = entry;
    }
    history.log.length = lastIndex;
    history.committed = Math.max(history.committed, commit);
  }

  #replied(token: number, response: Response): void {
    const request = this.#requests.get(token);
    assert(request !== undefined && this.#requests.delete(token), 'each request is answered once');
    this.#asked.delete(token);
    if (this.#receive?.token === token) this.#receive = undefined;
    assert.equal(response.type, request.type);
    const { disk } = this;
    if (request.type === 'vote' && response.type === 'vote' && response.granted) {
      assert.deepEqual(disk.hard, { term: request.term, votedFor: request.candidate }, 'a vote is durable');
    }
    if (request.type === 'append' && response.type === 'append' && response.success) {
      const last = request.entries.at(-1);
      const isHeld = last === undefined || last.index <= disk.base.index || disk.termAt(last.index) === last.term;
      assert(isHeld, 'answered = durable');
    }
    if (request.type === 'snapshot' && response.type === 'snapshot' && response.success) {
      assert(this.disk.lastIndex >= request.base.index, 'a snapshot that is taken is durable');
    }
  }

  #check(): void {
    const { raft, history } = this;
    const { baseIndex, applied, commit, durable, lastIndex, term, configuration, configurationIndex } = raft.status();
    assert(
      baseIndex <= applied && applied <= commit && commit <= lastIndex,
      `${baseIndex} ${applied} ${commit} ${lastIndex}`,
    );
    assert(applied <= durable && durable <= lastIndex);
    assert(commit <= history.committed, 'nothing is committed but what the cluster has committed');
    assert(this.disk.hard.term <= term);
    let expected = {
      configuration: raft.baseAt(baseIndex).configuration,
      configurationIndex: raft.baseAt(baseIndex).configurationIndex,
    };
    for (let index = baseIndex + 1; index <= lastIndex; index++) {
      const entry = raft.entry(index);
      assert(entry !== undefined && entry.index === index && entry.term <= term, 'the log has no gap');
      if (index <= commit) assert.equal(entry.term, history.termAt(index), 'committed = agreed');
      if (entry.type === 'configuration') expected = { configuration: entry.configuration, configurationIndex: index };
    }
    assert.deepEqual({ configuration, configurationIndex }, expected, 'the last configuration in the log holds');
    for (const [peer, match] of raft.matches()) assert(match <= lastIndex, `${peer} has what the leader has`);
    assert(this.#calls.length < 3000, 'what is under way is bounded');
  }
}

test('any history: one engine never throws, commits only what is agreed, and acknowledges only what is on its disk', () => {
  const step = fc.record({ kind: fc.constantFrom(...kinds), x: fc.nat(1000), y: fc.nat(1000) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 300, size: 'max' }), (steps) => {
      const driver = new Driver();
      for (const each of steps) driver.play(each);
    }),
    { numRuns: 200 },
  );
});
