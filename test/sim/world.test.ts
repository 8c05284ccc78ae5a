/** The world: whole peers, faults, clients; every seed twice. And that its checkers see planted bugs through the shell. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rules } from '../../src/core/raft/index.ts';
import { reportLines, runSeeds } from '../../src/sim/runner.ts';

const seeds = 220;
const seedsTwice = 60;

test(`world: ${seeds} seeds find nothing, and enough happens in them`, async () => {
  const report = await runSeeds({ simulation: 'world', from: 0, count: seeds });
  assert.equal(report.failed.length, 0, reportLines(report).join('\n'));
  const floors = { commits: 6_000, elections: 700, acknowledged: 2_500, reads: 1_500, crashes: 1_400, changes: 130 };
  for (const [name, floor] of Object.entries(floors)) {
    const count = report.totals[name] ?? 0;
    assert(count >= floor, `only ${count} ${name} in ${seeds} worlds, expected ${floor}: the worlds test too little`);
  }
});

test(`world: ${seedsTwice} seeds do the same when run again`, async () => {
  const report = await runSeeds({ simulation: 'world', from: 5000, count: seedsTwice, isTwice: true });
  assert.equal(report.failed.length + report.unrepeatable.length, 0, reportLines(report).join('\n'));
});

/** Seeds that once found something, in this code or in the simulation. */
const remembered = [88, 349, 1397, 1481, 30638];

for (const seed of remembered) {
  test(`world: seed ${seed}, which once failed`, async () => {
    const report = await runSeeds({ simulation: 'world', from: seed, count: 1, isTwice: true });
    assert.equal(report.failed.length + report.unrepeatable.length, 0, reportLines(report).join('\n'));
  });
}

interface PlantedBug {
  readonly name: string;
  readonly rules: Partial<Rules>;
  readonly checkers: readonly string[];
  readonly seeds: number;
}

const bugs: readonly PlantedBug[] = [
  {
    name: 'answers before the write is done',
    rules: { waitsForDisk: false },
    checkers: ['answered = durable'],
    seeds: 5,
  },
  {
    name: 'half of the peers decide',
    rules: { quorum: (voters) => Math.max(1, Math.floor(voters / 2)) },
    checkers: ['committed = durable on a quorum', 'leader holds a quorum of votes', 'one leader per term'],
    seeds: 20,
  },
  {
    name: 'a leader counts what it has not synced',
    rules: { ownMatch: (_durable, last) => last },
    checkers: ['committed = durable on a quorum'],
    seeds: 60,
  },
  {
    name: 'reads before the first commit of the term',
    rules: { waitsForFirstCommit: false },
    checkers: ['reads are fresh', 'no change before the first commit'],
    seeds: 30,
  },
  {
    name: 'votes without comparing logs',
    rules: { isUpToDate: () => true },
    checkers: ['assertion', 'committed stays durable'],
    seeds: 20,
  },
  {
    name: 'two votes in one term',
    rules: { mayVote: () => true },
    checkers: ['one vote per voter and term'],
    seeds: 20,
  },
  {
    name: 'a follower commits up to its own last entry',
    rules: { followerCommit: (leaderCommit, _proven, last) => Math.min(leaderCommit, last) },
    checkers: ['committed entries equal', 'applied entries equal'],
    seeds: 60,
  },
  {
    name: 'no pre-vote',
    rules: { preVotes: false },
    checkers: ['term growth'],
    seeds: 40,
  },
  {
    name: 'no first entry in a term',
    rules: { opensTerm: false },
    checkers: ['progress'],
    seeds: 10,
  },
];

for (const { name, rules, checkers, seeds } of bugs) {
  test(`planted bug: ${name}`, async () => {
    const { failed } = await runSeeds({ simulation: 'world', from: 0, count: seeds, rules, failuresMax: 1 });
    const [first] = failed;
    assert(first !== undefined, `not seen in ${seeds} seeds`);
    assert(checkers.includes(first.finding?.checker ?? ''), `seed ${first.seed}: ${first.finding?.message}`);
  });
}
