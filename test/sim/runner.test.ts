/** What is around the simulations: processes, files of histories, shrinking, reports. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatHistory, parseHistory } from '../../src/sim/plan-file.ts';
import { runPool } from '../../src/sim/pool.ts';
import { failureLines } from '../../src/sim/report.ts';
import type { History, Simulation } from '../../src/sim/result.ts';
import { belowFloors, draw, play, runSeeds } from '../../src/sim/runner.ts';
import { shrink } from '../../src/sim/shrink.ts';

const main = join(import.meta.dirname, '../../src/sim/main.ts');
const hanging = join(import.meta.dirname, 'hanging-child.ts');

test('runPool: two processes do what one does', async () => {
  const input = { simulation: 'walk', from: 100, count: 50, isTwice: true } as const;
  const seen: number[] = [];
  const { totals, ...report } = await runPool(input, {
    processes: 2,
    program: [main, 'child-process'],
    onProgress: (run) => seen.push(run),
  });
  assert.deepEqual(report, { run: 50, failed: [], unrepeatable: [], hung: [] });
  assert.deepEqual(
    seen,
    Array.from({ length: 50 }, (_, at) => at + 1),
  );
  const alone = await runSeeds(input);
  assert.deepEqual(Object.entries(totals).sort(), Object.entries(alone.totals).sort());
});

test('runPool: a seed that does not end is told, as is one that ends its process, and the others are run', async () => {
  const { run, failed, hung } = await runPool(
    { simulation: 'walk', from: 0, count: 30 },
    { processes: 1, program: [hanging, ''], onProgress: () => {}, seedLimitMs: 3000 },
  );
  assert.deepEqual({ run, failed, hung }, { run: 28, failed: [8], hung: [3, 5] });
});

for (const simulation of ['walk', 'world'] as const) {
  test(`formatHistory: what parseHistory reads is the same ${simulation}`, () => {
    const history = draw(simulation, 7, 100);
    assert.deepEqual(parseHistory(formatHistory(history)), history);
  });
}

const unreadable: readonly (readonly [text: string, message: RegExp])[] = [
  ['{', /^Cannot read the plan: it is not JSON$/],
  ['null', /^Cannot read a plan of "undefined": expected walk or world$/],
  ['{"simulation":"run"}', /^Cannot read a plan of "run": expected walk or world$/],
  ['{"simulation":"walk","plan":{"seed":1}}', /^Cannot read the plan of a walk: it has no options, steps$/],
];

for (const [text, message] of unreadable) {
  test(`parseHistory: ${text} is refused`, () => {
    assert.throws(() => parseHistory(text), { code: 'sim/bad-plan', message });
  });
}

test('belowFloors: a run in which little happened is told', () => {
  const counts = { commits: 1e6, elections: 1e6, successes: 1e6, reads: 1e6, crashes: 1e6, changes: 1e6 };
  const enough = { ...counts, snapshots: 1e6, installs: 1e6, transfers: 1e6, leaves: 1e6 };
  assert.deepEqual(belowFloors('walk', 1000, enough), []);
  assert.match(String(belowFloors('walk', 1000, { ...enough, commits: 3 })), /^only 3 commits in 1000 seeds/);
});

interface Shrunk {
  readonly simulation: Simulation;
  readonly seed: number;
  readonly plants: Parameters<typeof shrink>[0]['plants'];
  readonly isSmall: (history: History) => boolean;
}

const shrunk: readonly Shrunk[] = [
  {
    simulation: 'walk',
    seed: 26,
    plants: { rules: { oneChangeAtATime: false } },
    isSmall: ({ plan }) => 'steps' in plan && plan.steps.length <= 60,
  },
  {
    simulation: 'world',
    seed: 0,
    plants: { rules: { waitsForDisk: false } },
    isSmall: ({ plan }) => 'faults' in plan && plan.faults.length + plan.operations.length === 0,
  },
];

for (const { simulation, seed, plants = {}, isSmall } of shrunk) {
  test(`shrink: a failing ${simulation} gets small, fails by the same checker, and is told`, async () => {
    const original = draw(simulation, seed);
    const { finding } = await play(original, { plants });
    assert(finding !== undefined);
    let runs = 0;
    const history = await shrink({ history: original, checker: finding.checker, plants, isOver: () => ++runs > 600 });
    assert(isSmall(history), formatHistory(history));
    const result = await play(history, { plants, traces: true });
    assert.equal(result.finding?.checker, finding.checker);
    const lines = failureLines({ original, result, commit: 'abc', repeat: ['again'], traceFile: 'file' });
    assert(lines[0]?.startsWith(`${simulation} ${seed} failed at ${result.at}, commit abc: ${finding.checker}: `));
    assert(lines.includes('repeat: again') && lines.includes('peers:'));
  });
}
