/** All checkers of Raft together, as walk and world call them. */
import type { Call, Entry, Input, LogOp, Output, Reply, Request, Status } from '../../core/raft/index.ts';
import { mix } from '../hash.ts';
import { type Bounds, BoundsChecker } from './bounds.ts';
import { ClientChecker } from './clients.ts';
import { LogChecker } from './logs.ts';
import { MembersChecker } from './members.ts';
import type { PeerView } from './peer-view.ts';
import { VoteChecker } from './votes.ts';

export class RaftChecker {
  readonly votes: VoteChecker = new VoteChecker();
  readonly logs: LogChecker = new LogChecker();
  readonly members: MembersChecker = new MembersChecker();
  readonly clients: ClientChecker = new ClientChecker();
  readonly bounds: BoundsChecker;

  constructor(bounds: Bounds) {
    this.bounds = new BoundsChecker(bounds);
  }

  /** Before a peer steps. */
  given(peer: PeerView, input: Input): void {
    this.bounds.given(peer, input);
    if (input.type === 'read') this.clients.readBegins(peer, input.id, this.logs.commit);
  }

  /** After inputs were stepped and the output taken, before it is carried out. */
  stepped(peer: PeerView, output: Output, peers: readonly PeerView[]): Status {
    for (const call of output.calls) this.#leaves(peer, call);
    this.bounds.stepped(peer, output);
    const status = peer.raft.status();
    for (const result of output.results) this.clients.readEnds(peer, result, status.applied);
    this.logs.stepped(peer, status, peers);
    if (output.status === undefined) return status;
    this.votes.status(peer, status);
    this.members.status(peer, status);
    return status;
  }

  #leaves(peer: PeerView, { request }: Call): void {
    if (request.type === 'vote') this.votes.stands(peer, request.term);
    if (request.type === 'snapshot') this.members.base(peer, request.base);
  }

  /** A reply is about to leave. */
  replies(peer: PeerView, request: Request, { response }: Reply): void {
    if (request.type === 'vote' && response.type === 'vote' && response.granted) this.votes.granted(peer, request);
    if (request.type === 'append' && response.type === 'append' && response.success) this.logs.accepts(peer, request);
    if (request.type === 'snapshot' && response.type === 'snapshot' && response.success) {
      this.logs.installed(peer, request);
    }
  }

  writes(peer: PeerView, ops: readonly LogOp[]): void {
    for (const op of ops) if (op.type === 'compact' || op.type === 'reset') this.members.base(peer, op.base);
    this.logs.writes(peer, ops);
  }

  applies(peer: PeerView, entries: readonly Entry[], numberOf: (entry: Entry) => number | undefined): void {
    this.members.applies(entries);
    this.clients.applies(peer, entries, numberOf);
  }

  restarted(peer: PeerView): void {
    this.logs.restarted(peer);
    this.bounds.restarted(peer);
    this.clients.restarted(peer);
  }

  /** Of everything that must be equal when the same seed is run again. */
  get hash(): number {
    return mix(mix(this.votes.hash, this.clients.hash), this.logs.commit);
  }
}
