/** Peers that are cut off: a leader without its quorum steps down, and one that hears nobody keeps its term. */
import type { Term } from '../../core/raft/index.ts';
import { expect } from '../finding.ts';
import type { PeerView } from './peer-view.ts';

/** In heartbeat timeouts: one by the slowest clock, and some room. */
const patience = 2.5;

interface Silence {
  readonly sinceMs: number;
  /** Once what was under way when the silence began has had its effect. */
  term: Term | undefined;
}

export class CutOffChecker {
  readonly #timeoutMs: number;
  readonly #leadsAlone = new Map<string, number>();
  readonly #silent = new Map<string, Silence>();

  /** A message of a peer that is gone may still come within `delayMsMax`. */
  constructor(heartbeatTimeoutMs: number, delayMsMax: number) {
    this.#timeoutMs = patience * heartbeatTimeoutMs + delayMsMax;
  }

  /** Called often. `reaches`: what this peer sends arrives there, and what comes from there arrives here. */
  look(
    peer: PeerView,
    nowMs: number,
    reaches: (id: string) => boolean,
    hears: (id: string) => boolean,
    everyone: readonly string[],
  ): void {
    this.#lookAtLeader(peer, nowMs, reaches);
    this.#lookAtTerm(
      peer,
      nowMs,
      everyone.every((id) => id === peer.id || !hears(id)),
    );
  }

  /** It starts anew. */
  crashed({ id }: { readonly id: string }): void {
    this.#leadsAlone.delete(id);
    this.#silent.delete(id);
  }

  #lookAtLeader({ id, raft }: PeerView, nowMs: number, reaches: (id: string) => boolean): void {
    const { role, configuration } = raft.status();
    const voters = configuration.servers.filter(({ suffrage }) => suffrage === 'voter');
    const reached = voters.filter((voter) => voter.id === id || reaches(voter.id));
    if (role !== 'leader' || reached.length * 2 > voters.length) {
      this.#leadsAlone.delete(id);
      return;
    }
    const sinceMs = this.#leadsAlone.get(id) ?? nowMs;
    this.#leadsAlone.set(id, sinceMs);
    expect(nowMs - sinceMs <= this.#timeoutMs, 'idle leader', () => {
      return `${id} reaches ${reached.length} of ${voters.length} voters for ${nowMs - sinceMs} ms and still leads`;
    });
  }

  #lookAtTerm({ id, raft }: PeerView, nowMs: number, isSilent: boolean): void {
    const { term, configuration } = raft.status();
    // A peer alone in its configuration may elect itself.
    if (!isSilent || configuration.servers.length <= 1) {
      this.#silent.delete(id);
      return;
    }
    const silence = this.#silent.get(id) ?? { sinceMs: nowMs, term: undefined };
    this.#silent.set(id, silence);
    if (nowMs - silence.sinceMs < this.#timeoutMs) return;
    silence.term ??= term;
    expect(term === silence.term, 'term growth', () => {
      return `${id} hears nobody and went from term ${silence.term} to ${term}`;
    });
  }
}
