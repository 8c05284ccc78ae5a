/** What both simulations take and tell. */
import type { Finding } from './finding.ts';
import type { Trace } from './trace.ts';
import type { WalkPlan } from './walk/plan.ts';
import type { WorldPlan } from './world/plan.ts';

export const simulations = ['walk', 'world'] as const;
/** `walk`: engines only, without time. `world`: whole peers under virtual time. */
export type Simulation = (typeof simulations)[number];

/** All that happens to a simulation, as data: it repeats exactly, also after the way plans are drawn has changed. */
export type History =
  | { readonly simulation: 'walk'; readonly plan: WalkPlan }
  | { readonly simulation: 'world'; readonly plan: WorldPlan };

/** What there is to say of one history. */
export interface SeedResult {
  readonly history: History;
  readonly finding: Finding | undefined;
  /** When it ended, for people. */
  readonly at: string;
  /** Equal whenever the history is run again. */
  readonly hash: number;
  /** How much happened. */
  readonly counts: Readonly<Record<string, number>>;
  readonly trace: Trace;
  /** The peers at the end. */
  readonly table: readonly string[];
}
