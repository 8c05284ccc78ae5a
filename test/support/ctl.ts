/** Runs `ipfs-cluster-ctl` within the test's own process. */
import { type CtlIo, main } from '../../src/cmd/ctl/main.ts';

export interface CtlRun {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Nobody looks, nothing is waited for, and the clock stands still; `io` replaces what the test is about. */
export async function runCtl(argv: readonly string[], io: Partial<CtlIo> = {}): Promise<CtlRun> {
  let stdout = '';
  let stderr = '';
  const exit = await main(argv, {
    stdout: (text) => {
      stdout += text;
    },
    stderr: (text) => {
      stderr += text;
    },
    environment: {},
    now: () => ({ seconds: 1_700_000_000, nanos: 0 }),
    writeFile: async () => {},
    folder: '/',
    isTerminal: { stdout: false, stderr: false },
    columns: () => 80,
    statusDelayMs: 0,
    ...io,
  });
  return { exit, stdout, stderr };
}
