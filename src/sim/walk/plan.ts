/**
 * What happens in a walk: options and steps, drawn from the seed as plain data before anything is played. A profile that means well
 * hides bugs, so every seed has options of its own.
 */
import { SeededRandom } from '../../base/index.ts';
import type { RaftOptions } from '../../core/raft/index.ts';
import { pick } from '../pick.ts';

/** What may happen next, each with its weight. */
const actions = [
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
  'transfer',
  'compact',
  'snapshot',
  'receive',
  'restore',
  'burst',
  'leave',
] as const;

export type Action = (typeof actions)[number];

/** An action, and a number that all choices within it come from: steps can be left out without changing the others. */
export type Step = readonly [Action, number];

export interface WalkPlan {
  readonly seed: number;
  readonly options: WalkOptions;
  readonly steps: readonly Step[];
}

export interface WalkOptions {
  readonly raft: Partial<RaftOptions>;
  readonly weights: Readonly<Record<Action, number>>;
  /** Of 100 messages, how many are taken in the order they were sent. */
  readonly inOrderPercent: number;
  /** Of 100 steps of a burst, how many more are ticks: enough for elections on one side while the other stands still. */
  readonly burstTickPercent: number;
  /** Entries that stay in the log when it is compacted. */
  readonly trailing: number;
  /** Voters at the start; one more peer is there to be added. */
  readonly voters: number;
}

export function drawWalk(seed: number, steps: number): WalkPlan {
  const random = new SeededRandom(`walk/${seed}`);
  const options = drawOptions(random.derive('options'));
  return { seed, options, steps: drawSteps(random.derive('steps'), options, steps) };
}

function drawSteps(random: SeededRandom, { weights }: WalkOptions, count: number): Step[] {
  const shares = actions.map((action) => Math.round(weights[action] * 10));
  const total = shares.reduce((sum, share) => sum + share, 0);
  return Array.from({ length: count }, () => {
    let draw = random.integer(total);
    const at = shares.findIndex((share) => {
      draw -= share;
      return draw < 0;
    });
    return [actions[at] ?? 'tick', random.integer(2 ** 32)];
  });
}

function drawOptions(random: SeededRandom): WalkOptions {
  const snapshot = pick(random, [0, 1, 4]);
  const raft = {
    entriesPerAppendMax: pick(random, [1, 1, 4, 32]),
    appendsInFlightMax: pick(random, [1, 2, 4]),
    electionSpreadTicks: pick(random, [3, 10, 10]),
    applyMax: pick(random, [1, 3, 1024]),
    waitingMax: pick(random, [3, 8192, 8192]),
  };
  const options = {
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
      change: pick(random, [0, 0.5, 2]),
      transfer: pick(random, [0, 0.3]),
      compact: snapshot,
      snapshot,
      receive: snapshot === 0 ? 0 : pick(random, [4, 40]),
      restore: snapshot === 0 ? 0 : pick(random, [4, 40]),
      burst: pick(random, [0, 0.2, 1]),
      leave: pick(random.derive('leave'), [0, 2]),
    },
    inOrderPercent: pick(random, [0, 60, 95]),
    burstTickPercent: pick(random, [0, 15, 15]),
    trailing: pick(random, [0, 0, 3, 20]),
    voters: pick(random, [5, 5, 5, 3, 4]),
  };
  // Few ticks let disks hang by chance: leaders step down all the time.
  return { raft: { ...raft, hangingTicks: pick(random, [20, 100, 100]) }, ...options };
}

/** What makes a walk easier to read, one by one. */
export const calmWalk: Partial<WalkOptions> = {
  voters: 3,
  raft: { entriesPerAppendMax: 32, appendsInFlightMax: 1 },
  inOrderPercent: 95,
  burstTickPercent: 0,
};
