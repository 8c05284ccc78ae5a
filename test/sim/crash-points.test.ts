/** A peer that takes a snapshot crashes after each write of its disk in turn: it always comes back to the same state. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Plants } from '../../src/sim/plants.ts';
import { play } from '../../src/sim/runner.ts';
import type { ArmedFault, Trigger, WorldPlan } from '../../src/sim/world/plan.ts';
import { forgetsRestores } from './bugs/shell.ts';

/** An install has about six; some more before and after. */
const writesMax = 12;
/** Of each point: whether the disk has kept what was under way is left to chance. */
const seedsPerPoint = 3;

/** Peer 2 is away while the others log and compact, and is sent a snapshot when it is back. */
function scriptedPlan(seed: number, armed: readonly ArmedFault[]): WorldPlan {
  return {
    seed,
    options: {
      voters: 3,
      heartbeatTimeoutMs: 1000,
      leaseTimeoutMs: 500,
      networkTimeoutMs: 2000,
      maxAppendEntries: 4,
      appendsInFlightMax: 2,
      applyMax: 1024,
      electionSpreadTicks: 10,
      waitingMax: 8192,
      snapshotThreshold: 5,
      snapshotIntervalMs: 100,
      trailingLogs: 0,
      snapshotDelayMsMax: 20,
      latencyMs: 0.5,
      slowPercent: 0,
      slowMsMax: 50,
      lossPercent: 0,
      copyPercent: 0,
      syncMs: 1,
      stateMs: 1,
      raftOver: 'messages',
      replicationMin: 1,
      replicationMax: -1,
      pinQueueMax: 1_000_000,
      concurrentPins: 2,
      stateSyncMs: 300_000,
      repins: false,
      graceMs: 120_000,
      pingMs: 5000,
      metricTtlMs: 10_000,
      repinsPerSecond: 100,
      reconcileMs: 720_000,
      pinMs: 5,
      leavesWhenRemoved: false,
      multiplexed: -1,
    },
    faults: [{ atMs: 1500, act: { kind: 'crash', peer: 2, downMs: 3000 } }],
    armed,
    operations: Array.from({ length: 60 }, (_, at) => ({
      atMs: 1000 + at * 100,
      name: `p${at + 1}`,
      kind: at % 5 === 4 ? ('unpin' as const) : ('pin' as const),
      peer: at % 2,
      key: at % 4,
    })),
  };
}

/** Runs all points; rejects with the first finding. @returns the finding, if any, and how many crashes there were. */
async function crashEverywhere(
  when: Trigger,
  plants: Plants,
): Promise<{ finding: string | undefined; strikes: number }> {
  let strikes = 0;
  for (let afterWrites = 1; afterWrites <= writesMax; afterWrites++) {
    for (let chance = 0; chance < seedsPerPoint; chance++) {
      const armed: ArmedFault = { atMs: 4000, when, afterWrites, delayMs: 0, strike: 'crash', lengthMs: 300 };
      const history = { simulation: 'world', plan: scriptedPlan(chance, [armed]) } as const;
      const { finding, counts } = await play(history, { plants, drain: 'checkpoint' });
      if (finding !== undefined) return { finding: finding.message, strikes };
      assert(Number(counts.installs) > 0, 'a snapshot is installed in the end');
      strikes += Number(counts.strikes);
    }
  }
  return { finding: undefined, strikes };
}

for (const when of ['receives a snapshot', 'installs a snapshot'] as const) {
  test(`crash points: a peer that ${when} crashes after each of ${writesMax} writes`, async () => {
    const { finding, strikes } = await crashEverywhere(when, {});
    assert.equal(finding, undefined);
    assert.equal(strikes, writesMax * seedsPerPoint);
  });
}

test('crash points: a start that does not see a state from a snapshot whose log is not there yet', async () => {
  const { finding } = await crashEverywhere('installs a snapshot', { pinset: forgetsRestores });
  assert.match(String(finding), /^state and log: /);
});
