/** Runs many seeds, and tells what a failing one needs to be understood and repeated. */
import type { Rules } from '../core/raft/index.ts';
import { type WalkCounts, type WalkResult, walk } from './walk/walk.ts';

const traceLinesShown = 60;
/** After this many failing seeds the rest is not run: they would tell the same. */
const failuresMax = 5;

export interface RunInput {
  readonly from: number;
  readonly count: number;
  readonly steps: number;
  readonly rules?: Partial<Rules>;
  /** Default 5. */
  readonly failuresMax?: number;
}

export interface RunReport {
  readonly input: RunInput;
  readonly run: number;
  readonly failed: readonly WalkResult[];
  readonly totals: WalkCounts;
}

export function runWalks(input: RunInput): RunReport {
  const failed: WalkResult[] = [];
  const totals = { commits: 0, elections: 0, successes: 0, reads: 0, crashes: 0, changes: 0 };
  let run = 0;
  for (; run < input.count && failed.length < (input.failuresMax ?? failuresMax); run++) {
    const { steps, rules = {} } = input;
    const seed = input.from + run;
    const result = walk({ seed, steps, rules });
    for (const key of Object.keys(totals) as (keyof WalkCounts)[]) totals[key] += result.counts[key];
    if (result.finding !== undefined) failed.push(walk({ seed, steps, rules, traces: true }));
  }
  return { input, run, failed, totals };
}

export function printReport({ input, run, failed, totals }: RunReport, print: (line: string) => void): void {
  for (const result of failed) for (const line of describe(result, input.steps)) print(line);
  const counts = Object.entries(totals).map(([name, count]) => `${count} ${name}`);
  print(`${run} seeds from ${input.from}, ${failed.length} failed; ${counts.join(', ')}`);
}

/** What to print about a seed that failed: what, how to repeat it, options, the end of the trace, all peers. */
export function describe(result: WalkResult, steps: number): readonly string[] {
  const { seed, finding, options, trace, table } = result;
  const lines = [
    `seed ${seed} failed: ${finding?.message}`,
    `repeat: npm run sim -- --seed ${seed} --steps ${steps}`,
    `options: ${JSON.stringify(options)}`,
    `trace, the last ${traceLinesShown} of ${trace.lines.length} lines:`,
    ...trace.lines.slice(-traceLinesShown).map((line) => `  ${line}`),
    'peers:',
    ...table.map((line) => `  ${line}`),
  ];
  const { checker = '', stack = '' } = finding ?? {};
  return checker === 'exception' || checker === 'assertion' ? [...lines, stack] : lines;
}
