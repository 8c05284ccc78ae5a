/** A peer of the demo: the daemon of this very program in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Caretaker } from './caretaker.ts';

/** A daemon stops within 5 s; what runs longer is ended. */
const stopLimitMs = 6_000;
/** Lines of its log that are shown when a peer ends unexpectedly. */
const tailLines = 12;
/** The Raft component's line when it becomes leader. */
const leaderLine = /"role":"leader","term":(\d+)/;

export interface ChildPeer {
  readonly name: string;
  readonly folder: string;
  /** Resolves when it serves as a member; rejects when it ended before. `flags` are those of `daemon`. */
  start(flags?: readonly string[]): Promise<void>;
  /** SIGKILL: no goodbye, no last write. */
  kill(): Promise<void>;
  /** SIGTERM. */
  stop(): Promise<void>;
  readonly pid: number | undefined;
  /** The last term in which this peer said that it leads; 0 while it is down or never led. */
  leaderTerm(): number;
}

export interface ChildPeerOptions {
  readonly name: string;
  readonly folder: string;
  /** Script that runs the daemon, and what comes before `daemon` on its command line. */
  readonly program: readonly [string, ...string[]];
  /** Told of every process. */
  readonly caretaker?: Caretaker;
  /** Called once when the process ends although nobody asked for it. */
  readonly onDeath: (peer: string, lastLines: readonly string[]) => void;
  /** Once aborted, the peer is not started any more. */
  readonly signal?: AbortSignal;
}

export function createChildPeer(options: ChildPeerOptions): ChildPeer {
  const { name, folder } = options;
  let child: ChildProcess | undefined;
  let log: WriteStream | undefined;
  let isWanted = false;
  let ledTerm = 0;

  const start = async (flags: readonly string[] = []): Promise<void> => {
    options.signal?.throwIfAborted();
    const tail: string[] = [];
    const output = createWriteStream(join(folder, 'daemon.log'), { flags: 'a' });
    log = output;
    isWanted = true;
    ledTerm = 0;
    const words = ['--config', folder, 'daemon', '--end-with-input', ...flags];
    const running = spawn(process.execPath, [...options.program, ...words], {
      // The input is never written to; it ends with this process, however that ends, and takes the peer along.
      stdio: ['pipe', 'pipe', 'pipe'],
      // Ctrl-C in a terminal reaches the whole process group; the demo decides when its peers stop.
      detached: true,
    });
    child = running;
    const { pid } = running;
    if (pid !== undefined) options.caretaker?.started(pid);
    const ready = Promise.withResolvers<void>();
    for (const stream of [running.stdout, running.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        output.write(`${line}\n`);
        tail.push(line);
        if (tail.length > tailLines) tail.shift();
        if (line.includes('IPFS Cluster is READY')) ready.resolve();
        ledTerm = Number(leaderLine.exec(line)?.[1] ?? ledTerm);
      });
    }
    running.on('error', ready.reject);
    running.on('exit', (code, signal) => {
      if (pid !== undefined) options.caretaker?.ended(pid);
      output.end();
      ready.reject(
        new Error(`Peer ${name} ended before it was ready (${signal ?? `exit ${code}`}):\n${tail.join('\n')}`),
      );
      if (isWanted) options.onDeath(name, tail);
    });
    await ready.promise;
  };

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const running = child;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    isWanted = false;
    ledTerm = 0;
    const exited = once(running, 'exit');
    running.kill(signal);
    const force = setTimeout(() => running.kill('SIGKILL'), stopLimitMs);
    await exited;
    clearTimeout(force);
    log?.end();
  };

  return {
    name,
    folder,
    start,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    leaderTerm: () => ledTerm,
    get pid() {
      return child?.pid;
    },
  };
}
