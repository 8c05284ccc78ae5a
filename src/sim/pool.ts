/**
 * Runs many seeds on all cores: one child process each, which is given a few seeds at a time. A child that does not end a seed
 * in time is killed, for an endless loop never returns, and the seed has failed.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { addCounts, draw, play, type RunInput } from './runner.ts';

/** Of one seed, by the clock on the wall. It takes a few hundredths of a second. */
const seedLimitDefaultMs = 60_000;
const chunkSeeds = 20;

interface Chunk extends Pick<RunInput, 'simulation' | 'steps' | 'isTwice'> {
  readonly from: number;
  readonly count: number;
}

type ChildMessage =
  | { readonly type: 'begins'; readonly seed: number }
  | {
      readonly type: 'ends';
      readonly seed: number;
      readonly hasFailed: boolean;
      readonly isRepeatable: boolean;
      readonly counts: Readonly<Record<string, number>>;
    }
  | { readonly type: 'idle' };

export interface PoolReport {
  readonly run: number;
  readonly failed: readonly number[];
  readonly unrepeatable: readonly number[];
  /** They did not end, or ended their process. */
  readonly hung: readonly number[];
  readonly totals: Readonly<Record<string, number>>;
}

export interface PoolOptions {
  readonly processes: number;
  /** The program that calls `serveSeeds`, with this argument. */
  readonly program: readonly [path: string, argument: string];
  readonly onProgress: (run: number, failed: number) => void;
  /** Default 60,000. */
  readonly seedLimitMs?: number;
}

/** Rejects when a child cannot be started. */
export async function runPool(
  input: Omit<RunInput, 'plants'>,
  { processes, program, onProgress, seedLimitMs = seedLimitDefaultMs }: PoolOptions,
): Promise<PoolReport> {
  const failuresMax = input.failuresMax ?? 5;
  const report = { run: 0, failed: [] as number[], unrepeatable: [] as number[], hung: [] as number[], totals: {} };
  const isEnough = (): boolean => report.failed.length + report.hung.length >= failuresMax;
  let next = input.from;
  const end = input.from + input.count;
  const takeChunk = (): Chunk | undefined => {
    if (next >= end || isEnough()) return undefined;
    const { simulation, steps, isTwice = false } = input;
    const chunk = { simulation, steps, isTwice, from: next, count: Math.min(chunkSeeds, end - next) };
    next += chunk.count;
    return chunk;
  };
  const onEnd = (message: Extract<ChildMessage, { type: 'ends' }>): void => {
    report.run++;
    addCounts(report.totals, message.counts);
    if (message.hasFailed) report.failed.push(message.seed);
    else if (!message.isRepeatable) report.unrepeatable.push(message.seed);
    onProgress(report.run, report.failed.length + report.hung.length);
  };
  const work = async (): Promise<void> => {
    for (let chunk = takeChunk(); chunk !== undefined; ) {
      const left = await runChild(program, chunk, { onEnd, takeChunk, seedLimitMs });
      if (left === undefined) return;
      report.hung.push(left.hung);
      chunk = left.rest ?? takeChunk();
    }
  };
  await Promise.all(Array.from({ length: processes }, work));
  return report;
}

interface ChildOptions {
  readonly onEnd: (message: Extract<ChildMessage, { type: 'ends' }>) => void;
  readonly takeChunk: () => Chunk | undefined;
  readonly seedLimitMs: number;
}

/** Feeds one child until there is nothing left, or it hangs; then tells at which seed, and what it has not done of its chunk. */
function runChild(
  [path, argument]: PoolOptions['program'],
  first: Chunk,
  { onEnd, takeChunk, seedLimitMs }: ChildOptions,
): Promise<{ readonly hung: number; readonly rest: Chunk | undefined } | undefined> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = fork(path, [argument], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    let chunk = first;
    let seed = first.from;
    let isDone = false;
    const limit = setTimeout(() => child.kill('SIGKILL'), seedLimitMs);
    child.on('message', (message: ChildMessage) => {
      limit.refresh();
      if (message.type === 'begins') seed = message.seed;
      else if (message.type === 'ends') onEnd(message);
      else {
        const following = takeChunk();
        if (following === undefined) {
          isDone = true;
          child.disconnect();
        } else {
          chunk = following;
          seed = chunk.from;
          child.send(chunk);
        }
      }
    });
    child.on('error', reject);
    child.on('exit', () => {
      clearTimeout(limit);
      if (isDone) return resolve(undefined);
      const count = chunk.from + chunk.count - seed - 1;
      resolve({ hung: seed, rest: count > 0 ? { ...chunk, from: seed + 1, count } : undefined });
    });
    child.send(first);
  });
}

/** The other side: runs what the parent sends, until it goes away. */
export function serveSeeds(): void {
  const tell = (message: ChildMessage): void => {
    process.send?.(message);
  };
  process.on('message', (chunk: Chunk) => {
    void runChunk(chunk, tell).then(() => tell({ type: 'idle' }));
  });
}

async function runChunk({ simulation, steps, isTwice, from, count }: Chunk, tell: (message: ChildMessage) => void) {
  for (let seed = from; seed < from + count; seed++) {
    tell({ type: 'begins', seed });
    const history = draw(simulation, seed, steps);
    const { finding, hash, counts } = await play(history, { drain: 'checkpoint' });
    const isRepeatable = !isTwice || finding !== undefined || (await play(history)).hash === hash;
    tell({ type: 'ends', seed, hasFailed: finding !== undefined, isRepeatable, counts });
  }
}
