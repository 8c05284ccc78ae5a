/** The seeds of every test run: they find nothing, do enough, and do the same when run again. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseHistory } from '../../src/sim/plan-file.ts';
import type { SeedResult, Simulation } from '../../src/sim/result.ts';
import { belowFloors, play, runSeeds } from '../../src/sim/runner.ts';

const seeds: Readonly<Record<Simulation, number>> = { walk: 1000, world: 100 };

for (const simulation of ['walk', 'world'] as const) {
  const count = seeds[simulation];
  test(`${simulation}: ${count} seeds find nothing, and do the same when run again`, async () => {
    const { failed, unrepeatable, run, totals } = await runSeeds({ simulation, from: 0, count, isTwice: true });
    assert.deepEqual(failed.map(described), []);
    assert.deepEqual(unrepeatable, []);
    assert.deepEqual(belowFloors(simulation, run, totals), []);
  });
}

const plans = join(import.meta.dirname, 'plans');

for (const file of readdirSync(plans)) {
  test(`the history in plans/${file}, which once failed`, async () => {
    const history = parseHistory(readFileSync(join(plans, file), 'utf8'));
    const first = await play(history);
    assert.equal(first.finding, undefined, described(first));
    assert.equal((await play(history)).hash, first.hash);
  });
}

function described({ history, finding }: SeedResult): string {
  return `npm run sim -- ${history.simulation} --seed ${history.plan.seed}: ${finding?.message}`;
}
