/** Clusters of three real peers on loopback, of our program and of the Go program, that know all their addresses. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DemoFolder, prepareFolders } from '../src/cmd/service/demo/setup.ts';
import type { ServiceConfig } from '../src/model/config/index.ts';
import { cpuSeconds } from './processes.ts';

export type PeerKind = 'ours' | 'go';

export interface BenchPeer extends DemoFolder {
  readonly kind: PeerKind;
  readonly pid: number | undefined;
  /** Terms in which it said in its log that it leads, ascending. */
  termsLed(): Promise<readonly number[]>;
  /** Resolves when it says that it is ready. @returns milliseconds from the start of the process */
  start(): Promise<number>;
  /** Another command of its program, such as `state import`, while it does not run. */
  run(...command: readonly string[]): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface BenchCluster {
  readonly name: string;
  readonly peers: readonly BenchPeer[];
  /** When the first processes were started, of `performance.now()`. */
  readonly beganMs: number;
  /** Who has most recently become leader. */
  leader(): Promise<BenchPeer>;
  /** Elections won so far, by all peers. */
  elections(): Promise<number>;
  /** Processor seconds of all peers so far. */
  cpu(): Promise<number>;
  /** Resolves when the peers have nothing to do any more: pins go on to IPFS after their answers. */
  quiet(): Promise<void>;
  stop(): Promise<void>;
}

export interface BenchClusterOptions {
  readonly name: string;
  /** Folder for the peers' data, made here. */
  readonly folder: string;
  readonly kinds: readonly PeerKind[];
  /** Kubo RPC of each peer; embedded nodes when absent. */
  readonly ipfs: readonly string[] | undefined;
  /** Folder with `ipfs-cluster-service`, for Go peers. */
  readonly goBin: string | undefined;
  /** Our program, with the arguments for Node in front of it. */
  readonly program: readonly string[];
  /** What the configuration of each peer is beyond that. Default: nothing. */
  readonly change?: (config: ServiceConfig) => ServiceConfig;
  /** A pinset that all peers begin with: a file that `state import` reads. Default: none. */
  readonly pinset?: (peers: readonly DemoFolder[]) => Promise<string>;
}

/** Our program as users start it. */
export const ourProgram: string = join(
  dirname(dirname(fileURLToPath(import.meta.url))),
  'bin',
  'ipfs-cluster-service.cjs',
);
const readyLine = 'IPFS Cluster is READY';
const readyLimitMs = 30_000;
const stopLimitMs = 10_000;
const pollMs = 100;
const readyPollMs = 20;
/** Raft's line when it becomes leader, of our program and of the Go program. */
const leaderLine = /"role":"leader","term":(\d+)|election won\. Args: +term=\D*\d*=(\d+)/g;
/** Below this part of one processor, three peers are idle. */
const quietPart = 0.15;

/** Prepares and starts the peers, those of the first kind first: one of them leads then. */
export async function startCluster(options: BenchClusterOptions): Promise<BenchCluster> {
  const { name, folder, kinds, ipfs, change = (config) => config } = options;
  await mkdir(folder, { recursive: true });
  let at = 0;
  const prepared = await prepareFolders(folder, kinds.length, (initial) => {
    const config = change(initial);
    const node = ipfs?.[at++];
    if (node === undefined) return config;
    const { ipfsproxy } = config;
    return {
      ...config,
      embedded: undefined,
      ipfshttp: { ...config.ipfshttp, nodeMultiaddress: node },
      ipfsproxy: ipfsproxy && { ...ipfsproxy, nodeMultiaddress: node },
    };
  });
  const peers = prepared.map((peer, i) => benchPeer(peer, kinds[i] ?? 'ours', options));
  const [first] = kinds;
  const starters = peers.filter(({ kind }) => kind === first);
  const others = peers.filter(({ kind }) => kind !== first);
  let beganMs = 0;
  const cluster: BenchCluster = {
    name,
    peers,
    get beganMs() {
      return beganMs;
    },
    leader: () => latestLeader(peers),
    elections: async () => (await Promise.all(peers.map((peer) => peer.termsLed()))).flat().length,
    cpu: async () => (await Promise.all(peers.map(({ pid }) => cpuSeconds(pid)))).reduce((sum, n) => sum + n, 0),
    quiet: async () => {
      for (let before = await cluster.cpu(); ; ) {
        await sleep(2 * pollMs);
        const now = await cluster.cpu();
        if (now - before < (quietPart * 2 * pollMs) / 1000) return;
        before = now;
      }
    },
    stop: async () => {
      await Promise.all(peers.map((peer) => peer.stop()));
    },
  };
  try {
    const pinset = await options.pinset?.(prepared);
    if (pinset !== undefined) await Promise.all(peers.map((peer) => peer.run('state', 'import', '-f', pinset)));
    beganMs = performance.now();
    await Promise.all(starters.map((peer) => peer.start()));
    await Promise.all(others.map((peer) => peer.start()));
    await cluster.quiet();
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** Restarts leaders of the other kind until one of the wanted kind leads. */
export async function makeLead(cluster: BenchCluster, kind: PeerKind): Promise<boolean> {
  for (let tries = 0; tries < 10; tries++) {
    const leader = await cluster.leader();
    if (leader.kind === kind) return true;
    const elections = await cluster.elections();
    await leader.stop();
    while ((await cluster.elections()) === elections) await sleep(pollMs);
    await leader.start();
    await cluster.quiet();
  }
  return false;
}

function benchPeer(peer: DemoFolder, kind: PeerKind, options: BenchClusterOptions): BenchPeer {
  const log = join(peer.folder, 'bench.log');
  const [command, ...before] =
    kind === 'go'
      ? // Its Raft library tells of elections only when asked to.
        [join(options.goBin ?? '', 'ipfs-cluster-service'), '--loglevel', 'info,raftlib:info']
      : [process.execPath, ...options.program];
  let child: ChildProcess | undefined;
  const readLog = (): Promise<string> => readFile(log, 'utf8');
  return {
    ...peer,
    kind,
    get pid() {
      return child?.pid;
    },
    termsLed: async () => {
      const terms = [...(await readLog()).matchAll(leaderLine)].map(([, ours, go]) => Number(ours ?? go));
      return [...new Set(terms)];
    },
    start: async () => {
      // Straight into a file: reading the logs would cost this process more than the load.
      const output = openSync(log, 'a');
      const readyBefore = (await readLog()).split(readyLine).length;
      const running = spawn(command ?? '', [...before, '--config', peer.folder, 'daemon'], {
        stdio: ['ignore', output, output],
        env: { ...process.env, GOLOG_LOG_FMT: 'json' },
      });
      child = running;
      closeSync(output);
      const beganMs = performance.now();
      while ((await readLog()).split(readyLine).length === readyBefore) {
        if (running.exitCode !== null || performance.now() > beganMs + readyLimitMs) {
          throw new Error(`${peer.name} did not get ready:\n${(await readLog()).slice(-2000)}`);
        }
        await sleep(readyPollMs);
      }
      return performance.now() - beganMs;
    },
    run: async (...words) => {
      const output = openSync(log, 'a');
      const program = [...before, '--config', peer.folder, ...words];
      const running = spawn(command ?? '', program, { stdio: ['ignore', output, output] });
      closeSync(output);
      const [code] = await once(running, 'exit');
      if (code !== 0) throw new Error(`${peer.name} ended with ${code}:\n${(await readLog()).slice(-2000)}`);
    },
    stop: async (signal = 'SIGTERM') => {
      const running = child;
      if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
      const exited = once(running, 'exit');
      running.kill(signal);
      const force = setTimeout(() => running.kill('SIGKILL'), stopLimitMs);
      await exited;
      clearTimeout(force);
    },
  };
}

async function latestLeader(peers: readonly BenchPeer[]): Promise<BenchPeer> {
  const latest = await Promise.all(peers.map(async (peer) => ({ peer, term: (await peer.termsLed()).at(-1) ?? 0 })));
  const best = latest.reduce((a, b) => (a.term >= b.term ? a : b));
  if (best.term === 0) throw new Error('No peer leads');
  return best.peer;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
