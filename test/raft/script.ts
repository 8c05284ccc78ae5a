/**
 * Scripts of a few engines with a full trace of what they do. Commands:
 *
 *     peers a b c        first command: voters; `spare d` after it adds a peer outside
 *     tick a 10          time passes for a
 *     deliver            all messages, and those that follow from them; `deliver a>b` only those on that way
 *     drop a>b           the messages on that way are lost, and their callers learn that no answer comes
 *     sync a             a's writes become durable, until there are none; `sync` for all
 *     settle             deliver and sync until nothing is left
 *     propose a x        a is asked to put x into the log; `read a`, `add a d`, `remove a d` likewise
 *     crash a            a loses what it has not synced, and starts again
 *     status             all peers
 */
import { OperatingError } from '../../src/base/index.ts';
import {
  bootstrapOps,
  createRaft,
  type Entry,
  type Input,
  type LogOp,
  type Output,
  type Raft,
  type Request,
  type Response,
  type Result,
} from '../../src/core/raft/index.ts';
import { DiskImage } from '../../src/sim/image.ts';

interface Peer {
  readonly id: string;
  readonly disk: DiskImage;
  raft: Raft;
  writing: readonly LogOp[] | undefined;
  applied: number;
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
  /** What came with a token. */
  readonly #asked: Message[] = [];

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
      case 'spare':
        this.#start(first, []);
        break;
      case 'tick':
        for (let count = Number(second || 1); count > 0; count--) this.#give(this.#peer(first), { type: 'tick' });
        break;
      case 'deliver':
        while (this.#deliver(first));
        break;
      case 'drop':
        this.#drop(first);
        break;
      case 'sync':
        for (const peer of first === '' ? this.#peers.values() : [this.#peer(first)]) while (this.#sync(peer));
        break;
      case 'settle':
        while (this.#deliver('') || [...this.#peers.values()].some((peer) => this.#sync(peer)));
        break;
      case 'propose':
        this.#give(this.#peer(first), {
          type: 'propose',
          proposals: [{ id: ++this.#lastId, data: new TextEncoder().encode(second) }],
        });
        break;
      case 'read':
        this.#give(this.#peer(first), { type: 'read', id: ++this.#lastId });
        break;
      case 'add':
        this.#give(this.#peer(first), {
          type: 'change',
          id: ++this.#lastId,
          change: { type: 'add', server: { id: second, suffrage: 'voter' } },
        });
        break;
      case 'remove':
        this.#give(this.#peer(first), {
          type: 'change',
          id: ++this.#lastId,
          change: { type: 'remove', peer: second },
        });
        break;
      case 'crash':
        this.#crash(this.#peer(first));
        break;
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
    const peer: Peer = { id, disk, raft: boot(id, disk, 0, patience), writing: undefined, applied: 0 };
    this.#peers.set(id, peer);
  }

  #crash(peer: Peer): void {
    peer.writing = undefined;
    this.#messages = this.#messages.filter(({ from, to, isAnswer }) => (isAnswer ? to : from) !== peer.id);
    peer.raft = boot(peer.id, peer.disk, peer.applied, [...this.#peers.keys()].indexOf(peer.id));
    this.#note(`${peer.id} starts again: ${statusOf(peer)}`);
  }

  #deliver(way: string): boolean {
    const at = this.#messages.findIndex(({ from, to }) => way === '' || way === `${from}>${to}`);
    const [message] = at < 0 ? [] : this.#messages.splice(at, 1);
    if (message === undefined) return false;
    const { from, to, callId, body, isAnswer } = message;
    this.#note(`${from} > ${to} ${isAnswer ? describeAnswer(body as Response) : describeRequest(body as Request)}`);
    if (isAnswer) this.#give(this.#peer(to), { type: 'response', callId, response: body as Response });
    else {
      const token = this.#asked.push(message);
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

  #carryOut(peer: Peer, { status, write, calls, replies, apply, results }: Output): void {
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
      if (asked === undefined) continue;
      this.#messages.push({ ...asked, from: peer.id, to: asked.from, body: response, isAnswer: true });
    }
    for (const result of results) this.#note(`${peer.id} answers ${describeResult(result)}`);
    const last = apply.at(-1);
    if (last === undefined) return;
    this.#note(`${peer.id} applies ${apply.map(describeEntry).join(' ')}`);
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

function boot(self: string, disk: DiskImage, applied: number, patience: number): Raft {
  const random = { integer: (limit: number) => Math.min(3 * patience, limit - 1) };
  return createRaft({ self, random, image: disk.load(), applied });
}

function statusOf({ id, raft }: Peer): string {
  const { role, term, leader, commit, lastIndex, durable, configuration, isEstablished } = raft.status();
  const members = configuration.servers.map((server) => server.id).join(' ');
  const follows = role === 'follower' ? ` of ${leader ?? 'nobody'}` : '';
  const established = isEstablished ? ', established' : '';
  return `${id} is ${role}${follows} in term ${term}${established}; last ${lastIndex}, durable ${durable}, commit ${commit}; members ${members}`;
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
