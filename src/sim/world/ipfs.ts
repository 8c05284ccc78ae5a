/**
 * A virtual IPFS node beside each peer. It holds pins, takes its time, and can be slow, refuse, hang or be gone. It outlives the
 * peer's crashes, as a daemon of its own does.
 */
import { OperatingError, type SeededRandom } from '../../base/index.ts';
import type { CallOptions, IpfsConnector, PinProgress } from '../../cluster/ports.ts';
import {
  Cid,
  type IpfsId,
  type IpfsPinInfo,
  type IpfsPinStatus,
  type IpfsRepoGc,
  type IpfsRepoStat,
  type Multiaddr,
  type PeerId,
  type Pin,
  peerIdOfMultiaddr,
} from '../../model/index.ts';
import type { Scheduler, VirtualClock } from './scheduler.ts';

/** `failing`: refuses pins and unpins. `hanging`: never finishes them. `down`: answers nothing. */
export type IpfsState = 'up' | 'failing' | 'hanging' | 'down';

export interface IpfsOptions {
  /** What a pin takes, half to one and a half times. */
  readonly pinMs: number;
  readonly storageMaxBytes: number;
}

/** What every pin counts as. */
const pinBytes = 1_000_000;
/** What all but pins takes. */
const answerMs = 1;
/** Until a peer notices that its node has come or gone. */
const noticeMs = 1000;
const pageSize = 100;

interface Held {
  readonly cid: Cid;
  readonly mode: 'recursive' | 'direct';
}

/** One IPFS node; `connect` gives the port of its peer. */
export class VirtualIpfs {
  readonly id: PeerId;
  /** By the CID's text. */
  readonly held: Map<string, Held> = new Map();
  /** Nodes that it has been introduced to. */
  readonly linked: Set<PeerId> = new Set();
  /** Pins take this many times longer. */
  slowness = 1;
  readonly #options: IpfsOptions;
  readonly #scheduler: Scheduler;
  readonly #random: SeededRandom;
  #state: IpfsState = 'up';
  /** The connector of the peer's present life. */
  #connector: VirtualConnector | undefined;

  constructor(id: PeerId, options: IpfsOptions, scheduler: Scheduler, random: SeededRandom) {
    this.id = id;
    this.#options = options;
    this.#scheduler = scheduler;
    this.#random = random;
  }

  get state(): IpfsState {
    return this.#state;
  }

  set state(state: IpfsState) {
    const wasDown = this.#state === 'down';
    this.#state = state;
    if (wasDown !== (state === 'down')) this.#scheduler.after(noticeMs, () => this.#connector?.look());
  }

  /** It starts anew and has lost all pins, as when its folder was replaced. */
  lose(): void {
    this.held.clear();
  }

  /** Its peer is gone: what was asked for and not answered has been done, or not. */
  disconnect(): void {
    this.#connector?.abandon();
    this.#connector = undefined;
  }

  /** For one life of its peer. */
  connect(clock: VirtualClock, pinTimeoutMs: number): IpfsConnector {
    this.#connector = new VirtualConnector(this, clock, pinTimeoutMs);
    return this.#connector;
  }

  /** Whether an act that was given up was done all the same. */
  isDone(): boolean {
    return this.#random.integer(2) === 0;
  }

  pinDelayMs(): number {
    return (this.#options.pinMs * this.slowness * (50 + this.#random.integer(101))) / 100;
  }

  stat(): IpfsRepoStat {
    return { repoSize: this.held.size * pinBytes, storageMax: this.#options.storageMaxBytes };
  }
}

class VirtualConnector implements IpfsConnector {
  readonly #node: VirtualIpfs;
  readonly #clock: VirtualClock;
  readonly #pinTimeoutMs: number;
  readonly #listeners: (() => void)[] = [];
  /** Acts that have not been answered. */
  readonly #underWay = new Set<() => void>();
  #isUp = false;
  #isRunning = false;

  constructor(node: VirtualIpfs, clock: VirtualClock, pinTimeoutMs: number) {
    this.#node = node;
    this.#clock = clock;
    this.#pinTimeoutMs = pinTimeoutMs;
  }

  async start(): Promise<void> {
    this.#isRunning = true;
    await this.#after(answerMs);
    this.look();
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
  }

  isUp(): boolean {
    return this.#isUp;
  }

  onUp(listener: () => void): void {
    this.#listeners.push(listener);
    if (this.#isUp) listener();
  }

  /** Its peer has died. */
  abandon(): void {
    this.#isRunning = false;
    if (this.#node.state !== 'down') for (const mayAct of this.#underWay) mayAct();
    this.#underWay.clear();
  }

  /** The node may have come or gone. */
  look(): void {
    const wasUp = this.#isUp;
    this.#isUp = this.#isRunning && this.#node.state !== 'down';
    if (this.#isUp && !wasUp) for (const listener of this.#listeners) listener();
  }

  async id(options?: CallOptions): Promise<IpfsId> {
    await this.#answer(options);
    const { id } = this.#node;
    return { id, addresses: [`/ip4/127.0.0.1/tcp/4001/p2p/${id}`], error: '' };
  }

  async pin({ cid, maxDepth }: Pin, { signal }: PinProgress): Promise<void> {
    const mode = maxDepth === 0 ? 'direct' : 'recursive';
    await this.#act(cid, signal, () => this.#node.held.set(cid.key, { cid, mode }));
  }

  async unpin(cid: Cid, { signal }: PinProgress): Promise<void> {
    await this.#act(cid, signal, () => this.#node.held.delete(cid.key));
  }

  async pinLsCid({ cid }: Pick<Pin, 'cid' | 'maxDepth'>, options?: CallOptions): Promise<IpfsPinStatus> {
    await this.#answer(options);
    return this.#node.held.get(cid.key)?.mode ?? 'unpinned';
  }

  async *pinLs(
    types: readonly ('recursive' | 'direct')[],
    options?: CallOptions,
  ): AsyncGenerator<readonly IpfsPinInfo[], void> {
    const all = [...this.#node.held.values()].filter(({ mode }) => types.includes(mode));
    for (let at = 0; at < all.length || at === 0; at += pageSize) {
      await this.#answer(options);
      yield all.slice(at, at + pageSize).map(({ cid, mode }) => ({ cid, status: mode }));
    }
  }

  async connectSwarm(address: Multiaddr, options?: CallOptions): Promise<void> {
    await this.#answer(options);
    const peer = peerIdOfMultiaddr(address);
    if (peer !== undefined) this.#node.linked.add(peer);
  }

  async swarmPeers(options?: CallOptions): Promise<readonly PeerId[]> {
    await this.#answer(options);
    return [...this.#node.linked];
  }

  async repoStat(options?: CallOptions): Promise<IpfsRepoStat> {
    await this.#answer(options);
    return this.#node.stat();
  }

  /** There is nothing but pins. */
  async *repoGc(options?: CallOptions): AsyncGenerator<IpfsRepoGc, void> {
    await this.#answer(options);
    yield* [];
  }

  async configKey(_path: string, options?: CallOptions): Promise<unknown> {
    await this.#answer(options);
    return undefined;
  }

  async resolve(path: string, options?: CallOptions): Promise<Cid> {
    await this.#answer(options);
    return Cid.parse(path.replace(/^\/ipfs\//, ''));
  }

  async blockGet(cid: Cid, options?: CallOptions): Promise<Uint8Array> {
    await this.#answer(options);
    throw new OperatingError('ipfs/refused', `block was not found locally (offline): ipld: could not find ${cid}`);
  }

  /** A pin or unpin: what takes time, and goes wrong. One that is given up may have been done in that moment, but not later. */
  async #act(cid: Cid, signal: AbortSignal, act: () => void): Promise<void> {
    await this.#answer({ signal });
    if (this.#node.state === 'failing') throw new OperatingError('ipfs/refused', `the IPFS node refuses ${cid}`);
    const hangs = this.#node.state === 'hanging';
    const mayAct = (): void => {
      if (!hangs && this.#node.isDone()) act();
    };
    this.#underWay.add(mayAct);
    try {
      await this.#after(hangs ? this.#pinTimeoutMs : this.#node.pinDelayMs(), signal);
      if (hangs) {
        const text = `no block of ${cid} came for ${this.#pinTimeoutMs} ms`;
        throw new OperatingError('ipfs/timeout', text, { outcome: 'unknown' });
      }
      this.#reach();
      act();
    } catch (error) {
      if (this.#node.state !== 'down') mayAct();
      throw error;
    } finally {
      this.#underWay.delete(mayAct);
    }
  }

  async #answer({ signal }: CallOptions = {}): Promise<void> {
    this.#reach();
    await this.#after(answerMs, signal);
    this.#reach();
  }

  #reach(): void {
    if (this.#node.state !== 'down') return;
    this.#isUp = false;
    throw new OperatingError('ipfs/unreachable', 'the IPFS node does not answer: connection refused');
  }

  #after(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        cancel();
        reject(new OperatingError('ipfs/aborted', 'the call to the IPFS node was given up', { outcome: 'unknown' }));
      };
      const cancel = this.#clock.after(ms, () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      });
      if (signal?.aborted === true) abort();
      else signal?.addEventListener('abort', abort, { once: true });
    });
  }
}
