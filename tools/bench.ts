/**
 * Runs the benchmarks (`bench/*.bench.ts`, or those whose name contains one of the words given), keeps their lines in
 * `bench/history.ndjson`, and compares each figure with the one before: told from 1.2 times slower on, a failure from 3.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Line {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const history = join(root, 'bench', 'history.ndjson');
const toldAt = 1.2;
const failedAt = 3;

function linesOf(text: string): Line[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line): Line => JSON.parse(line));
}

/** How many times slower than before; rates (`…/s`) are better when higher, everything else when lower. */
function slowdown(before: Line, now: Line): number {
  return now.unit.endsWith('/s') ? before.value / now.value : now.value / before.value;
}

const words = process.argv.slice(2);
const all = globSync('bench/*.bench.ts', { cwd: root }).sort();
const wrong = words.find((word) => word.startsWith('-') || !all.some((file) => file.includes(word)));
if (wrong !== undefined) {
  const isHelp = wrong === '--help' || wrong === '-h';
  const problem = isHelp ? '' : `found "${wrong}", expected a part of the name of a benchmark\n`;
  console.error(`${problem}usage: npm run bench -- [words]\nbenchmarks: ${all.join(', ')}`);
  process.exit(isHelp ? 0 : 2);
}
const before = new Map(
  linesOf(existsSync(history) ? readFileSync(history, 'utf8') : '').map((line) => [line.name, line]),
);
for (const file of all) {
  if (words.length > 0 && !words.some((word) => file.includes(word))) continue;
  const { stdout, status } = spawnSync(process.execPath, [file], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.stdout.write(stdout);
  if (status !== 0) process.exitCode = 1;
  for (const line of linesOf(stdout)) {
    appendFileSync(history, `${JSON.stringify(line)}\n`);
    const last = before.get(line.name);
    const times = last === undefined ? 1 : slowdown(last, line);
    if (times >= toldAt) console.error(`${line.name}: ${times.toFixed(1)} times slower than last time`);
    if (times >= failedAt) process.exitCode = 1;
  }
}
