/** The thread that runs parsers, so that `main.ts` can tell an input that never ends, or ends the thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { campaign } from './campaign.ts';
import { targets } from './targets/index.ts';

/** Counter of inputs, then length and bytes of the one under way. */
export interface WorkerInput {
  readonly shared: SharedArrayBuffer;
  readonly names: readonly string[];
  readonly seed: string;
  readonly seconds: number;
}

const { shared, names, seed, seconds } = workerData as WorkerInput;
const head = new Int32Array(shared, 0, 2);
const room = new Uint8Array(shared, 8);

/** Told with the input it came with; a rejection that nobody waits for counts as a crash of the peer, as it is. */
process.on('unhandledRejection', (error) => {
  throw error;
});

for (const name of names) {
  const target = targets.find((candidate) => candidate.name === name);
  if (target === undefined) continue;
  const endAt = performance.now() + (seconds * 1000) / names.length;
  parentPort?.postMessage({ kind: 'begin', name });
  const result = await campaign(target, {
    seed,
    goesOn: () => performance.now() < endAt,
    onInput: (input) => {
      room.set(input.subarray(0, room.length));
      Atomics.store(head, 1, input.length);
      Atomics.add(head, 0, 1);
    },
  });
  await target.close?.();
  parentPort?.postMessage({ kind: 'end', name, ...result });
}
process.exit(0);
