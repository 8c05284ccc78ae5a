/** The `IpfsConnector` port over a map: pins when the test lets it. */
import { type Clock, OperatingError } from '../../src/base/index.ts';
import type { CallOptions, IpfsConnector, PinProgress } from '../../src/cluster/ports.ts';
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
} from '../../src/model/index.ts';

export class MemoryIpfs implements IpfsConnector {
  /** By CID. */
  readonly blocks: Map<string, Uint8Array> = new Map();
  readonly held: Map<string, 'recursive' | 'direct'> = new Map();
  /** Acts in order, such as `pin bafk…`. */
  readonly acts: string[] = [];
  readonly connected: Multiaddr[] = [];
  /** For the limits of requests. */
  clock: Clock | undefined;
  /** Pins of each request of several. */
  readonly requests: number[] = [];
  pinningCount = 0;
  pinningCountMax = 0;
  /** Runs before a listing; reject to fail it. */
  onList: () => Promise<void> = async () => {};
  /** Runs inside of each pin and unpin; reject to fail it, wait to delay it. */
  onAct: (act: 'pin' | 'unpin', cid: Cid, signal: AbortSignal) => Promise<void> | void = () => {};
  /** Runs before the node tells its id; wait to delay it. */
  onId: (timeoutMs: number) => Promise<void> = async () => {};
  identity: IpfsId = { id: '12D3KooWIpfs', addresses: ['/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWIpfs'], error: '' };
  #isUp = false;
  readonly #listeners: (() => void)[] = [];

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  isUp(): boolean {
    return this.#isUp;
  }

  setUp(isUp: boolean): void {
    const wasUp = this.#isUp;
    this.#isUp = isUp;
    if (isUp && !wasUp) for (const listener of this.#listeners) listener();
  }

  onUp(listener: () => void): void {
    this.#listeners.push(listener);
    if (this.#isUp) listener();
  }

  async id(options?: CallOptions): Promise<IpfsId> {
    await this.onId(options?.timeoutMs ?? 0);
    this.#reach();
    return this.identity;
  }

  async pin(pin: Pin, { signal }: PinProgress): Promise<void> {
    this.#reach();
    this.acts.push(`pin ${pin.cid}`);
    this.pinningCount += 1;
    this.pinningCountMax = Math.max(this.pinningCountMax, this.pinningCount);
    try {
      await this.onAct('pin', pin.cid, signal);
      if (signal.aborted) throw new OperatingError('ipfs/aborted', 'aborted');
    } finally {
      this.pinningCount -= 1;
    }
    this.held.set(pin.cid.toString(), pin.maxDepth === 0 ? 'direct' : 'recursive');
  }

  async pinAll(
    cids: readonly Cid[],
    { signal: outer, timeoutMs }: PinProgress & { readonly timeoutMs: number },
  ): Promise<void> {
    this.#reach();
    const limit = new AbortController();
    const cancel = this.clock?.after(timeoutMs, () => limit.abort());
    const signal = AbortSignal.any([outer, limit.signal]);
    this.requests.push(cids.length);
    this.pinningCount += 1;
    this.pinningCountMax = Math.max(this.pinningCountMax, this.pinningCount);
    try {
      for (const cid of cids) {
        this.acts.push(`pin ${cid}`);
        await this.onAct('pin', cid, signal);
        if (signal.aborted) throw new OperatingError('ipfs/aborted', 'aborted');
        this.held.set(cid.toString(), 'recursive');
      }
    } finally {
      cancel?.();
      this.pinningCount -= 1;
    }
  }

  async unpin(cid: Cid, { signal }: PinProgress): Promise<void> {
    this.#reach();
    this.acts.push(`unpin ${cid}`);
    await this.onAct('unpin', cid, signal);
    this.held.delete(cid.toString());
  }

  async pinLsCid(pin: Pick<Pin, 'cid' | 'maxDepth'>, _options?: CallOptions): Promise<IpfsPinStatus> {
    this.#reach();
    return this.held.get(pin.cid.toString()) ?? 'unpinned';
  }

  async *pinLs(
    types: readonly ('recursive' | 'direct')[],
    _options?: CallOptions,
  ): AsyncGenerator<readonly IpfsPinInfo[], void> {
    this.#reach();
    this.acts.push('list');
    await this.onList();
    const all = [...this.held];
    for (let at = 0; at < all.length; at += 100) {
      await null;
      const page = all.slice(at, at + 100).filter(([, status]) => types.includes(status));
      yield page.map(([cid, status]) => ({ cid: Cid.parse(cid), status }));
    }
  }

  async connectSwarm(address: Multiaddr, _options?: CallOptions): Promise<void> {
    this.#reach();
    this.connected.push(address);
  }

  async swarmPeers(_options?: CallOptions): Promise<readonly PeerId[]> {
    this.#reach();
    return [];
  }

  async repoStat(_options?: CallOptions): Promise<IpfsRepoStat> {
    this.#reach();
    return { repoSize: 300, storageMax: 1000 };
  }

  async *repoGc(_options?: CallOptions): AsyncGenerator<IpfsRepoGc, void> {
    this.#reach();
    yield { key: null, error: 'nothing to do' };
  }

  async configKey(_path: string, _options?: CallOptions): Promise<unknown> {
    return undefined;
  }

  async resolve(path: string, _options?: CallOptions): Promise<Cid> {
    return Cid.parse(path.replace('/ipfs/', ''));
  }

  async blockGet(cid: Cid, _options?: CallOptions): Promise<Uint8Array> {
    return this.blocks.get(cid.key) ?? new Uint8Array();
  }

  async blockStream(blocks: AsyncIterable<NodeWithMeta>): Promise<void> {
    this.#reach();
    for await (const { cid, data } of blocks) this.blocks.set(cid.key, data ?? new Uint8Array());
  }

  #reach(): void {
    if (!this.#isUp) throw new OperatingError('ipfs/unreachable', 'Post "http://ipfs": connection refused');
  }
}
