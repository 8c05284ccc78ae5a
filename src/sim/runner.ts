/** Runs seeds one after the other: two at a time in one process would hide whose a stray error is. */
import type { Plants } from './plants.ts';
import type { History, SeedResult, Simulation } from './result.ts';
import { drawWalk } from './walk/plan.ts';
import { walk } from './walk/walk.ts';
import { drawWorld } from './world/plan.ts';
import type { Drain } from './world/scheduler.ts';
import { runWorld } from './world/world.ts';

/** Of a walk, unless said otherwise. */
const walkSteps = 3000;

/** Enough must happen in a run, or it tests little: so much in a thousand seeds, about half of what does. */
const floors: Readonly<Record<Simulation, Readonly<Record<string, number>>>> = {
  walk: {
    commits: 16_000,
    elections: 1900,
    successes: 8000,
    reads: 5500,
    crashes: 4500,
    changes: 240,
    transfers: 200,
    snapshots: 2600,
    installs: 150,
    leaves: 40,
  },
  world: {
    commits: 17_000,
    elections: 2700,
    acknowledged: 8000,
    reads: 9000,
    replaced: 500,
    contested: 1300,
    crashes: 3900,
    changes: 500,
    leaves: 90,
    strikes: 1250,
    snapshots: 3400,
    installs: 400,
    diskFailures: 280,
    replacements: 60,
    troubles: 1000,
    rows: 40_000,
    moved: 200,
    losses: 100,
    orders: 500,
    expired: 600,
  },
};

export interface RunInput {
  readonly simulation: Simulation;
  readonly from: number;
  readonly count: number;
  /** Of a walk. Default 3,000. */
  readonly steps?: number | undefined;
  readonly plants?: Plants;
  /** Of the first run of a seed. */
  readonly drain?: Drain;
  /** After this many failing seeds the rest is not run: they would tell the same. Default 5. */
  readonly failuresMax?: number;
  /** Run every seed twice and compare; a world is driven in two ways, see `Drain`. */
  readonly isTwice?: boolean;
}

export interface PlayOptions {
  readonly plants?: Plants;
  readonly traces?: boolean;
  readonly drain?: Drain;
}

export interface RunReport {
  readonly run: number;
  readonly failed: readonly SeedResult[];
  /** Seeds that did something else the second time. */
  readonly unrepeatable: readonly number[];
  readonly totals: Readonly<Record<string, number>>;
}

export async function runSeeds(input: RunInput): Promise<RunReport> {
  const failed: SeedResult[] = [];
  const unrepeatable: number[] = [];
  const totals: Record<string, number> = {};
  let run = 0;
  for (; run < input.count && failed.length < (input.failuresMax ?? 5); run++) {
    const seed = input.from + run;
    const history = draw(input.simulation, seed, input.steps);
    const result = await play(history, input);
    addCounts(totals, result.counts);
    if (result.finding !== undefined) failed.push(result);
    else if (input.isTwice && (await play(history, { ...input, drain: 'checkpoint' })).hash !== result.hash)
      unrepeatable.push(seed);
  }
  return { run, failed, unrepeatable, totals };
}

/** What the seed makes happen. */
export function draw(simulation: Simulation, seed: number, steps: number = walkSteps): History {
  if (simulation === 'world') return { simulation, plan: drawWorld(seed) };
  return { simulation, plan: drawWalk(seed, steps) };
}

export async function play(history: History, options: PlayOptions = {}): Promise<SeedResult> {
  const { plants = {}, traces = false, drain = 'loop' } = options;
  return history.simulation === 'world'
    ? await runWorld({ plan: history.plan, plants, traces, drain })
    : walk({ plan: history.plan, plants, traces });
}

export function addCounts(totals: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) totals[name] = (totals[name] ?? 0) + count;
}

/** What happened too rarely in so many seeds, a line each. */
export function belowFloors(simulation: Simulation, run: number, totals: Readonly<Record<string, number>>): string[] {
  return Object.entries(floors[simulation]).flatMap(([name, perThousand]) => {
    const floor = Math.floor((perThousand * run) / 1000);
    const count = totals[name] ?? 0;
    return count >= floor
      ? []
      : [`only ${count} ${name} in ${run} seeds, expected ${floor}: the ${simulation} tests too little`];
  });
}
