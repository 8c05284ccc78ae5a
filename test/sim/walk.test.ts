/** The walk: many seeds find nothing, each seed repeats exactly, and planted bugs are seen by the checker that should. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rules } from '../../src/core/raft/index.ts';
import { reportLines, runSeeds } from '../../src/sim/runner.ts';

const seeds = 1200;

test(`walk: ${seeds} seeds find nothing, and enough happens in them`, async () => {
  const report = await runSeeds({ simulation: 'walk', from: 0, count: seeds });
  const { failed, totals } = report;
  assert.equal(failed.length, 0, reportLines(report).join('\n'));
  const floors = { commits: 30_000, elections: 3_000, successes: 15_000, reads: 8_000, crashes: 6_000, changes: 500 };
  for (const [name, floor] of Object.entries(floors)) {
    const count = totals[name] ?? 0;
    assert(count >= floor, `only ${count} ${name} in ${seeds} walks, expected ${floor}: the walks test too little`);
  }
});

test('walk: a seed run again does the same', async () => {
  const { unrepeatable } = await runSeeds({ simulation: 'walk', from: 0, count: 40, isTwice: true });
  assert.deepEqual(unrepeatable, []);
});

interface PlantedBug {
  readonly name: string;
  readonly rules: Partial<Rules>;
  readonly checkers: readonly string[];
  /** Within this many seeds. About four times as many as it took. */
  readonly seeds: number;
}

const bugs: readonly PlantedBug[] = [
  {
    name: 'half of the peers decide',
    rules: { quorum: (voters) => Math.ceil(voters / 2) },
    checkers: ['committed = durable on a quorum', 'leader holds a quorum of votes'],
    seeds: 20,
  },
  {
    name: 'two votes in one term',
    rules: { mayVote: () => true },
    checkers: ['one vote per voter and term'],
    seeds: 20,
  },
  {
    name: 'answers before the write is done',
    rules: { waitsForDisk: false },
    checkers: ['answered = durable'],
    seeds: 5,
  },
  {
    name: 'a leader counts what it has not synced',
    rules: { ownMatch: (_durable, last) => last },
    checkers: ['committed = durable on a quorum'],
    seeds: 20,
  },
  {
    name: 'reads before the first commit of the term',
    rules: { waitsForFirstCommit: false },
    checkers: ['reads are fresh', 'no change before the first commit'],
    seeds: 40,
  },
  {
    name: 'reads without asking a quorum',
    rules: { confirmsRead: () => true },
    checkers: ['reads are fresh'],
    seeds: 700,
  },
  {
    name: 'reads confirmed by answers to older messages',
    rules: { confirmsRead: (sent, began) => sent >= began - 1 },
    checkers: ['reads are fresh'],
    seeds: 700,
  },
  {
    name: 'every append cuts the log',
    rules: { cutsOnlyConflicts: false },
    checkers: ['assertion', 'match <= disk', 'committed stays durable'],
    seeds: 5,
  },
  {
    name: 'no first entry in a term',
    rules: { opensTerm: false },
    checkers: ['progress'],
    seeds: 5,
  },
  {
    name: 'two changes of members at a time',
    rules: { oneChangeAtATime: false },
    checkers: ['one change at a time'],
    seeds: 60,
  },
  {
    name: 'a configuration outlives its entry',
    rules: { rollsBackConfiguration: false },
    checkers: ['configuration = log'],
    seeds: 40,
  },
  {
    name: 'votes without comparing logs',
    rules: { isUpToDate: () => true },
    checkers: ['assertion', 'committed stays durable'],
    seeds: 60,
  },
  {
    name: 'a follower commits up to its own last entry',
    rules: { followerCommit: (leaderCommit, _proven, last) => Math.min(leaderCommit, last) },
    checkers: ['committed entries equal'],
    seeds: 700,
  },
  {
    name: 'votes of earlier terms count',
    rules: { countsVote: () => true },
    checkers: ['leader holds a quorum of votes'],
    seeds: 100,
  },
];

for (const { name, rules, checkers, seeds } of bugs) {
  test(`planted bug: ${name}`, async () => {
    const { failed } = await runSeeds({ simulation: 'walk', from: 0, count: seeds, rules, failuresMax: 1 });
    const [first] = failed;
    assert(first !== undefined, `not seen in ${seeds} seeds`);
    assert(checkers.includes(first.finding?.checker ?? ''), `seed ${first.seed}: ${first.finding?.message}`);
  });
}
