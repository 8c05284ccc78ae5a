/**
 * Scripts of a few engines with a full trace of what they do. Commands:
 *
 *     peers a b c        first command: voters; `spare d` after it adds a peer outside
 *     batch 1            before it: entries in one append
 *     log a 7: 1 1 4     after it: a is in term 7 and has entries of these terms, the first one the configuration
 *     tick a 10          time passes for a; `tick a,b 10` for both in turn
 *     run a,b 10         as well, and everything settles after each tick; messages are not in the trace
 *     deliver            all messages, and those that follow from them; `deliver a>b` only those on that way,
 *                        `deliver a>b 1` only the first
 *     drop a>b           the messages on that way are lost, and their callers learn that no answer comes
 *     cut a>b            from now on they are lost, `cut a` those to and from a, until `heal`
 *     sync a             a's writes become durable, until there are none; `sync` for all
 *     settle             deliver, receive, restore and sync until nothing is left
 *     propose a x y      a is asked to put x and y into the log, together
 *     read a, add a d, remove a d, transfer a, transfer a b
 *     snapshot a         a's state, as applied, is on disk as a snapshot
 *     compact a 2        a's log forgets what is applied, but for its last 2 entries
 *     receive a          the bytes of the snapshot that a waits for are there; `receive a torn`: they will not come
 *     restore a          a has replaced its state by that snapshot; `restore a bad`: it was none
 *     hold a             what a is given to apply takes until `apply a`, and snapshots are received and restored by command
 *     crash a            a loses what it has not synced, and starts again
 *     wipe a             a loses its disk, and starts again as a peer that joins
 *     leave a            a puts its log away, remembers where that ended, and starts again as a peer that joins
 *     status             all peers
 */
import { OperatingError } from '../../src/base/index.ts';
import {
  type Base,
  bootstrapOps,
  type ConfigurationChange,
  createRaft,
  type Entry,
  type Input,
  joinOps,
  type LogEnd,
  type LogOp,
  type Output,
  type Raft,
  type RaftOptions,
  type Request,
  type Response,
  type Result,
} from '../../src/core/raft/index.ts';
import { DiskImage } from '../../src/sim/image.ts';

interface Peer {
  readonly id: string;
  disk: DiskImage;
  raft: Raft;
  writing: readonly LogOp[] | undefined;
  /** Of the state, which is durable at once. */
  applied: number;
  snapshot: Base | undefined;
  previousLog: LogEnd | undefined;
  receive: Output['receive'];
  restore: Base | undefined;
  /** Held up by `hold`: the end of the batch that is being applied, or 0. */
  applying: number | undefined;
}

interface Message {
  readonly from: string;
  readonly to: string;
  readonly callId: number;
  readonly body: Request | Response;
  readonly isAnswer: boolean;
}

/** Runs a script and returns it with the trace it has now: commands, `---`, trace, empty line, and again. */
export function runScript(text: string): string {
  const script = new Script();
  const blocks = text
    .split(/\n\s*\n/)
    .map((block) => block.split(/^---$/m)[0]?.trim() ?? '')
    .filter((commands) => commands !== '');
  return `${blocks.map((commands) => withTrace(commands, script)).join('\n\n')}\n`;
}

function withTrace(commands: string, script: Script): string {
  const lines = commands.split('\n').filter((line) => !line.startsWith('#'));
  if (lines.length === 0) return commands;
  const trace = lines.flatMap((line) => script.play(line));
  return [commands, '---', ...trace].join('\n');
}

class Script {
  readonly #peers = new Map<string, Peer>();
  #messages: Message[] = [];
  #trace: string[] = [];
  #lastId = 0;
  readonly #cuts = new Set<string>();
  readonly #options: { entriesPerAppendMax?: number } = {};
  /** What came with a token. */
  readonly #asked: Message[] = [];
  readonly #unanswered = new Set<Message>();

  play(line: string): readonly string[] {
    const [command = '', ...args] = line.trim().split(/\s+/);
    this.#trace = [];
    this.#run(command, args);
    return this.#trace;
  }

  #run(command: string, args: readonly string[]): void {
    const [first = '', second = ''] = args;
    switch (command) {
      case 'peers':
        for (const id of args) this.#start(id, bootstrapOps(args));
        break;
      case 'batch':
        this.#options.entriesPerAppendMax = Number(first);
        break;
      case 'log':
        this.#write(this.#peer(first), Number.parseInt(second, 10), args.slice(2).map(Number));
        break;
      case 'spare':
        this.#start(first, []);
        break;
      case 'tick':
        for (let count = Number(second || 1); count > 0; count--) {
          for (const id of first.split(',')) this.#give(this.#peer(id), { type: 'tick' });
        }
        break;
      case 'run':
        for (let count = Number(second || 1); count > 0; count--) {
          for (const id of first.split(',')) this.#give(this.#peer(id), { type: 'tick' });
          this.#settle();
        }
        this.#trace = this.#trace.filter((line) => !/^\w+ > \w+ /.test(line));
        break;
      case 'deliver':
        for (let left = Number(second || Infinity); left > 0 && this.#deliver(first); left--);
        break;
      case 'drop':
        this.#drop(first);
        break;
      case 'sync':
        for (const peer of first === '' ? this.#peers.values() : [this.#peer(first)]) while (this.#sync(peer));
        break;
      case 'cut':
        this.#cuts.add(first);
        break;
      case 'heal':
        this.#cuts.clear();
        break;
      case 'settle':
        this.#settle();
        break;
      case 'propose': {
        const proposals = args.slice(1).map((text) => ({ id: ++this.#lastId, data: new TextEncoder().encode(text) }));
        this.#give(this.#peer(first), { type: 'propose', proposals });
        break;
      }
      case 'read':
        this.#give(this.#peer(first), { type: 'read', id: ++this.#lastId });
        break;
      case 'transfer':
        this.#give(this.#peer(first), { type: 'transfer', id: ++this.#lastId, ...(second !== '' && { to: second }) });
        break;
      case 'add':
        this.#change(first, { type: 'add', server: { id: second, suffrage: 'voter' } });
        break;
      case 'remove':
        this.#change(first, { type: 'remove', peer: second });
        break;
      case 'snapshot': {
        const peer = this.#peer(first);
        peer.snapshot = peer.raft.baseAt(peer.applied);
        this.#give(peer, { type: 'snapshotted', base: peer.snapshot });
        break;
      }
      case 'compact': {
        const peer = this.#peer(first);
        this.#give(peer, { type: 'compact', index: peer.applied, trailing: Number(second || 0) });
        break;
      }
      case 'receive':
        this.#receive(this.#peer(first), second !== 'torn');
        break;
      case 'restore':
        this.#restore(this.#peer(first), second !== 'bad');
        break;
      case 'hold':
        this.#peer(first).applying = 0;
        break;
      case 'apply':
        this.#apply(this.#peer(first));
        break;
      case 'crash':
        this.#crash(this.#peer(first));
        break;
      case 'wipe': {
        const peer = this.#peer(first);
        peer.disk = new DiskImage();
        peer.disk.perform(joinOps());
        peer.applied = 0;
        peer.snapshot = undefined;
        this.#crash(peer);
        break;
      }
      case 'leave': {
        const peer = this.#peer(first);
        const { hard, lastIndex, lastTerm } = peer.disk;
        peer.previousLog = { index: lastIndex, term: lastTerm };
        peer.disk = new DiskImage();
        peer.disk.perform(joinOps(hard));
        peer.applied = 0;
        peer.snapshot = undefined;
        this.#crash(peer);
        break;
      }
      case 'status':
        for (const peer of this.#peers.values()) this.#note(statusOf(peer));
        break;
      default:
        throw new OperatingError('test/unknown-command', `Unknown command "${command}"`);
    }
  }

  #start(id: string, ops: readonly LogOp[]): void {
    const disk = new DiskImage();
    disk.perform(ops);
    // Peers are patient in the order they are named, so that scripts decide who stands first.
    const patience = this.#peers.size;
    const peer: Peer = {
      id,
      disk,
      raft: boot({ id, disk, applied: 0, snapshot: undefined, previousLog: undefined }, patience, this.#options),
      writing: undefined,
      applied: 0,
      snapshot: undefined,
      previousLog: undefined,
      receive: undefined,
      restore: undefined,
      applying: undefined,
    };
    this.#peers.set(id, peer);
  }

  #crash(peer: Peer): void {
    peer.writing = undefined;
    peer.receive = undefined;
    peer.restore = undefined;
    peer.applying = undefined;
    // Whoever waits for its answer learns that none comes.
    const lost = [...this.#messages, ...this.#unanswered].filter(({ from, to, isAnswer }) =>
      isAnswer ? from === peer.id : to === peer.id,
    );
    for (const message of lost) this.#unanswered.delete(message);
    for (const message of this.#unanswered) if (message.from === peer.id) this.#unanswered.delete(message);
    this.#messages = this.#messages.filter(({ from, to }) => to !== peer.id && from !== peer.id);
    const { snapshot, disk } = peer;
    if (snapshot !== undefined && peer.applied > disk.lastIndex) {
      this.#note(`${peer.id} finishes the snapshot ${snapshot.index}/${snapshot.term}`);
      disk.perform([{ type: 'reset', base: snapshot }]);
    }
    this.#boot(peer);
    this.#note(`${peer.id} starts again: ${statusOf(peer)}`);
    for (const { from, to, callId, isAnswer } of lost) {
      this.#give(this.#peer(isAnswer ? to : from), { type: 'failed', callId });
    }
  }

  #write(peer: Peer, term: number, terms: readonly number[]): void {
    const entries = terms.slice(1).map((entryTerm, at): Entry => {
      return { index: at + 2, term: entryTerm, type: 'command', data: new TextEncoder().encode(`${entryTerm}`) };
    });
    peer.disk.perform([
      { type: 'hard', state: { term, votedFor: undefined } },
      { type: 'put', entries },
    ]);
    this.#boot(peer);
  }

  #boot(peer: Peer): void {
    peer.raft = boot(peer, [...this.#peers.keys()].indexOf(peer.id), this.#options);
  }

  #change(at: string, change: ConfigurationChange): void {
    this.#give(this.#peer(at), { type: 'change', id: ++this.#lastId, change });
  }

  #settle(): void {
    while (this.#deliver('') || [...this.#peers.values()].some((peer) => this.#advance(peer)));
  }

  /** One step of what `settle` does besides messages. */
  #advance(peer: Peer): boolean {
    const isHeld = peer.applying !== undefined;
    if (peer.receive !== undefined && !isHeld) this.#receive(peer, true);
    else if (peer.restore !== undefined && !isHeld) this.#restore(peer, true);
    else return this.#sync(peer);
    return true;
  }

  #receive(peer: Peer, isWhole: boolean): void {
    const { receive } = peer;
    if (receive === undefined) throw new OperatingError('test/nothing-to-do', `"${peer.id}" waits for no snapshot`);
    peer.receive = undefined;
    this.#note(`${peer.id} has ${isWhole ? 'all' : 'not all'} of the snapshot`);
    this.#give(peer, { type: 'received', token: receive.token, isWhole });
  }

  #restore(peer: Peer, isDone: boolean): void {
    const { restore } = peer;
    if (restore === undefined) throw new OperatingError('test/nothing-to-do', `"${peer.id}" restores no snapshot`);
    peer.restore = undefined;
    if (isDone) {
      peer.applied = restore.index;
      peer.snapshot = restore;
    }
    this.#note(`${peer.id} has ${isDone ? '' : 'not '}replaced its state`);
    this.#give(peer, { type: 'restored', isDone });
  }

  #apply(peer: Peer): void {
    const { applying } = peer;
    peer.applying = undefined;
    if (applying === undefined || applying === 0) return;
    peer.applied = applying;
    this.#note(`${peer.id} has applied up to ${applying}`);
    this.#give(peer, { type: 'applied', index: applying });
  }

  #isCut({ from, to }: Message): boolean {
    return [`${from}>${to}`, from, to].some((way) => this.#cuts.has(way));
  }

  #deliver(way: string): boolean {
    const at = this.#messages.findIndex(({ from, to }) => way === '' || way === `${from}>${to}`);
    const [message] = at < 0 ? [] : this.#messages.splice(at, 1);
    if (message === undefined) return false;
    const { from, to, callId, body, isAnswer } = message;
    if (this.#isCut(message)) {
      this.#note(`${from} > ${to} ${body.type} is lost`);
      this.#give(this.#peer(isAnswer ? to : from), { type: 'failed', callId });
      return true;
    }
    this.#note(`${from} > ${to} ${isAnswer ? describeAnswer(body as Response) : describeRequest(body as Request)}`);
    if (isAnswer) this.#give(this.#peer(to), { type: 'response', callId, response: body as Response });
    else {
      const token = this.#asked.push(message);
      this.#unanswered.add(message);
      this.#give(this.#peer(to), { type: 'request', from, request: body as Request, token });
    }
    return true;
  }

  #drop(way: string): void {
    const dropped = this.#messages.filter(({ from, to }) => way === `${from}>${to}`);
    this.#messages = this.#messages.filter((message) => !dropped.includes(message));
    for (const { from, to, callId, isAnswer, body } of dropped) {
      this.#note(`${from} > ${to} ${body.type} is lost`);
      this.#give(this.#peer(isAnswer ? to : from), { type: 'failed', callId });
    }
  }

  #sync(peer: Peer): boolean {
    if (peer.writing === undefined) return false;
    peer.disk.perform(peer.writing);
    peer.writing = undefined;
    this.#note(`${peer.id} has synced up to ${peer.disk.lastIndex}`);
    this.#give(peer, { type: 'written' });
    return true;
  }

  #give(peer: Peer, input: Input): void {
    peer.raft.step(input);
    this.#carryOut(peer, peer.raft.take());
  }

  #carryOut(peer: Peer, output: Output): void {
    const { status, write, calls, replies, apply, results, receive, restore, needsSnapshot } = output;
    if (status !== undefined) this.#note(statusOf(peer));
    if (write !== undefined) {
      peer.writing = write;
      this.#note(`${peer.id} writes ${write.map(describeOp).join(', ')}`);
    }
    for (const { to, callId, request } of calls) {
      this.#messages.push({ from: peer.id, to, callId, body: request, isAnswer: false });
    }
    for (const { token, response } of replies) {
      const asked = this.#asked[token - 1];
      // Its asker has crashed meanwhile.
      if (asked === undefined || !this.#unanswered.has(asked)) continue;
      if (peer.receive?.token === token) peer.receive = undefined;
      this.#unanswered.delete(asked);
      this.#messages.push({ ...asked, from: peer.id, to: asked.from, body: response, isAnswer: true });
    }
    if (receive !== undefined) {
      peer.receive = receive;
      this.#note(`${peer.id} waits for the snapshot ${receive.base.index}/${receive.base.term}`);
    }
    if (restore !== undefined) {
      peer.restore = restore;
      this.#note(`${peer.id} replaces its state by ${restore.index}/${restore.term}`);
    }
    if (needsSnapshot) this.#note(`${peer.id} wants a snapshot`);
    for (const result of results) this.#note(`${peer.id} answers ${describeResult(result)}`);
    const last = apply.at(-1);
    if (last === undefined) return;
    this.#note(`${peer.id} applies ${apply.map(describeEntry).join(' ')}`);
    if (peer.applying !== undefined) {
      peer.applying = last.index;
      return;
    }
    peer.applied = last.index;
    this.#give(peer, { type: 'applied', index: last.index });
  }

  #peer(id: string): Peer {
    const peer = this.#peers.get(id);
    if (peer === undefined) throw new OperatingError('test/unknown-peer', `Unknown peer "${id}"`);
    return peer;
  }

  #note(line: string): void {
    this.#trace.push(line);
  }
}

type BootParts = Pick<Peer, 'id' | 'disk' | 'applied' | 'snapshot' | 'previousLog'>;

function boot(parts: BootParts, patience: number, options: Partial<RaftOptions>): Raft {
  const { id, disk, applied, snapshot, previousLog } = parts;
  const random = { integer: (limit: number) => Math.min(3 * patience, limit - 1) };
  const deps = {
    self: id,
    random,
    image: disk.load(),
    applied,
    ...(snapshot !== undefined && { snapshot }),
    ...(previousLog !== undefined && { previousLog }),
  };
  return createRaft(deps, options);
}

function statusOf({ id, raft }: Peer): string {
  const { role, term, leader, baseIndex, commit, lastIndex, durable, configuration, isEstablished } = raft.status();
  const members = configuration.servers.map((server) =>
    server.suffrage === 'voter' ? server.id : `${server.id} (${server.suffrage})`,
  );
  const follows = role === 'follower' ? ` of ${leader ?? 'nobody'}` : '';
  const established = isEstablished ? ', established' : '';
  const base = baseIndex === 0 ? '' : `base ${baseIndex}, `;
  const log = `${base}last ${lastIndex}, durable ${durable}, commit ${commit}`;
  return `${id} is ${role}${follows} in term ${term}${established}; ${log}; members ${members.join(' ')}`;
}

function describeEntry(entry: Entry): string {
  const what = entry.type === 'command' ? `"${new TextDecoder().decode(entry.data)}"` : entry.type;
  return `${entry.index}/${entry.term}:${what}`;
}

function describeOp(op: LogOp): string {
  switch (op.type) {
    case 'hard':
      return `term ${op.state.term} vote ${op.state.votedFor ?? 'nobody'}`;
    case 'cut':
      return `cut from ${op.from}`;
    case 'put':
      return op.entries.map(describeEntry).join(' ');
    case 'compact':
    case 'reset':
      return `${op.type} to ${op.base.index}/${op.base.term}`;
  }
}

function describeRequest(request: Request): string {
  switch (request.type) {
    case 'append': {
      const { term, prevIndex, prevTerm, entries, commit } = request;
      const what = entries.length === 0 ? 'nothing' : entries.map(describeEntry).join(' ');
      return `append in term ${term} after ${prevIndex}/${prevTerm}: ${what}, commit ${commit}`;
    }
    case 'vote':
    case 'preVote':
      return `${request.type} for term ${request.term}, last ${request.lastIndex}/${request.lastTerm}`;
    case 'snapshot':
      return `snapshot in term ${request.term} up to ${request.base.index}/${request.base.term}`;
    case 'timeoutNow':
      return 'timeoutNow';
  }
}

function describeAnswer(response: Response): string {
  switch (response.type) {
    case 'append':
      return response.success ? `yes in term ${response.term}` : `no in term ${response.term}, try ${response.lastLog}`;
    case 'vote':
    case 'preVote':
      return `${response.type} ${response.granted ? 'yes' : 'no'} in term ${response.term}`;
    case 'snapshot':
      return `snapshot ${response.success ? 'yes' : 'no'} in term ${response.term}`;
    case 'timeoutNow':
      return 'timeoutNow';
  }
}

function describeResult(result: Result): string {
  if (result.outcome === 'applied') return `#${result.id}: applied at ${result.index}/${result.term}`;
  return result.outcome === 'unknown' ? `#${result.id}: unknown` : `#${result.id}: refused, ${result.reason}`;
}
