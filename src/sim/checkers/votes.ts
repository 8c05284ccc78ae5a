/** Elections: one leader a term, one vote a voter and term, and a leader holds a quorum of the votes that were given. */
import type { Configuration, Status, Term, VoteRequest } from '../../core/raft/index.ts';
import type { PeerId } from '../../model/index.ts';
import { expect } from '../finding.ts';
import { mixText } from '../hash.ts';
import type { PeerView } from './peer-view.ts';

export class VoteChecker {
  readonly #leaders = new Map<Term, PeerId>();
  /** Who voted for whom, by term and voter. */
  readonly #votes = new Map<Term, Map<PeerId, PeerId>>();
  /** How many elections were won. */
  elections = 0;

  /** A peer says "yes" to a candidate. */
  granted(voter: PeerView, request: VoteRequest): void {
    this.#vote(voter.id, request.term, request.candidate);
    const { term, votedFor } = voter.disk.hard;
    const isDurable = term > request.term || (term === request.term && votedFor === request.candidate);
    expect(isDurable, 'answered = durable', () => {
      return `${voter.id} answers a vote for ${request.candidate} in term ${request.term}, its disk has ${term}/${votedFor}`;
    });
  }

  /** A peer asks for votes. */
  stands(candidate: PeerView, term: Term): void {
    this.#vote(candidate.id, term, candidate.id);
    const isDurable = candidate.disk.hard.term >= term;
    expect(
      isDurable,
      'answered = durable',
      () => `${candidate.id} asks for votes in term ${term} before it is on disk`,
    );
  }

  /** A peer alone votes without asking anybody. */
  status(peer: PeerView, { role, term, configuration }: Status): void {
    if (role !== 'leader') return;
    const known = this.#leaders.get(term);
    if (known === peer.id) return;
    expect(known === undefined, 'one leader per term', () => `${known} and ${peer.id} lead in term ${term}`);
    this.#leaders.set(term, peer.id);
    this.elections++;
    const { hard } = peer.disk;
    if (hard.term === term && hard.votedFor === peer.id) this.#vote(peer.id, term, peer.id);
    this.#checkVotes(peer, term, configuration);
  }

  #checkVotes(leader: PeerView, term: Term, configuration: Configuration): void {
    const voters = configuration.servers.filter(({ suffrage }) => suffrage === 'voter');
    const given = voters.filter(({ id }) => this.#votes.get(term)?.get(id) === leader.id);
    expect(given.length * 2 > voters.length, 'leader holds a quorum of votes', () => {
      return `${leader.id} leads in term ${term} with ${given.length} of ${voters.length} votes`;
    });
  }

  #vote(voter: PeerId, term: Term, candidate: PeerId): void {
    let votes = this.#votes.get(term);
    if (votes === undefined) {
      votes = new Map();
      this.#votes.set(term, votes);
    }
    const before = votes.get(voter);
    expect(before === undefined || before === candidate, 'one vote per voter and term', () => {
      return `${voter} voted for ${before} and ${candidate} in term ${term}`;
    });
    votes.set(voter, candidate);
  }

  get hash(): number {
    let hash = 0;
    for (const [term, leader] of this.#leaders) hash = mixText(hash ^ term, leader);
    return hash;
  }
}
