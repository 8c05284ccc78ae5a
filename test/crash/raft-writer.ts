/**
 * Child process of the crash tests: three Raft peers on the folder that is given. First says which pins each of them holds, then
 * pins for ever through all three, and says each pin when it is acknowledged.
 */
import { writeSync } from 'node:fs';
import { collect } from '../support/collect.ts';
import { cidNumber, pinOf } from '../support/pins.ts';
import { peerIds, RaftCluster, raftConfig } from '../support/raft-cluster.ts';
import { systemClock } from '../support/system-clock.ts';

const folder = process.argv[2] ?? '';
const first = Number(process.argv[3]);
const inFlight = 16;
const ids = peerIds(3);

// Elections in a tenth of the usual time: the test waits for them.
const config = { ...raftConfig, heartbeatTimeoutMs: 100 };
const cluster = await RaftCluster.make({ folder, clock: systemClock, config });
// Together: what is said to one that is not there yet is lost, and waited for until the network's time limit.
await Promise.all(ids.map((id) => cluster.start(id, { initPeerset: ids })));
for (const id of ids) {
  const { consensus } = cluster.peer(id);
  await consensus.ready({ timeoutMs: 60_000 });
  await consensus.waitForSync();
  const pins = (await collect(consensus.pinset().pages())).flat();
  writeSync(1, `holds ${pins.map(({ name }) => name).join(' ')}\n`);
}

let next = first;
async function write(): Promise<never> {
  for (;;) {
    const n = next++;
    const id = ids[n % ids.length] ?? '';
    await cluster.peer(id).consensus.logPin(pinOf(cidNumber(n), { name: String(n) }));
    writeSync(1, `pinned ${n}\n`);
  }
}
await Promise.all(Array.from({ length: inFlight }, write));
