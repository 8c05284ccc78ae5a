/**
 * Logs: what two of them hold at one index and term is the same up to there; what is answered is on disk; what is committed
 * is on a quorum of disks, stays there, and no peer that lacks it could be elected.
 */
import type {
  AppendRequest,
  Base,
  Configuration,
  Entry,
  LogIndex,
  LogOp,
  SnapshotRequest,
  Status,
  Term,
} from '../../core/raft/index.ts';
import { expect } from '../finding.ts';
import { mixEntry } from '../hash.ts';
import type { PeerView } from './peer-view.ts';

export class LogChecker {
  /** Hash of the whole log up to an entry, by index and term. */
  readonly #known = new Map<string, number>();
  /** For each peer, the hash up to each entry on its disk. */
  readonly #hashes = new Map<string, number[]>();
  /** Terms of the committed entries, by index. */
  readonly #committed: Term[] = [0];
  /** Commit index of each peer, as last seen. */
  readonly #commits = new Map<string, LogIndex>();
  /** Configuration of each peer, as last seen. */
  readonly #configurations = new Map<string, Configuration>();

  /** The highest index that any peer has committed. */
  get commit(): LogIndex {
    return this.#committed.length - 1;
  }

  /** Before a write becomes durable on the peer's disk. */
  writes(peer: PeerView, ops: readonly LogOp[]): void {
    let hashes = this.#hashes.get(peer.id);
    if (hashes === undefined) {
      hashes = [0];
      this.#hashes.set(peer.id, hashes);
    }
    for (const op of ops) {
      if (op.type === 'cut') {
        this.#checkCut(peer, op.from);
        hashes.length = op.from;
      } else if (op.type === 'put') {
        for (const entry of op.entries) hashes[entry.index] = this.#learn(peer, entry, hashes);
      } else if (op.type === 'reset') {
        this.#checkCut(peer, op.base.index + 1);
        hashes.length = 0;
        hashes[op.base.index] = this.#hashAt(peer, op.base);
      }
    }
  }

  #checkCut(peer: PeerView, from: LogIndex): void {
    for (let index = from; index <= Math.min(this.commit, peer.disk.lastIndex); index++) {
      const isCommitted = peer.disk.termAt(index) === this.#committed[index];
      expect(!isCommitted, 'committed stays durable', () => `${peer.id} cuts off ${index}, which is committed`);
    }
  }

  #hashAt({ id }: PeerView, { index, term }: Base): number {
    const hash = this.#known.get(`${index}/${term}`);
    const isCommitted = hash !== undefined && this.#committed[index] === term;
    expect(isCommitted, 'snapshots are of what is committed', () => {
      return `${id} begins its log at ${index} of term ${term}, which is not committed`;
    });
    return hash;
  }

  #learn(peer: PeerView, entry: Entry, hashes: readonly number[]): number {
    const hash = mixEntry(hashes[entry.index - 1] ?? 0, entry);
    const key = `${entry.index}/${entry.term}`;
    const known = this.#known.get(key);
    expect(known === undefined || known === hash, 'log matching', () => {
      return `${peer.id} has another entry, or others before it, at index ${entry.index} of term ${entry.term}`;
    });
    this.#known.set(key, hash);
    return hash;
  }

  /** A follower says "yes" to an append. */
  accepts(peer: PeerView, { term, prevIndex, prevTerm, entries }: AppendRequest): void {
    const { disk } = peer;
    const lastIndex = prevIndex + entries.length;
    const lastTerm = entries.at(-1)?.term ?? prevTerm;
    const isDurable = disk.hard.term >= term && (lastIndex <= disk.base.index || disk.termAt(lastIndex) === lastTerm);
    expect(isDurable, 'answered = durable', () => {
      return `${peer.id} answers for ${lastIndex} of term ${lastTerm} in term ${term}, which its disk has not`;
    });
  }

  /** A follower says "yes" to a snapshot. */
  installed({ id, disk }: PeerView, { base }: SnapshotRequest): void {
    const isDurable = base.index <= disk.base.index || disk.termAt(base.index) === base.term;
    expect(isDurable, 'answered = durable', () => {
      return `${id} answers for a snapshot up to ${base.index}, its disk has ${disk.base.index} to ${disk.lastIndex}`;
    });
  }

  /** After every step of a peer. */
  stepped(peer: PeerView, status: Status, peers: readonly PeerView[]): void {
    this.#checkDurable(peer, status);
    const before = this.#commits.get(peer.id) ?? 0;
    if (status.commit > before) {
      this.#commits.set(peer.id, status.commit);
      this.#learnCommit(peer, status, before, peers);
    }
    this.#configurations.set(peer.id, status.configuration);
    if (status.role === 'leader') this.#checkMatches(peer, status, peers);
  }

  /** Forget what the peer knew: it starts again from its disk. */
  restarted(peer: PeerView): void {
    const { commit, configuration } = peer.raft.status();
    this.#commits.set(peer.id, commit);
    this.#configurations.set(peer.id, configuration);
  }

  /** Its disk is empty. */
  emptied({ id }: PeerView): void {
    this.#hashes.delete(id);
  }

  #checkDurable({ id, raft, disk }: PeerView, { durable, applied, baseIndex }: Status): void {
    // Up to where the log begins the state is durable instead; the disk may not yet have let go of what is before.
    const isDurable = durable === baseIndex || disk.termAt(durable) === raft.entry(durable)?.term;
    expect(isDurable, 'durable index = disk', () => `${id} believes to have ${durable} on disk`);
    expect(applied <= durable, 'applied <= durable', () => `${id} applied ${applied}, its disk has ${durable}`);
  }

  #learnCommit(peer: PeerView, status: Status, before: LogIndex, peers: readonly PeerView[]): void {
    const { raft } = peer;
    const { baseIndex } = status;
    const termAt = (index: LogIndex): Term => (index === baseIndex ? raft.baseAt(index) : raft.entry(index))?.term ?? 0;
    for (let index = Math.max(before + 1, baseIndex); index <= status.commit; index++) {
      const term = termAt(index);
      const known = this.#committed[index];
      expect(known === undefined || known === term, 'committed entries equal', () => {
        return `${peer.id} commits ${index} of term ${term}, another peer committed it of term ${known}`;
      });
    }
    if (status.commit <= this.commit) return;
    for (let index = this.commit + 1; index <= status.commit; index++) {
      this.#committed[index] = termAt(index);
    }
    this.#checkCommit(peer, status, peers);
  }

  /** A step may commit by the members there were, and then change them; both decide who can be elected. */
  #checkCommit(leader: PeerView, { commit, configuration }: Status, peers: readonly PeerView[]): void {
    const term = this.#committed[commit];
    const holds = ({ disk }: PeerView): boolean => disk.base.index >= commit || disk.termAt(commit) === term;
    const electorates = [configuration, this.#configurations.get(leader.id) ?? configuration].map(({ servers }) => {
      const ids = new Set(servers.filter(({ suffrage }) => suffrage === 'voter').map(({ id }) => id));
      const voters = peers.filter(({ id }) => ids.has(id));
      return { size: ids.size, voters, holders: voters.filter(holds) };
    });
    expect(
      electorates.some(({ size, holders }) => holders.length * 2 > size),
      'committed = durable on a quorum',
      () => {
        const disks = electorates.map(({ size, holders }) => `${holders.length} of ${size} disks`);
        return `${leader.id} commits ${commit} of term ${term}, on ${[...new Set(disks)].join(' or ')}`;
      },
    );
    for (const { size, voters, holders } of electorates) {
      for (const peer of voters) {
        if (holders.includes(peer)) continue;
        const electors = voters.filter((voter) => isAsFresh(peer, voter));
        expect(electors.length * 2 <= size, 'no electable peer without it', () => {
          return `${peer.id} lacks ${commit} of term ${term}, and ${electors.length} of ${size} could elect it`;
        });
      }
    }
  }

  /** What a leader believes of a follower that has not left for a later term. */
  #checkMatches({ id, raft }: PeerView, { term, configuration }: Status, peers: readonly PeerView[]): void {
    for (const [follower, match] of raft.matches()) {
      // One that was removed may have put its data away.
      if (match === 0 || configuration.servers.every((server) => server.id !== follower)) continue;
      const peer = peers.find((peer) => peer.id === follower);
      if (peer === undefined || peer.disk.hard.term > term) continue;
      const termThere = raft.entry(match)?.term ?? this.#committed[match];
      const isThere = peer.disk.base.index >= match || peer.disk.termAt(match) === termThere;
      expect(isThere, 'match <= disk', () => {
        return `${id} believes that ${follower} has ${match}, its disk ends at ${peer.disk.lastIndex}`;
      });
    }
  }
}

function isAsFresh({ disk: a }: PeerView, { disk: b }: PeerView): boolean {
  return a.lastTerm > b.lastTerm || (a.lastTerm === b.lastTerm && a.lastIndex >= b.lastIndex);
}
