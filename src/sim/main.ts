/**
 * Runs simulations by hand: `npm run sim -- --seeds 1000`, `npm run sim -- --seed 17`.
 * Exit code 1 when a seed has found something.
 */
import { printReport, runWalks } from './runner.ts';

const usage = 'usage: npm run sim -- [--seed N | --seeds COUNT [--from N]] [--steps N]';

function main(argv: readonly string[]): number {
  const options = parse(argv);
  if (options === undefined) {
    console.error(usage);
    return 2;
  }
  const report = runWalks(options);
  printReport(report, (line) => console.log(line));
  return report.failed.length === 0 ? 0 : 1;
}

function parse(argv: readonly string[]): { from: number; count: number; steps: number } | undefined {
  const values = new Map<string, number>();
  for (let at = 0; at < argv.length; at += 2) {
    const name = argv[at];
    const value = Number(argv[at + 1]);
    if (name === undefined || !['--seed', '--seeds', '--from', '--steps'].includes(name)) return undefined;
    if (!Number.isSafeInteger(value) || value < 0) return undefined;
    values.set(name, value);
  }
  const seed = values.get('--seed');
  return {
    from: seed ?? values.get('--from') ?? 0,
    count: seed === undefined ? (values.get('--seeds') ?? 1000) : 1,
    steps: values.get('--steps') ?? 3000,
  };
}

process.exitCode = main(process.argv.slice(2));
