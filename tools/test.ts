/**
 * Runs all tests and ends with one line: `N passed, N failed`, with `, N skipped` when there are some.
 *
 * `node tools/test.ts [words…]` runs only the files whose path contains one of the words. Tests of pure rooms share one
 * process, which takes a fraction of the time; all others get a process per file. A group that ends without its counts (a
 * crash, a killed process, a time limit) counts as one failure.
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Counts, countsMark } from './test-reporter.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

interface Group {
  readonly name: string;
  readonly files: readonly string[];
  readonly isShared: boolean;
  /** Files at the same time. Programs with elections and deadlines want the machine for themselves. */
  readonly concurrency: number;
}

/** A test that takes longer hangs. */
const testLimitMs = 180_000;
/** All tests of a group. */
const groupLimitMs = 15 * 60_000;

const pureRoom = /^src\/(base|model|core|cluster)\//;
const heavyFolder = /^test\/(contract|e2e|interop|crash)\//;

function groupsOf(files: readonly string[]): Group[] {
  const groups: Group[] = [
    { name: 'pure', files: files.filter((file) => pureRoom.test(file)), isShared: true, concurrency: 1 },
    {
      name: 'drivers',
      files: files.filter((file) => !pureRoom.test(file) && !heavyFolder.test(file)),
      isShared: false,
      concurrency: 2,
    },
    { name: 'programs', files: files.filter((file) => heavyFolder.test(file)), isShared: false, concurrency: 1 },
  ];
  return groups.filter((group) => group.files.length > 0);
}

/** Never rejects: what goes wrong is a failure. */
async function run(group: Group): Promise<Counts> {
  const began = performance.now();
  const args = [
    '--test',
    `--test-reporter=${join(root, 'tools', 'test-reporter.ts')}`,
    `--test-timeout=${testLimitMs}`,
    ...(group.isShared ? ['--test-isolation=none'] : [`--test-concurrency=${group.concurrency}`]),
    // A failed test of programs can leave sockets and children behind, which must not hold up the rest.
    ...(group.name === 'programs' ? ['--test-force-exit'] : []),
    ...group.files,
  ];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  const limit = setTimeout(() => child.kill('SIGKILL'), groupLimitMs);
  let counts: Counts | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith(countsMark)) counts = JSON.parse(line.slice(countsMark.length));
    else console.log(line);
  }
  const code = child.exitCode ?? (await new Promise<number | null>((resolve) => child.once('close', resolve)));
  clearTimeout(limit);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  if (counts === undefined) console.log(`FAILED: the tests of group "${group.name}" ended without a result`);
  const { passed, failed, skipped } = counts ?? { passed: 0, failed: 1, skipped: 0 };
  // Node also fails for what belongs to no test, such as an error after the last one.
  const isUncounted = code !== 0 && failed === 0;
  if (isUncounted) console.log(`FAILED: the process of group "${group.name}" ended with code ${code}`);
  console.log(`${group.name}: ${group.files.length} files, ${passed} passed in ${seconds} s`);
  return { passed, failed: failed + (isUncounted ? 1 : 0), skipped };
}

const words = process.argv.slice(2);
const files = ['src/**/*.test.ts', 'test/**/*.test.ts']
  .flatMap((pattern) => globSync(pattern, { cwd: root }))
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();

let total: Counts = { passed: 0, failed: 0, skipped: 0 };
for (const group of groupsOf(files)) {
  const counts = await run(group);
  total = {
    passed: total.passed + counts.passed,
    failed: total.failed + counts.failed,
    skipped: total.skipped + counts.skipped,
  };
}
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped === 0 ? '' : `, ${total.skipped} skipped`}`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
