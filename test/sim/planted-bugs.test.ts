/** Every planted bug is seen by the checker that should, within the seeds allowed. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runSeeds } from '../../src/sim/runner.ts';
import { harmlessBugs, plantedBugs, scriptedBugs } from './planted-bugs.ts';

for (const { name, simulation, plants, checkers, seeds } of plantedBugs) {
  test(`planted bug: ${name}`, async () => {
    const { failed } = await runSeeds({
      simulation,
      from: 0,
      count: seeds,
      plants,
      failuresMax: 1,
      drain: 'checkpoint',
    });
    const finding = failed[0]?.finding;
    assert(finding !== undefined, `not seen in ${seeds} seeds of the ${simulation}`);
    assert(checkers.includes(finding.checker), `${simulation} ${failed[0]?.history.plan.seed}: ${finding.message}`);
  });
}

for (const { name, plants, because } of harmlessBugs) {
  test(`planted bug without effect: ${name}; ${because}`, async () => {
    const { failed } = await runSeeds({ simulation: 'walk', from: 0, count: 40, plants, failuresMax: 1 });
    assert.equal(failed[0]?.finding?.message, undefined, 'seen: it belongs among the others');
  });
}

for (const {
  name,
  because,
  test: [file, title],
} of scriptedBugs) {
  test(`bug with a test of its own: ${name}; ${because}`, () => {
    const text = readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
    assert(text.includes(`test('${title}'`), `${file} has no test "${title}"`);
  });
}
