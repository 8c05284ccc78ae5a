/**
 * Runs simulations by hand: `npm run sim -- --seeds 10000`, `npm run sim -- world --seed 17`.
 * Exit code 1 when a seed has found something, 2 for bad arguments.
 */
import { parseArgs } from 'node:util';
import { errorMessage } from '../base/index.ts';
import { type RunInput, reportLines, runSeeds, simulations } from './runner.ts';

const usage = `usage: npm run sim -- [walk|world] [--seed N | --seeds COUNT [--from N]] [--steps N] [--twice]

  walk     engines only, without time; world: whole peers under virtual time. Default: both.
  --seed   run this one
  --seeds  run this many, default 1000
  --from   the first of them, default 0
  --steps  of a walk
  --twice  run every seed twice and compare`;

async function main(argv: readonly string[]): Promise<number> {
  let inputs: readonly RunInput[];
  try {
    inputs = parse(argv);
  } catch (error) {
    console.error(`${errorMessage(error)}\n${usage}`);
    return 2;
  }
  let isClean = true;
  for (const input of inputs) {
    const report = await runSeeds(input);
    console.log(reportLines(report).join('\n'));
    isClean &&= report.failed.length === 0 && report.unrepeatable.length === 0;
  }
  return isClean ? 0 : 1;
}

function parse(argv: readonly string[]): readonly RunInput[] {
  const text = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { seed: text, seeds: text, from: text, steps: text, twice: { type: 'boolean' } },
  });
  const names = positionals.length === 0 ? simulations : simulations.filter((name) => positionals.includes(name));
  if (positionals.some((name) => !simulations.some((known) => known === name))) {
    throw new RangeError(`Unknown simulation "${positionals.join(' ')}": expected ${simulations.join(' or ')}`);
  }
  const number = (name: 'seed' | 'seeds' | 'from' | 'steps'): number | undefined => {
    const value = values[name];
    if (value === undefined) return undefined;
    if (!/^\d{1,12}$/.test(value)) throw new RangeError(`Cannot read --${name} "${value}": expected a whole number`);
    return Number(value);
  };
  const seed = number('seed');
  const steps = number('steps');
  return names.map((simulation) => ({
    simulation,
    from: seed ?? number('from') ?? 0,
    count: seed === undefined ? (number('seeds') ?? 1000) : 1,
    isTwice: values.twice ?? false,
    ...(steps !== undefined && { steps }),
  }));
}

process.exitCode = await main(process.argv.slice(2));
