/** Runs many seeds of one kind of simulation, and tells what a failing one needs to be understood and repeated. */
import type { Rules } from '../core/raft/index.ts';
import type { Finding } from './finding.ts';
import type { Trace } from './trace.ts';
import { walk } from './walk/walk.ts';
import { runWorld } from './world/world.ts';

export const simulations = ['walk', 'world'] as const;
/** `walk`: engines only, without time. `world`: whole peers under virtual time. */
export type Simulation = (typeof simulations)[number];

/** Of a walk, unless said otherwise. */
const walkSteps = 3000;
const traceLinesShown = 60;
/** After this many failing seeds the rest is not run: they would tell the same. */
const failuresMax = 5;

/** What both simulations tell of a seed. */
export interface SeedResult {
  readonly seed: number;
  readonly finding: Finding | undefined;
  /** Equal whenever the seed is run again. */
  readonly hash: number;
  /** How much happened. */
  readonly counts: Readonly<Record<string, number>>;
  /** What was drawn from the seed, by name, as data. */
  readonly drawn: Readonly<Record<string, unknown>>;
  readonly trace: Trace;
  /** The peers at the end. */
  readonly table: readonly string[];
}

export interface RunInput {
  readonly simulation: Simulation;
  readonly from: number;
  readonly count: number;
  /** Of a walk. Default `walkSteps`. */
  readonly steps?: number;
  /** Planted bugs. */
  readonly rules?: Partial<Rules>;
  /** Default 5. */
  readonly failuresMax?: number;
  /** Run every seed twice and compare. */
  readonly isTwice?: boolean;
}

export interface RunReport {
  readonly input: RunInput;
  readonly run: number;
  readonly failed: readonly SeedResult[];
  /** Seeds that did something else the second time. */
  readonly unrepeatable: readonly number[];
  readonly totals: Readonly<Record<string, number>>;
}

/** Seeds one after the other: two at a time would hide whose a stray error is. */
export async function runSeeds(input: RunInput): Promise<RunReport> {
  const failed: SeedResult[] = [];
  const unrepeatable: number[] = [];
  const totals: Record<string, number> = {};
  let run = 0;
  for (; run < input.count && failed.length < (input.failuresMax ?? failuresMax); run++) {
    const seed = input.from + run;
    const result = await runSeed(input, seed, false);
    for (const [name, count] of Object.entries(result.counts)) totals[name] = (totals[name] ?? 0) + count;
    if (result.finding !== undefined) failed.push(await runSeed(input, seed, true));
    else if (input.isTwice && (await runSeed(input, seed, false)).hash !== result.hash) unrepeatable.push(seed);
  }
  return { input, run, failed, unrepeatable, totals };
}

function runSeed(
  { simulation, rules = {}, steps = walkSteps }: RunInput,
  seed: number,
  traces: boolean,
): Promise<SeedResult> {
  if (simulation === 'world') return runWorld({ seed, rules, traces });
  return Promise.resolve(walk({ seed, steps, rules, traces }));
}

/** Everything there is to say about a run, ready to print. */
export function reportLines({ input, run, failed, unrepeatable, totals }: RunReport): readonly string[] {
  const counts = Object.entries(totals).map(([name, count]) => `${count} ${name}`);
  return [
    ...failed.flatMap((result) => describe(result, input)),
    ...unrepeatable.map((seed) => `seed ${seed} of ${input.simulation} did something else when it was run again`),
    `${input.simulation}: ${run} seeds from ${input.from}, ${failed.length} failed; ${counts.join(', ')}`,
  ];
}

/** What, how to repeat it, what was drawn, the end of the trace, all peers. */
function describe({ seed, finding, drawn, trace, table }: SeedResult, { simulation, steps }: RunInput): string[] {
  const stepsGiven = steps === undefined ? '' : ` --steps ${steps}`;
  const lines = [
    `${simulation} ${seed} failed: ${finding?.message}`,
    `repeat: npm run sim -- ${simulation} --seed ${seed}${stepsGiven}`,
    ...Object.entries(drawn).map(([name, value]) => `${name}: ${JSON.stringify(value)}`),
    `trace, the last ${traceLinesShown} of ${trace.lines.length} lines:`,
    ...trace.lines.slice(-traceLinesShown).map((line) => `  ${line}`),
    'peers:',
    ...table.map((line) => `  ${line}`),
  ];
  const cause = finding?.cause;
  return cause instanceof Error ? [...lines, cause.stack ?? cause.message] : lines;
}
