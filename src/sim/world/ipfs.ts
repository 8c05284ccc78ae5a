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
  type NodeWithMeta,
  type PeerId,
  type Pin,
  peerIdOfMultiaddr,
} from '../../model/index.ts';
import type { Scheduler, VirtualClock } from './scheduler.ts';

/**
 * `failing`: refuses pins and unpins. `hanging`: never finishes them. `down`: answers nothing. `full`: has no room for pins. `dazed`:
 * needs seconds for every answer. `garbled`: answers nonsense when it is asked who it is or what it holds.
 */
export type IpfsState = 'up' | 'failing' | 'hanging' | 'down' | 'full' | 'dazed' | 'garbled';

export interface IpfsOptions {
  /** What a pin takes, half to one and a half times. */
  readonly pinMs: number;
  readonly storageMaxBytes: number;
}

/** What every pin counts as. */
const pinBytes = 1_000_000;
/** What all but pins takes. */
const answerMs = 1;
/** The same, of a dazed node. */
const dazedMs = 3000;
/** Until a peer notices that its node has come or gone. */
const noticeMs = 1000;
/** Small: what changes in the middle of a list of few pins is seen. */
const pageSize = 2;

interface Held {
  readonly cid: Cid;
  readonly mode: 'recursive' | 'direct';
}

/** Looks on at what a peer does to its node. */
export interface IpfsObserver {
  /** It begins; `running` of the same peer are not answered yet, this one included. */
  onAct(kind: 'pin' | 'unpin', cid: Cid, running: readonly Cid[]): void;
}

/** A pin or unpin under way. */
interface Act {
  readonly cid: Cid;
  readonly perform: () => void;
  /** It goes on there, whether or not someone waits for it. */
  mayBeDone: boolean;
}

/** One IPFS node; `connect` gives the port of its peer. */
export class VirtualIpfs {
  readonly id: PeerId;
  /** By the CID's text. */
  readonly held: Map<string, Held> = new Map();
  /** Nodes that it has been introduced to. */
  readonly linked: Set<PeerId> = new Set();
  /** Those of `held` that someone else has pinned, and not the cluster. */
  readonly strangers: Set<string> = new Set();
  /** When it last lost what it held, in virtual milliseconds; by the CID's text. */
  readonly lostMs: Map<string, number> = new Map();
  /** What was taken from it by others than its peer, which are not told. */
  readonly #untold = new Set<string>();
  /** Since when nothing is wrong with it, in virtual milliseconds. */
  wellSinceMs = 0;
  /** Its lists ended too early, and its peer waits for the next look. */
  #wasGarbled = false;
  /** Pins take this many times longer. */
  slowness = 1;
  observer: IpfsObserver | undefined;
  /** Done once, in the middle of the next pin. */
  onMidPin: (() => void) | undefined;
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
    this.#wasGarbled ||= state === 'garbled';
    this.#state = state;
    this.wellSinceMs = this.#scheduler.now;
    if (wasDown !== (state === 'down')) this.#scheduler.after(noticeMs, () => this.#connector?.look());
  }

  /** It starts anew and has lost all pins, as when its folder was replaced. */
  lose(): void {
    for (const key of [...this.held.keys()]) this.drop(key);
  }

  /** As Kubo does: a direct pin becomes recursive, and not the other way round. */
  hold(cid: Cid, mode: Held['mode']): void {
    if (this.held.get(cid.key)?.mode !== 'recursive') this.held.set(cid.key, { cid, mode });
    this.#untold.delete(cid.key);
  }

  drop(key: string): void {
    if (this.held.delete(key)) this.lostMs.set(key, this.#scheduler.now);
    this.strangers.delete(key);
  }

  /** Whether it lacks a CID, and its peer can know. */
  isTold(key: string): boolean {
    return !this.held.has(key) && this.#state === 'up' && !this.#untold.has(key) && !this.#wasGarbled;
  }

  /** Whether its peer finds out only by looking through everything. */
  get hasUntold(): boolean {
    return this.#untold.size > 0;
  }

  /** Someone takes a pin away beside the cluster. */
  strangerUnpins(key: string): void {
    if (!this.held.has(key)) return;
    this.drop(key);
    this.#untold.add(key);
  }

  /** Someone pins beside the cluster. */
  strangerPins(cid: Cid): void {
    if (this.held.has(cid.key)) return;
    this.hold(cid, 'recursive');
    this.strangers.add(cid.key);
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
    const { storageMaxBytes } = this.#options;
    const isFull = this.#state === 'full';
    return { repoSize: isFull ? storageMaxBytes : this.held.size * pinBytes, storageMax: storageMaxBytes };
  }
}

class VirtualConnector implements IpfsConnector {
  readonly #node: VirtualIpfs;
  readonly #clock: VirtualClock;
  readonly #pinTimeoutMs: number;
  readonly #listeners: (() => void)[] = [];
  /** Not answered yet. */
  readonly #underWay = new Set<Act>();
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
    if (this.#node.state !== 'down') for (const act of this.#underWay) this.#leave(act);
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
    if (this.#node.state === 'garbled') throw garbled();
    const { id } = this.#node;
    return { id, addresses: [`/ip4/127.0.0.1/tcp/4001/p2p/${id}`], error: '' };
  }

  async pin({ cid, maxDepth }: Pin, { signal }: PinProgress): Promise<void> {
    const mode = maxDepth === 0 ? 'direct' : 'recursive';
    await this.#act('pin', cid, signal, () => this.#held(cid, mode));
  }

  async pinAll(
    cids: readonly Cid[],
    { signal, timeoutMs }: PinProgress & { readonly timeoutMs: number },
  ): Promise<void> {
    const limit = new AbortController();
    const cancel = this.#clock.after(timeoutMs, () => limit.abort());
    try {
      for (const cid of cids) {
        await this.#act('pin', cid, AbortSignal.any([signal, limit.signal]), () => this.#held(cid, 'recursive'));
      }
    } catch (error) {
      if (!limit.signal.aborted) throw error;
      throw new OperatingError('ipfs/timeout', `not all of ${cids.length} pins came in time`, { outcome: 'unknown' });
    } finally {
      cancel();
    }
  }

  async unpin(cid: Cid, { signal }: PinProgress): Promise<void> {
    await this.#act('unpin', cid, signal, () => this.#node.drop(cid.key));
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
      if (this.#node.state === 'garbled' && at + pageSize >= all.length) throw garbled();
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

  async blockStream(blocks: AsyncIterable<NodeWithMeta>, options?: CallOptions): Promise<void> {
    // Nobody adds content there; a node that holds whatever it is asked for has no use for blocks.
    for await (const _ of blocks);
    await this.#answer(options);
  }

  /** A pin or unpin: what takes time, and goes wrong. One that is given up may have been done in that moment, but not later. */
  async #act(kind: 'pin' | 'unpin', cid: Cid, signal: AbortSignal, perform: () => void): Promise<void> {
    const act: Act = { cid, perform, mayBeDone: false };
    this.#underWay.add(act);
    const running = [...this.#underWay].map((other) => other.cid);
    this.#node.observer?.onAct(kind, cid, running);
    try {
      await this.#answer({ signal });
      this.#refuse(kind, cid);
      act.mayBeDone = true;
      await this.#progress(kind, act, signal);
      this.#reach();
      perform();
    } catch (error) {
      if (this.#node.state !== 'down') this.#leave(act);
      throw error;
    } finally {
      this.#underWay.delete(act);
    }
  }

  #held(cid: Cid, mode: Held['mode']): void {
    this.#node.hold(cid, mode);
    // It is the cluster's as well from now on.
    this.#node.strangers.delete(cid.key);
  }

  #refuse(kind: 'pin' | 'unpin', cid: Cid): void {
    const { state } = this.#node;
    if (state === 'failing') throw new OperatingError('ipfs/refused', `the IPFS node refuses ${cid}`);
    if (state === 'full' && kind === 'pin') throw new OperatingError('ipfs/refused', 'no space left on device');
  }

  /** Half of it, what is to happen then, and the other half. */
  async #progress(kind: 'pin' | 'unpin', act: Act, signal: AbortSignal): Promise<void> {
    const delayMs = this.#node.pinDelayMs();
    const onMidPin = kind === 'pin' ? this.#node.onMidPin : undefined;
    if (onMidPin !== undefined) {
      this.#node.onMidPin = undefined;
      await this.#after(delayMs / 2, signal);
      onMidPin();
    }
    if (this.#node.state === 'hanging') {
      act.mayBeDone = false;
      await this.#after(this.#pinTimeoutMs, signal);
      const text = `no block of ${act.cid} came for ${this.#pinTimeoutMs} ms`;
      throw new OperatingError('ipfs/timeout', text, { outcome: 'unknown' });
    }
    await this.#after(onMidPin === undefined ? delayMs : delayMs / 2, signal);
  }

  /** Nobody waits for it any more. */
  #leave({ mayBeDone, perform }: Act): void {
    if (mayBeDone && this.#node.isDone()) perform();
  }

  async #answer({ signal }: CallOptions = {}): Promise<void> {
    this.#reach();
    await this.#after(this.#node.state === 'dazed' ? dazedMs : answerMs, signal);
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

function garbled(): OperatingError {
  return new OperatingError('ipfs/bad-answer', 'the IPFS node answers what is no JSON: expected an object');
}
