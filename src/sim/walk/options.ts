/** What a walk is drawn from: a profile that means well hides bugs, so every seed has its own. */
import type { SeededRandom } from '../../base/index.ts';
import type { RaftOptions } from '../../core/raft/index.ts';
import { pick } from '../pick.ts';

/** What may happen next, each with its weight. */
export const actions = [
  'tick',
  'deliver',
  'fail',
  'copy',
  'write',
  'apply',
  'crash',
  'propose',
  'read',
  'change',
  'burst',
] as const;

export type Action = (typeof actions)[number];

export interface WalkOptions {
  readonly raft: Partial<RaftOptions>;
  readonly weights: Readonly<Record<Action, number>>;
  /** Of 100 messages, how many are taken in the order they were sent. */
  readonly inOrderPercent: number;
  /** Of 100 steps of a burst, how many more are ticks: enough for elections on one side while the other stands still. */
  readonly burstTickPercent: number;
  /** Voters at the start; one more peer is there to be added. */
  readonly voters: number;
}

export function drawOptions(random: SeededRandom): WalkOptions {
  return {
    raft: {
      entriesPerAppendMax: pick(random, [1, 1, 4, 32]),
      appendsInFlightMax: pick(random, [1, 2, 4]),
      electionSpreadTicks: pick(random, [3, 10, 10]),
      applyMax: pick(random, [1, 3, 1024]),
    },
    weights: {
      tick: pick(random, [2, 4, 10]),
      deliver: pick(random, [60, 100, 200]),
      fail: pick(random, [0, 2, 10]),
      copy: pick(random, [0, 0, 3]),
      write: pick(random, [20, 60]),
      apply: pick(random, [10, 40]),
      crash: pick(random, [0, 0.3, 1.5]),
      propose: pick(random, [4, 16]),
      read: pick(random, [0, 3, 8]),
      change: pick(random, [0, 0, 0.5, 2]),
      burst: pick(random, [0, 0.2, 1]),
    },
    inOrderPercent: pick(random, [0, 60, 95]),
    burstTickPercent: pick(random, [0, 15, 15]),
    voters: pick(random, [5, 5, 5, 3, 4]),
  };
}
