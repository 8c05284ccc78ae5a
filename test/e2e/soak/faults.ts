/** What can happen to the cluster in a round, chosen by the seed. */
import type { Random } from '../../../src/base/index.ts';

/**
 * - `leader`: it is killed under load, and the time until writes go on is measured.
 * - `follower`: one of the others is.
 * - `two`: the leader and one more at the same moment.
 * - `two leaders`: the next leader as well, as soon as it leads.
 * - `again`: the leader, and once more while it starts.
 * - `frozen`: the leader stands still for longer than an election takes, and does not know that when it goes on.
 * - `all`: everybody at the same moment.
 */
export type Fault = 'leader' | 'follower' | 'two' | 'two leaders' | 'again' | 'frozen' | 'all';

const weights: readonly (readonly [Fault, number])[] = [
  ['leader', 7],
  ['follower', 2],
  ['two', 3],
  ['two leaders', 2],
  ['again', 2],
  ['frozen', 2],
  ['all', 2],
];

/** Faults that leave no majority of fewer than five. */
const forFive: ReadonlySet<Fault> = new Set(['two', 'two leaders']);

export function chooseFault(random: Random, peerCount: number): Fault {
  const possible = weights.filter(([fault]) => peerCount >= 5 || !forFive.has(fault));
  let left = random.integer(possible.reduce((sum, [, weight]) => sum + weight, 0));
  for (const [fault, weight] of possible) {
    if (left < weight) return fault;
    left -= weight;
  }
  return 'leader';
}
