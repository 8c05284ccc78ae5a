/**
 * Leaves nothing behind, whatever ends the demo: a process of its own that outlives it, waits for the peers to end, and
 * removes their folder. Peers end by themselves when their input does; one that does not is killed.
 */
import { spawn } from 'node:child_process';

/** Longer than a daemon takes to stop. */
const peerLimitMs = 10_000;
const pollMs = 50;

/**
 * Its input has one word a line: `+` or `-` and the process id of a peer that has started or ended, and `keep`. It ends with
 * the demo, and everything else is done then. Text, because it runs without this program's files.
 */
const script = `
const { rmSync } = require('node:fs');
let text = '';
const can = (pid, signal) => { try { return process.kill(pid, signal); } catch { return false; } };
process.stdin.setEncoding('utf8').on('error', () => {}).on('data', (part) => { text += part; }).on('close', () => {
  const words = text.split('\\n');
  const pids = new Set();
  for (const word of words) {
    if (word[0] === '+') pids.add(Number(word));
    if (word[0] === '-') pids.delete(-Number(word));
  }
  const deadline = Date.now() + ${peerLimitMs};
  const wait = () => {
    const running = [...pids].filter((pid) => can(pid, 0));
    if (running.length > 0 && Date.now() < deadline) return void setTimeout(wait, ${pollMs});
    for (const pid of running) can(pid, 'SIGKILL');
    if (!words.includes('keep')) rmSync(process.argv[1], { recursive: true, force: true, maxRetries: 10 });
  };
  wait();
});
`;

export interface Caretaker {
  /** The process of a peer has been started. */
  started(pid: number): void;
  /** It runs no more: another program may get its id. */
  ended(pid: number): void;
  /** The folder stays. */
  keep(): void;
}

/** Takes care of the peers below `folder` from now on. */
export function startCaretaker(folder: string): Caretaker {
  // In a group of its own: Ctrl-C in a terminal does not reach it, nor does the end of the terminal.
  const child = spawn(process.execPath, ['-e', script, folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    windowsHide: true,
  });
  // Without it everything works but the cleaning after a demo that is killed.
  child.on('error', () => {});
  child.stdin.on('error', () => {});
  child.unref();
  const tell = (word: string): void => void child.stdin.write(`${word}\n`);
  return { started: (pid) => tell(`+${pid}`), ended: (pid) => tell(`-${pid}`), keep: () => tell('keep') };
}
