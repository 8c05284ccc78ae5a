/**
 * Runs simulations by hand: `npm run sim -- --seeds 10000`, `npm run sim -- world --seed 17`.
 * Exit code 1 when a seed has found something, or too little has happened; 2 for bad arguments.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { errorCode, errorMessage } from '../base/index.ts';
import { formatHistory, parseHistory } from './plan-file.ts';
import { runPool, serveSeeds } from './pool.ts';
import { failureLines } from './report.ts';
import { type History, type Simulation, simulations } from './result.ts';
import { belowFloors, draw, play } from './runner.ts';
import { shrink } from './shrink.ts';

const usage = `usage: npm run sim -- [walk|world] [--seeds COUNT [--from N] | --seed N | --plan FILE] [--steps N] [--twice]

  walk         engines only, without time; world: whole peers under virtual time. Default: both.
  --seeds      run this many on all cores, default 1000
  --from       the first of them, default 0
  --seed       run this one
  --plan       run the history that is in this file, as a failing seed leaves it
  --steps      of a walk
  --twice      run every seed twice and compare
  --processes  how many at a time, default one for each core
  --out        folder for what failed: shrunk plans and whole traces. Default sim-failures`;

const shrinkLimitMs = 60_000;
/** Fewer seeds than this may by chance do little. */
const seedsForFloors = 200;
/** The argument of a child process. */
const childArgument = 'child-process';

interface Arguments {
  readonly simulations: readonly Simulation[];
  readonly seeds: number;
  readonly from: number;
  readonly seed: number | undefined;
  readonly plan: string | undefined;
  readonly steps: number | undefined;
  readonly isTwice: boolean;
  readonly processes: number;
  readonly out: string;
}

async function main(argv: readonly string[]): Promise<number> {
  let given: Arguments;
  let stored: History | undefined;
  try {
    given = parse(argv);
    stored = given.plan === undefined ? undefined : parseHistory(readFileSync(given.plan, 'utf8'));
  } catch (error) {
    // A wrong value needs one line; who does not know the options is shown them all.
    const isUnknown = errorCode(error).startsWith('ERR_PARSE_ARGS');
    console.error(isUnknown ? `${errorMessage(error)}\n${usage}` : errorMessage(error));
    return 2;
  }
  const { seed, steps } = given;
  if (stored !== undefined) return (await runOne(stored, given)) ? 0 : 1;
  let isClean = true;
  for (const simulation of given.simulations) {
    if (seed === undefined) isClean = (await runMany(simulation, given)) && isClean;
    else isClean = (await runOne(draw(simulation, seed, steps), given)) && isClean;
  }
  return isClean ? 0 : 1;
}

async function runMany(simulation: Simulation, given: Arguments): Promise<boolean> {
  const { seeds, from, steps, isTwice, processes } = given;
  const beganMs = performance.now();
  const seconds = (): string => ((performance.now() - beganMs) / 1000).toFixed(0);
  let shownMs = beganMs;
  const { run, failed, unrepeatable, hung, totals } = await runPool(
    { simulation, from, count: seeds, steps, isTwice },
    {
      processes,
      program: [import.meta.filename, childArgument],
      onProgress: (done, bad) => {
        const nowMs = performance.now();
        if (nowMs - shownMs < (process.stderr.isTTY ? 200 : 10_000)) return;
        shownMs = nowMs;
        const text = `${simulation}: ${done} of ${seeds} seeds, ${bad} failed, ${seconds()} s`;
        process.stderr.write(process.stderr.isTTY ? `\r${text}` : `${text}\n`);
      },
    },
  );
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  for (const seed of failed) await explain(draw(simulation, seed, steps), given);
  for (const seed of hung)
    console.log(`${simulation} ${seed} does not end: npm run sim -- ${simulation} --seed ${seed}`);
  for (const seed of unrepeatable) console.log(`${simulation} ${seed} did something else when it was run again`);
  const poor = run >= seedsForFloors ? belowFloors(simulation, run, totals) : [];
  for (const line of poor) console.log(line);
  const counts = Object.entries(totals).map(([name, count]) => `${count} ${name}`);
  const bad = failed.length + hung.length + unrepeatable.length;
  console.log(`${simulation}: ${run} seeds from ${from}, ${bad} failed, ${seconds()} s; ${counts.join(', ')}`);
  return bad + poor.length === 0;
}

/** @returns whether nothing was found. */
async function runOne(history: History, given: Arguments): Promise<boolean> {
  const { finding, hash, at, counts } = await play(history);
  const name = `${history.simulation} ${history.plan.seed}`;
  if (finding !== undefined) {
    await explain(history, given);
    return false;
  }
  if (given.isTwice && (await play(history)).hash !== hash) {
    console.log(`${name} did something else when it was run again`);
    return false;
  }
  console.log(`${name} found nothing, ended at ${at}, hash ${hash.toString(16)}: ${JSON.stringify(counts)}`);
  return true;
}

/** Shrinks a failing history, keeps it with its trace, and prints what there is to say. */
async function explain(original: History, { plan, steps, out }: Arguments): Promise<void> {
  const { finding } = await play(original);
  const endMs = performance.now() + shrinkLimitMs;
  const history = await shrink({
    history: original,
    checker: finding?.checker ?? '',
    isOver: () => performance.now() > endMs,
  });
  const result = await play(history, { traces: true });
  const { simulation } = original;
  const { seed } = original.plan;
  mkdirSync(out, { recursive: true });
  const planFile = join(out, `${simulation}-${seed}.json`);
  const traceFile = join(out, `${simulation}-${seed}.trace`);
  writeFileSync(planFile, formatHistory(history));
  writeFileSync(traceFile, `${result.trace.lines.join('\n')}\n`);
  const given = plan === undefined ? `${simulation} --seed ${seed}` : `--plan ${plan}`;
  const stepsGiven = steps === undefined || plan !== undefined ? '' : ` --steps ${steps}`;
  const repeat = [`npm run sim -- ${given}${stepsGiven}`, `npm run sim -- --plan ${planFile}`];
  console.log(failureLines({ original, result, commit: commitOf(), repeat, traceFile }).join('\n'));
}

function commitOf(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch (_error) {
    // A copy without its history.
    return 'unknown';
  }
}

function parse(argv: readonly string[]): Arguments {
  const text = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      seed: text,
      seeds: text,
      from: text,
      plan: text,
      steps: text,
      twice: { type: 'boolean' },
      processes: text,
      out: text,
    },
  });
  const names = positionals.length === 0 ? simulations : simulations.filter((name) => positionals.includes(name));
  if (positionals.some((name) => !simulations.some((known) => known === name))) {
    throw new RangeError(`Unknown simulation "${positionals.join(' ')}": expected ${simulations.join(' or ')}`);
  }
  const number = (name: 'seed' | 'seeds' | 'from' | 'steps' | 'processes'): number | undefined => {
    const value = values[name];
    if (value === undefined) return undefined;
    if (!/^\d{1,15}$/.test(value)) throw new RangeError(`Cannot read --${name} "${value}": expected a whole number`);
    return Number(value);
  };
  return {
    simulations: names,
    seeds: number('seeds') ?? 1000,
    from: number('from') ?? 0,
    seed: number('seed'),
    plan: values.plan,
    steps: number('steps'),
    isTwice: values.twice ?? false,
    processes: Math.max(1, number('processes') ?? availableParallelism()),
    out: values.out ?? 'sim-failures',
  };
}

if (process.argv[2] === childArgument) serveSeeds();
else process.exitCode = await main(process.argv.slice(2));
