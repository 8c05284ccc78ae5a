/**
 * The IPFS node of a peer, spoken to in the Kubo RPC; real Kubo and the embedded node alike.
 * Source of requests and texts: Go `ipfsconn/ipfshttp/ipfshttp.go`.
 */
import {
  briefJson,
  type Clock,
  errorCode,
  errorMessage,
  hexEncode,
  type Logger,
  type OperatingError,
} from '../../base/index.ts';
import type { CallOptions, IpfsConnector, PinProgress } from '../../cluster/ports.ts';
import {
  Cid,
  formatGoDuration,
  type IpfsId,
  type IpfsPinInfo,
  type IpfsPinStatus,
  type IpfsRepoGc,
  type IpfsRepoStat,
  type Multiaddr,
  type NodeWithMeta,
  type PeerId,
  type Pin,
  parseMultiaddr,
} from '../../model/index.ts';
import { Availability } from './availability.ts';
import { type BlockBatch, blockBatches, multipartOf } from './block-batches.ts';
import { endpointOf } from './endpoint.ts';
import { badAnswer, ipfsFailure, KuboError } from './errors.ts';
import { KuboHttp, type KuboRequest } from './kubo-http.ts';
import { Limit } from './limit.ts';
import { StallWatch } from './stall-watch.ts';

/** Where the IPFS node is, and how long to wait for it. */
export interface IpfsConnectorOptions {
  /** `/ip4/127.0.0.1/tcp/5001` by default in the configuration; `/unix/<path>` works too. */
  readonly nodeMultiaddress: Multiaddr;
  /** Limit for an answer to begin and for each further piece of it. */
  readonly ipfsRequestTimeoutMs: number;
  /** A pin fails when no new block came for this long. */
  readonly pinTimeoutMs: number;
  readonly unpinTimeoutMs: number;
  readonly repoGcTimeoutMs: number;
  /** Refuses to unpin. */
  readonly unpinDisable: boolean;
  /** Pins at once, from the tracker's configuration; the pool holds some more connections for questions. */
  readonly concurrentPins: number;
}

/** Time and log. */
export interface IpfsConnectorDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called at each beginning and end of a pin, and each end of a garbage collection; must not throw. Default: nobody cares. */
  readonly onWork?: () => void;
}

/** Connections for status questions, listings and the probe. Acts have their own: they must not wait behind questions that hang. */
const connectionsForQuestions = 8;
/** Connections for blocks that are added. */
const connectionsForUploads = 8;
/** Connections for unpins beside those of pins. */
const connectionsForUnpins = 2;
/** Providers of a pin that are contacted first. Source: Go `ipfshttp.go` `maxOriginConnections` (10). */
const originsMax = 10;
const originConnectTimeoutMs = 60_000;
const probeTimeoutMs = 10_000;

/** Makes a connector. `start` resolves when the node was asked once, whatever the outcome. */
export function createIpfsConnector(options: IpfsConnectorOptions, deps: IpfsConnectorDeps): IpfsConnector {
  return new KuboConnector(options, deps);
}

class KuboConnector implements IpfsConnector {
  readonly #options: IpfsConnectorOptions;
  readonly #deps: IpfsConnectorDeps;
  readonly #availability: Availability;
  readonly #http: KuboHttp;
  readonly #stopping = new AbortController();

  constructor(options: IpfsConnectorOptions, deps: IpfsConnectorDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#availability = new Availability({
      clock: deps.clock,
      logger: deps.logger,
      address: options.nodeMultiaddress,
      probe: () => this.#probe(),
    });
    this.#http = new KuboHttp(
      {
        endpoint: endpointOf(options.nodeMultiaddress),
        actsMax: options.concurrentPins + connectionsForUnpins,
        questionsMax: connectionsForQuestions,
        uploadsMax: connectionsForUploads,
      },
      {
        clock: deps.clock,
        onReached: () => this.#availability.reached(),
        onLost: (error) => this.#availability.lost(error),
      },
    );
  }

  async start(): Promise<void> {
    await this.#availability.start();
  }

  async stop(): Promise<void> {
    this.#availability.stop();
    this.#stopping.abort();
    await this.#http.close();
  }

  isUp(): boolean {
    return this.#availability.isUp;
  }

  onUp(listener: () => void): void {
    this.#availability.onUp(listener);
  }

  async id(options?: CallOptions): Promise<IpfsId> {
    return idOf('id', await this.#json('id', options));
  }

  async pin(pin: Pin, { signal }: PinProgress): Promise<void> {
    const { onWork } = this.#deps;
    onWork?.();
    const leaveOrigins = pin.origins === null || pin.origins.length === 0 ? undefined : this.#meetOrigins(pin.origins);
    try {
      if (pin.maxDepth === 0) await this.#pinDirect(pin, signal);
      else if (pin.pinUpdate === null || !(await this.#pinByUpdate(pin, pin.pinUpdate, signal))) {
        await this.#pinAdd(pin, signal);
      }
    } finally {
      leaveOrigins?.();
      onWork?.();
    }
  }

  async pinAll(
    cids: readonly Cid[],
    { signal, timeoutMs }: PinProgress & { readonly timeoutMs: number },
  ): Promise<void> {
    const path = `pin/add?arg=${cids.join('&arg=')}&recursive=true`;
    // Without progress there is but one limit: that of the whole.
    const watch = new StallWatch(this.#deps.clock, timeoutMs, signal);
    this.#worked(cids.length);
    try {
      const refusal = this.#availability.refusal;
      if (refusal !== undefined) throw refusal;
      let count = 0;
      await this.#http.post(path, watch, ({ Pins: pins }) => {
        if (Array.isArray(pins)) count = pins.length;
      });
      if (count !== cids.length) throw badAnswer(path, `${count} pins, expected ${cids.length}`);
    } catch (error) {
      throw watch.isStalled ? tookTooLong(cids.length, timeoutMs) : error;
    } finally {
      watch.end();
      this.#worked(cids.length);
    }
  }

  async unpin(cid: Cid, { signal }: PinProgress): Promise<void> {
    if (this.#options.unpinDisable) {
      const text = 'ipfs unpinning is disallowed by configuration on this peer';
      throw ipfsFailure('ipfs/unpin-disabled', text);
    }
    try {
      await this.#act(`pin/rm?arg=${cid}`, this.#options.unpinTimeoutMs, signal);
    } catch (error) {
      if (!(error instanceof KuboError && /not pinned or pinned indirectly$/.test(error.kuboMessage))) throw error;
    }
  }

  async pinLsCid(pin: Pick<Pin, 'cid' | 'maxDepth'>, options?: CallOptions): Promise<IpfsPinStatus> {
    if (pin.maxDepth === 0 && (await this.#isPinned(pin.cid, 'direct', options))) return 'direct';
    return (await this.#isPinned(pin.cid, 'recursive', options)) ? 'recursive' : 'unpinned';
  }

  async *pinLs(
    types: readonly ('recursive' | 'direct')[],
    options?: CallOptions,
  ): AsyncGenerator<readonly IpfsPinInfo[], void> {
    for (const type of types) {
      const path = `pin/ls?stream=true&type=${type}`;
      for await (const lines of this.#lines(path, options)) {
        yield lines.map((line) => ({ cid: cidField(path, line, 'Cid'), status: pinStatusOf(line.Type) }));
      }
    }
  }

  async connectSwarm(address: Multiaddr, options?: CallOptions): Promise<void> {
    await this.#json(`swarm/connect?arg=${encodeURIComponent(address)}`, options);
  }

  async swarmPeers(options?: CallOptions): Promise<readonly PeerId[]> {
    const { Peers: peers } = await this.#json('swarm/peers', options);
    if (!Array.isArray(peers)) return [];
    return peers.map((peer: Record<string, unknown>) => String(peer.Peer));
  }

  async repoStat(options?: CallOptions): Promise<IpfsRepoStat> {
    const path = 'repo/stat?size-only=true';
    const answer = await this.#json(path, options);
    return { repoSize: sizeField(path, answer, 'RepoSize'), storageMax: sizeField(path, answer, 'StorageMax') };
  }

  async *repoGc(options?: CallOptions): AsyncGenerator<IpfsRepoGc, void> {
    const path = 'repo/gc?stream-errors=true';
    try {
      for await (const lines of this.#lines(path, { timeoutMs: this.#options.repoGcTimeoutMs, ...options })) {
        for (const line of lines) {
          const key = line.Key;
          const hasKey = typeof key === 'object' && key !== null && '/' in key;
          yield { key: hasKey ? cidField(path, key, '/') : null, error: textField(line, 'Error') };
        }
      }
    } finally {
      this.#deps.onWork?.();
    }
  }

  async configKey(path: string, options?: CallOptions): Promise<unknown> {
    const keys = path.split('/').filter((key) => key !== '');
    if (keys.length === 0) throw ipfsFailure('ipfs/bad-config-key', 'invalid path');
    let value: unknown = await this.#json('config/show', options);
    for (const key of keys) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) {
        throw ipfsFailure('ipfs/bad-config-key', 'key not found in configuration');
      }
      // Own property of an object of JSON, as just checked.
      value = (value as Record<string, unknown>)[key];
    }
    return value;
  }

  async resolve(path: string, options?: CallOptions): Promise<Cid> {
    const full = path.startsWith('/') ? path : `/ipfs/${path}`;
    const [, namespace, root, ...rest] = full.replace(/\/+$/, '').split('/');
    if (namespace === undefined || !['ipfs', 'ipns', 'ipld'].includes(namespace) || root === undefined || root === '') {
      throw ipfsFailure('ipfs/bad-path', `invalid path ${JSON.stringify(path)}: path does not have enough components`);
    }
    if (namespace !== 'ipns' && rest.length === 0) return Cid.parse(root);
    const request = `resolve?arg=${encodeURIComponent(full)}`;
    const answer = await this.#json(request, options);
    const [, kind, cid] = textField(answer, 'Path').split('/');
    if ((kind !== 'ipfs' && kind !== 'ipld') || cid === undefined) {
      throw badAnswer(request, `${briefJson(answer.Path)} is not an immutable path`);
    }
    return Cid.parse(cid);
  }

  async blockGet(cid: Cid, options?: CallOptions): Promise<Uint8Array> {
    return await this.#http.bytes(this.#request(`block/get?arg=${cid}`, options));
  }

  async blockStream(blocks: AsyncIterable<NodeWithMeta>, options: CallOptions = {}): Promise<void> {
    const ending = new AbortController();
    const signal = options.signal === undefined ? ending.signal : AbortSignal.any([options.signal, ending.signal]);
    let count = 0;
    const counted = async function* (): AsyncGenerator<NodeWithMeta> {
      for await (const block of blocks) {
        count += 1;
        yield block;
      }
    };
    // One batch is on its way while the next is gathered.
    let sending: Promise<void> | undefined;
    try {
      for await (const batch of blockBatches(counted())) {
        await sending;
        sending = this.#putBlocks(batch, { ...options, signal });
        // Told when it is waited for.
        sending.catch(() => {});
      }
      await sending;
      // The text of the reference, which other members read.
      if (count === 0) throw ipfsFailure('ipfs/bad-block', 'BlockStream: no blocks to peek in blocks channel');
    } finally {
      ending.abort();
      this.#deps.onWork?.();
    }
  }

  #worked(times: number): void {
    const { onWork } = this.#deps;
    if (onWork !== undefined) for (let i = 0; i < times; i++) onWork();
  }

  /** Connects to providers in the background; returns what ends the attempts. */
  #meetOrigins(origins: readonly Multiaddr[]): () => void {
    const attempts = new AbortController();
    for (const origin of origins.slice(0, originsMax)) {
      const connecting = this.connectSwarm(origin, { signal: attempts.signal, timeoutMs: originConnectTimeoutMs });
      connecting.catch((error) =>
        this.#deps.logger.debug('origin not reached', { origin, error: errorMessage(error) }),
      );
    }
    return () => attempts.abort();
  }

  async #pinDirect(pin: Pin, signal: AbortSignal): Promise<void> {
    const limit = new Limit(this.#deps.clock, this.#options.pinTimeoutMs, signal);
    const held = await limit.around('pin/ls', () => this.pinLsCid(pin, { signal: limit.signal }));
    // Kubo refuses to pin directly what it holds recursively; it is held, which is what was asked for.
    if (held === 'unpinned') await this.#pinAdd(pin, signal);
  }

  /** Fetches only what differs from a pin held already. `false`: has to be pinned the ordinary way. */
  async #pinByUpdate(pin: Pin, from: Cid, signal: AbortSignal): Promise<boolean> {
    if (from.equals(pin.cid)) return false;
    const limit = new Limit(this.#deps.clock, this.#options.pinTimeoutMs, signal);
    const isHeld = await limit.around('pin/ls', () => this.#isPinned(from, 'recursive', { signal: limit.signal }));
    if (!isHeld) return false;
    try {
      // The node shows no progress of an update. One that takes longer than a stall goes on as an ordinary pin, which
      // does show it and starts from the blocks fetched so far.
      const path = `pin/update?arg=${from}&arg=${pin.cid}&unpin=false`;
      await this.#act(path, this.#options.pinTimeoutMs, signal);
      return true;
    } catch (error) {
      // Whatever it refuses, an ordinary pin may still do; without a node, or with nobody who waits, there is no use in one.
      if (['ipfs/unreachable', 'ipfs/aborted'].includes(errorCode(error))) throw error;
      return false;
    }
  }

  /** `pin/add` is idempotent, so nothing is asked before it (a question would cost as much as the answer). */
  async #pinAdd(pin: Pin, signal: AbortSignal): Promise<void> {
    const depth = pin.maxDepth > 0 ? `recursive=true&max-depth=${pin.maxDepth}` : `recursive=${pin.maxDepth !== 0}`;
    const watch = new StallWatch(this.#deps.clock, this.#options.pinTimeoutMs, signal);
    try {
      const refusal = this.#availability.refusal;
      if (refusal !== undefined) throw refusal;
      const path = `pin/add?arg=${pin.cid}&${depth}&progress=true`;
      let isDone = false;
      // Silence is judged by progress alone: a node that repeats the same count is stalled though it talks.
      await this.#http.post(path, watch, ({ Progress: progress, Pins: pins }) => {
        if (typeof progress === 'number') watch.progress(progress);
        isDone ||= Array.isArray(pins);
      });
      if (!isDone) throw badAnswer(path, 'it ends without "Pins"');
    } catch (error) {
      throw watch.isStalled ? stalled(pin.cid, watch) : error;
    } finally {
      watch.end();
    }
  }

  async #putBlocks(batch: BlockBatch, options: CallOptions): Promise<void> {
    const path = `block/put?allow-big-block=true&${batch.query}&pin=false`;
    const left = new Map(batch.blocks.map(({ cid }) => [hexEncode(cid.multihash), cid]));
    const request = { ...this.#request(path, options), upload: multipartOf(batch) };
    for await (const lines of this.#http.lines(request)) {
      for (const line of lines) left.delete(hexEncode(cidField(path, line, 'Key').multihash));
    }
    const [missing] = left.values();
    // It may be there under another hash, where nobody looks for it.
    if (missing !== undefined) throw badAnswer(path, `block "${missing}" is not among the stored ones`);
  }

  async #isPinned(cid: Cid, type: 'recursive' | 'direct', options?: CallOptions): Promise<boolean> {
    try {
      for await (const lines of this.#lines(`pin/ls?stream=true&arg=${cid}&type=${type}`, options)) {
        for (const line of lines) {
          if (pinStatusOf(line.Type) === type) return true;
          throw badAnswer('pin/ls', `Type is not "${type}": ${briefJson(line)}`);
        }
      }
      return false;
    } catch (error) {
      if (error instanceof KuboError && /not pinned$/.test(error.kuboMessage)) return false;
      throw error;
    }
  }

  async #probe(): Promise<void> {
    // Not through `refusal`, which is meant for everything but this question.
    await this.#http.json({ path: 'id', signal: this.#stopping.signal, idleTimeoutMs: probeTimeoutMs });
  }

  #json(path: string, options?: CallOptions): Promise<Record<string, unknown>> {
    return this.#http.json(this.#request(path, options));
  }

  /** An act with an answer of its own, all of which must be there within the limit. */
  async #act(path: string, limitMs: number, signal: AbortSignal): Promise<void> {
    const limit = new Limit(this.#deps.clock, limitMs, signal);
    const request = { ...this.#request(path, { signal: limit.signal, timeoutMs: limitMs }), isAct: true };
    await limit.around(path, () => this.#http.json(request));
  }

  #lines(path: string, options?: CallOptions): AsyncGenerator<readonly Record<string, unknown>[], void> {
    return this.#http.lines(this.#request(path, options));
  }

  #request(path: string, options: CallOptions = {}): KuboRequest {
    const refusal = this.#availability.refusal;
    if (refusal !== undefined) throw refusal;
    return { path, signal: options.signal, idleTimeoutMs: options.timeoutMs ?? this.#options.ipfsRequestTimeoutMs };
  }
}

function stalled(cid: Cid, watch: StallWatch): OperatingError {
  return ipfsFailure('ipfs/stalled', `Pin of "${cid}" stalled: ${watch.report()}`, { outcome: 'unknown' });
}

function tookTooLong(count: number, limitMs: number): OperatingError {
  const text = `Not all of ${count} pins were made within ${formatGoDuration(limitMs)}`;
  return ipfsFailure('ipfs/timeout', text, { outcome: 'unknown' });
}

function idOf(path: string, answer: Record<string, unknown>): IpfsId {
  const id = textField(answer, 'ID');
  if (id === '') throw badAnswer(path, 'no ID');
  const given: unknown = answer.Addresses;
  const addresses = Array.isArray(given) ? given.flatMap((address) => usable(String(address))) : [];
  return { id, addresses, error: '' };
}

function usable(address: string): Multiaddr[] {
  try {
    return [parseMultiaddr(address)];
  } catch {
    // An address of a kind that nobody here can dial is of no use to anyone.
    return [];
  }
}

function pinStatusOf(type: unknown): IpfsPinStatus {
  const text = String(type);
  if (text.startsWith('recursive')) return 'recursive';
  if (text === 'direct') return 'direct';
  return text.startsWith('indirect') ? 'indirect' : 'bug';
}

function textField(record: object, name: string): string {
  const value: unknown = Object.entries(record).find(([key]) => key === name)?.[1];
  return typeof value === 'string' ? value : '';
}

function cidField(path: string, record: object, name: string): Cid {
  try {
    return Cid.parse(textField(record, name));
  } catch (error) {
    throw badAnswer(path, `${name} is not a CID: ${briefJson(record)}`, error);
  }
}

/** Bytes; what is more than a double can count, as 18 exabytes for "no limit", is the most that it can. */
function sizeField(path: string, record: Record<string, unknown>, name: string): number {
  const value = record[name];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
    throw badAnswer(path, `${name} is not a size`);
  return Math.min(value, Number.MAX_SAFE_INTEGER);
}
