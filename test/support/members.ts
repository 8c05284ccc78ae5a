/**
 * Members of one cluster in processes of their own, of either kind: our program or the Go program. Both kinds run on folders
 * that our code has written, so a member can even change its kind between two lives.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePorts } from '../../src/cmd/service/demo/ports.ts';
import {
  createIdentity,
  makeFolder,
  peerFolder,
  writeConfig,
  writeIdentity,
  writePeerstore,
} from '../../src/io/config/index.ts';
import { initialService, type RaftConfig, type ServiceConfig } from '../../src/model/config/index.ts';
import { serviceProgram } from './peers.ts';

export type MemberKind = 'ours' | 'go';

/** The Go programs' folder, for tests that need it. */
export const goPrograms: string | undefined = process.env.GO_CLUSTER_BIN;

/** A daemon stops within 5 s; the Go peer may take longer for its last snapshot. */
const stopLimitMs = 15_000;
/** From the start of the process to the line that says READY. */
const startLimitMs = 60_000;
/** Times that a Go peer may end by a known bug of its start. */
const goStartsMax = 20;
/** What has the system end a Go peer, which does not watch its input, with this process; only Linux can (see prctl(2)). */
const endedWithParent = process.platform === 'linux' ? ['setpriv', '--pdeathsig', 'KILL'] : [];
/** Lines of its log that are told when a member ends unexpectedly. */
const tailLines = 25;

/** How the line of either program reads that tells its role in Raft. */
const ourRole = /"role":"(\w+)","term":(\d+)/;
const goLeads = /election won\. Args: +term=%!s\(uint64=(\d+)\)/;
const goFollows = /entering (?:follower|candidate) state/;

/** A member's log says that it took over the state of another one's snapshot. */
export const snapshotInstalled: RegExp = /installed remote snapshot|the state is that of a snapshot/i;
/** That it made one of its own state. */
export const snapshotTaken: RegExp = /starting snapshot up to|took a snapshot/i;

export interface MemberPlan {
  readonly kind: MemberKind;
  /** Over the defaults. */
  readonly raft?: Partial<RaftConfig>;
  /** Multiaddress of the Kubo RPC that it uses. */
  readonly ipfsAddress: string;
  /** Starts with nothing and is added by the others: not part of the first configuration. */
  readonly isJoining?: boolean;
  readonly change?: (config: ServiceConfig) => ServiceConfig;
}

/** Folders and addresses of members, none of them started. */
export async function createMembers(parent: string, plans: readonly MemberPlan[]): Promise<Member[]> {
  const ports = await freePorts(plans.length * 3);
  const secret = randomBytes(32).toString('hex');
  const identities = await Promise.all(plans.map(() => createIdentity()));
  const address = (member: number, use: number): string => `/ip4/127.0.0.1/tcp/${ports[member * 3 + use] ?? 0}`;
  const addresses = identities.map(({ id }, i) => `${address(i, 0)}/p2p/${id}`);
  const founders = plans.flatMap(({ isJoining }, i) => (isJoining === true ? [] : [i]));
  return Promise.all(
    plans.map(async ({ kind, raft, ipfsAddress, isJoining = false, change = (config) => config }, i) => {
      const name = `${kind}${i + 1}`;
      const folder = join(parent, name);
      const base = initialService({ hostname: name, secret });
      const config = change({
        ...base,
        cluster: {
          ...base.cluster,
          listenMultiaddress: [address(i, 0)],
          monitorPingIntervalMs: 2_000,
          peerWatchIntervalMs: 1_000,
          mdnsIntervalMs: 0,
        },
        raft: base.raft && {
          ...base.raft,
          initPeerset: isJoining ? [] : founders.map((founder) => identities[founder]?.id ?? ''),
          ...raft,
        },
        restapi: base.restapi && { ...base.restapi, httpListenMultiaddress: [address(i, 1)] },
        ipfsproxy: base.ipfsproxy && {
          ...base.ipfsproxy,
          listenMultiaddress: [address(i, 2)],
          nodeMultiaddress: ipfsAddress,
        },
        pinsvcapi: undefined,
        embedded: undefined,
        ipfshttp: { ...base.ipfshttp, nodeMultiaddress: ipfsAddress, connectSwarmsDelayMs: 500 },
      });
      const files = peerFolder(folder, config);
      await makeFolder(folder);
      await writeConfig(files, config);
      const identity = identities[i] ?? (await createIdentity());
      await writeIdentity(files.identityFile, identity);
      // Ours learn the others' addresses from the one that they join. A Go peer asks its DHT, which leaves loopback out.
      const isTold = !isJoining || kind === 'go';
      const known = isTold ? addresses.filter((_, other) => other !== i) : [];
      await writePeerstore(files.peerstoreFile, known);
      const apiUrl = `http://127.0.0.1:${ports[i * 3 + 1] ?? 0}`;
      return new Member({ name, kind, folder, id: identity.id, address: addresses[i] ?? '', apiUrl });
    }),
  );
}

interface MemberOptions {
  readonly name: string;
  readonly kind: MemberKind;
  readonly folder: string;
  readonly id: string;
  /** Where other members reach it, with its id. */
  readonly address: string;
  /** Base URL of the HTTP API. */
  readonly apiUrl: string;
}

export class Member {
  readonly name: string;
  readonly kind: MemberKind;
  readonly folder: string;
  readonly id: string;
  readonly address: string;
  readonly apiUrl: string;
  /** How often its log said each of the things that `watchFor` names, over all its lives. */
  readonly seen: Map<RegExp, number> = new Map<RegExp, number>();
  #child: ChildProcess | undefined;
  #tail: string[] = [];
  #ledTerm = 0;
  #isWanted = false;
  #death: string | undefined;
  #thaw: ChildProcess | undefined;

  constructor(options: MemberOptions) {
    this.name = options.name;
    this.kind = options.kind;
    this.folder = options.folder;
    this.id = options.id;
    this.address = options.address;
    this.apiUrl = options.apiUrl;
  }

  get isRunning(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  get logFile(): string {
    return join(this.folder, 'daemon.log');
  }

  /** The term in which it leads as far as it says; 0 when it does not. */
  get ledTerm(): number {
    return this.#ledTerm;
  }

  /** Why it ended although nobody had asked for it. */
  get death(): string | undefined {
    return this.#death;
  }

  /** Counts the lines of its log that match. */
  watchFor(...patterns: readonly RegExp[]): void {
    for (const pattern of patterns) this.seen.set(pattern, 0);
  }

  /** Resolves when it serves as a member; rejects when it ended before, or took too long. */
  async start(options: { readonly bootstrap?: string } = {}): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#start(options);
      } catch (error) {
        // A Go peer that is sent entries before it has made its RPC client ends by a nil pointer; that is not what we test.
        const isKnown = this.kind === 'go' && String(error).includes('go-libp2p-gorpc.(*Client).makeCall(0x0');
        if (!isKnown || attempt === goStartsMax) throw error;
      }
    }
  }

  /** SIGKILL: no goodbye, no last write. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** SIGTERM, and SIGKILL when that does not help. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  /** SIGSTOP: it does nothing until `thaw`, and then does not know that time has passed. */
  freeze(): void {
    const child = this.#child;
    if (child?.pid === undefined) return;
    // A stopped process does not see its input end. What waits for the end of its own input thaws it then.
    const thawing = ['-c', 'cat; kill -CONT "$0"', String(child.pid)];
    this.#thaw = spawn('sh', thawing, { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
    this.#thaw?.stdin?.end();
  }

  /** The process is expected to end by itself, as that of a removed member. Gives the exit code. */
  async ends(limitMs: number): Promise<number | null> {
    this.#isWanted = false;
    const child = this.#child;
    if (child === undefined) throw new Error(`${this.name} was not started`);
    if (this.isRunning) {
      await once(child, 'exit', { signal: AbortSignal.timeout(limitMs) }).catch(() => {
        throw new Error(`${this.name} has not ended within ${limitMs / 1000} s:\n${this.#tail.join('\n')}`);
      });
    }
    return child.exitCode;
  }

  async #start({ bootstrap }: { readonly bootstrap?: string }): Promise<void> {
    const joining = bootstrap === undefined ? [] : ['--bootstrap', bootstrap];
    const goProgram = join(goPrograms ?? '', 'ipfs-cluster-service');
    const [program = '', ...words] =
      this.kind === 'ours'
        ? [process.execPath, serviceProgram, '--config', this.folder, 'daemon', '--end-with-input', ...joining]
        : [
            ...endedWithParent,
            goProgram,
            '--loglevel',
            'info,raftlib:info',
            '--config',
            this.folder,
            'daemon',
            ...joining,
          ];
    const log = createWriteStream(this.logFile, { flags: 'a' });
    this.#isWanted = true;
    this.#death = undefined;
    this.#ledTerm = 0;
    this.#tail = [];
    // The input is never written to: ours end with it when this process dies.
    const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.#child = child;
    const ready = Promise.withResolvers<void>();
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        log.write(`${line}\n`);
        this.#hear(line);
        if (line.includes('IPFS Cluster is READY')) ready.resolve();
      });
    }
    child.on('error', ready.reject);
    child.on('exit', (code, signal) => {
      const ending = `${this.name} ended (${signal ?? `exit ${code}`}):\n${this.#tail.join('\n')}`;
      this.#ledTerm = 0;
      if (this.#isWanted) this.#death = ending;
      ready.reject(new Error(ending));
    });
    child.on('close', () => log.end());
    const limit = setTimeout(() => {
      ready.reject(new Error(`${this.name} is not ready after ${startLimitMs / 1000} s:\n${this.#tail.join('\n')}`));
    }, startLimitMs);
    await ready.promise.finally(() => clearTimeout(limit));
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#isWanted = false;
    const child = this.#child;
    if (child === undefined || !this.isRunning) return;
    this.#thaw?.stdin?.end();
    const exited = once(child, 'exit');
    child.kill(signal);
    const force = setTimeout(() => child.kill('SIGKILL'), stopLimitMs);
    await exited;
    clearTimeout(force);
  }

  #hear(line: string): void {
    this.#tail.push(line);
    if (this.#tail.length > tailLines) this.#tail.shift();
    for (const [pattern, count] of this.seen) if (pattern.test(line)) this.seen.set(pattern, count + 1);
    const role = ourRole.exec(line);
    if (role !== null) this.#ledTerm = role[1] === 'leader' ? Number(role[2]) : 0;
    const won = goLeads.exec(line);
    if (won !== null) this.#ledTerm = Number(won[1]);
    else if (goFollows.test(line)) this.#ledTerm = 0;
  }
}

/** The member that leads, as far as the members' logs tell. */
export function leaderOf(members: readonly Member[]): Member | undefined {
  const [first] = members.filter(({ ledTerm }) => ledTerm > 0).sort((a, b) => b.ledTerm - a.ledTerm);
  return first;
}
