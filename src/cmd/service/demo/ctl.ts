/** Runs `ipfs-cluster-ctl`, as an operator would. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Program, packageFolder } from './stage.ts';

/** None of the demo's commands waits for content. */
const limitMs = 60_000;

/** Words that start `ipfs-cluster-ctl` against one peer, with the Node that runs this: the terminal may find another one. */
export function ctlWords(program: Program, apiAddress: string): [string, ...string[]] {
  return [process.execPath, join(packageFolder(program), 'bin', 'ipfs-cluster-ctl.cjs'), '--host', apiAddress];
}

/** What the command prints. Throws what it complains of. */
export async function runCtl(program: Program, apiAddress: string, words: readonly string[]): Promise<string> {
  const [node, ...before] = ctlWords(program, apiAddress);
  try {
    return (await promisify(execFile)(node, [...before, ...words], { timeout: limitMs })).stdout;
  } catch (error) {
    // execFile adds what was printed to the error.
    const { stderr = '' } = error as { readonly stderr?: string };
    throw new Error(`ctl ${words.join(' ')}: ${stderr.trim() || String(error)}`, { cause: error });
  }
}
