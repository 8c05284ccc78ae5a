/**
 * `ipfs-cluster-ctl` on this machine.
 */
import { writeFile } from 'node:fs/promises';
import { timeFromNanos } from '../../model/index.ts';
import { main } from './main.ts';

const statusDelayMs = 1000;
const defaultColumns = 80;

// A reader that has seen enough, as in `pin ls | head`, ends us quietly; a full disk does not.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`error writing the output: ${error.message}\n`);
  process.exit(1);
});

// No top-level await: this file is bundled as CommonJS, which starts faster.
void main(process.argv.slice(2), {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  environment: process.env,
  now: () => timeFromNanos(BigInt(Date.now()) * 1_000_000n),
  writeFile: (path, text) => writeFile(path, text),
  folder: process.cwd(),
  isTerminal: { stdout: process.stdout.isTTY === true, stderr: process.stderr.isTTY === true },
  columns: () => process.stderr.columns ?? defaultColumns,
  statusDelayMs,
}).then(async (exitCode) => {
  process.exitCode = exitCode;
  // Timers of libraries would keep us for another second, but what is written must get out first.
  await Promise.all([process.stdout, process.stderr].map(written));
  process.exit();
});

function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}
