/**
 * Linearizable reads without writing (Raft thesis 6.4).
 *
 * A read needs (1) that the leader has committed an entry of its own term, else it does not know what is committed; (2) that it
 * still leads: a quorum has answered messages that were sent *after* the read began; (3) that the state has reached what
 * was committed when the read began. For (2) the leader remembers of each message the round it was sent in. A read is confirmed by
 * the round after it; that begins at once, or, when other reads wait for the present one, as soon as they are
 * confirmed, and at the latest with the next heartbeat.
 */
import { reachedBy, votersOf } from './quorum.ts';
import { sendHeartbeat } from './replication.ts';
import type { Leader, Read, State } from './state.ts';

export function beginRead(state: State, id: number): void {
  const { role } = state;
  if (role.kind !== 'leader') {
    state.refuse(id, 'not-leader');
    return;
  }
  if (state.countWaiting() >= state.options.waitingMax) {
    state.refuse(id, 'busy');
    return;
  }
  const index = maySeeCommit(state) ? state.commit : undefined;
  const isRoundFree = role.reads.every((read) => read.round > role.round);
  role.reads.push({ id, index, round: role.round + 1 });
  if (isRoundFree) beginRound(state, role);
  confirmReads(state, role);
}

/** Called whenever a round, or the first commit of the term, may have been reached. */
export function confirmReads(state: State, role: Leader): void {
  if (role.reads.length === 0) return;
  const confirmed = confirmedRound(state, role);
  const left: Read[] = [];
  for (const read of role.reads) {
    if (read.index === undefined && maySeeCommit(state)) read.index = state.commit;
    if (read.index !== undefined && state.rules.confirmsRead(confirmed, read.round)) {
      state.waiting.placeRead(read.id, read.index);
    } else left.push(read);
  }
  const hadReads = role.reads.length > left.length;
  role.reads.splice(0, role.reads.length, ...left);
  if (hadReads && left.length > 0 && left.every((read) => read.round > role.round)) beginRound(state, role);
}

function maySeeCommit({ isEstablished, rules }: State): boolean {
  return isEstablished || !rules.readsWaitForFirstCommit;
}

function beginRound(state: State, role: Leader): void {
  role.round++;
  for (const [peer, follower] of role.followers) sendHeartbeat(state, role, peer, follower);
}

/** The latest round that a quorum has answered; the leader itself always has. */
function confirmedRound(state: State, role: Leader): number {
  const rounds = votersOf(state.journal.configuration).map((voter) =>
    voter === state.self ? role.round : (role.followers.get(voter)?.round ?? 0),
  );
  return reachedBy(rounds, state.quorum('read'));
}
