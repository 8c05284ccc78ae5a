/**
 * Random inputs for every parser that reads what others have sent or left.
 *
 *     npm run fuzz -- --seconds 60 --seed 7 [parser…]
 *
 * Ends with 1 when something is found: an error that is none of ours, a parser that does not come to an end, or makes much of
 * little. The input is shrunk and printed; kept in `found.json` it is tried with every test run.
 */
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { type Campaign, shown } from './campaign.ts';
import { inputBytesMax } from './mutate.ts';
import { targets } from './targets/index.ts';
import type { WorkerInput } from './worker.ts';

/** An input that takes longer does not end. The clock decides, since nothing else can: the thread is busy. */
const hangMs = 60_000;
/** Heap of the thread: what needs more of 64 KiB is out of proportion. */
const heapMbMax = 1024;

const usage = 'usage: npm run fuzz -- [--seconds N] [--seed S] [parsers]';

function fail(text: string): never {
  console.error(`${text}\n${usage}\nparsers: ${targets.map(({ name }) => name).join(' ')}`);
  process.exit(2);
}

function argumentsOf(): { seconds: number; seed: string; names: string[] } {
  try {
    const { values, positionals } = parseArgs({
      options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } },
      allowPositionals: true,
    });
    const seconds = Number(values.seconds);
    if (!(seconds > 0)) fail(`found --seconds ${values.seconds}, expected a number above 0`);
    const unknown = positionals.find((name) => !targets.some((target) => target.name === name));
    if (unknown !== undefined) fail(`found "${unknown}", expected the name of a parser`);
    const names = positionals.length > 0 ? positionals : targets.map(({ name }) => name);
    return { seconds, seed: values.seed ?? String(Date.now() % 2 ** 31), names };
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

type Message =
  | { readonly kind: 'begin'; readonly name: string }
  | ({ readonly kind: 'end'; readonly name: string } & Campaign);

const { seconds, seed, names } = argumentsOf();
console.log(`seed ${seed}, ${seconds} s over ${names.length} parsers`);
let problems = 0;
let inputs = 0;

/** Runs the parsers; @returns the one that ended the thread, if one did. */
function run(some: readonly string[]): Promise<string | undefined> {
  const shared = new SharedArrayBuffer(8 + inputBytesMax);
  const head = new Int32Array(shared, 0, 2);
  const workerData: WorkerInput = { shared, names: some, seed, seconds: (seconds * some.length) / names.length };
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: heapMbMax },
  });
  let current: string | undefined;
  const current64 = (): string =>
    shown(new Uint8Array(shared, 8, Math.min(Atomics.load(head, 1), inputBytesMax)).slice());
  const tell = (problem: string): void => {
    problems += 1;
    console.log(`${current}: ${problem}\n  the input in base64: ${current64()}`);
  };
  return new Promise((resolve) => {
    let last = -1;
    const watch = setInterval(() => {
      const count = Atomics.load(head, 0);
      if (count === last) {
        tell(`it has not come to an end within ${hangMs / 1000} s`);
        void worker.terminate();
      }
      last = count;
    }, hangMs);
    worker.on('message', (message: Message) => {
      if (message.kind === 'begin') {
        current = message.name;
        return;
      }
      current = undefined;
      inputs += message.made;
      console.log(`${message.name}: ${message.made} inputs`);
      if (message.found === undefined) return;
      problems += 1;
      console.log(`${message.name}: ${message.found.problem}\n  the input in base64: ${shown(message.found.input)}`);
    });
    worker.on('error', (error) => tell(`it ended the thread: ${error instanceof Error ? error.stack : String(error)}`));
    worker.on('exit', () => {
      clearInterval(watch);
      resolve(current);
    });
  });
}

for (let rest: readonly string[] = names; rest.length > 0; ) {
  const failed = await run(rest);
  rest = failed === undefined ? [] : rest.slice(rest.indexOf(failed) + 1);
}
console.log(`${inputs} inputs, ${problems} found; seed ${seed}`);
process.exitCode = problems === 0 ? 0 : 1;
