/**
 * What this peer tells of itself: the ping, what it was told to hold, and what its informers measure, each as often as it needs to.
 *
 * A cordoned peer keeps what its informers measure to itself: whoever allocates by it has nothing to choose this peer by.
 */
import { type Clock, errorMessage, type Logger } from '../base/index.ts';
import type { CordonMode, IpfsId, PeerId } from '../model/index.ts';
import { cordonMetric } from './cordon.ts';
import { Informing } from './informing.ts';
import { Loop } from './loop.ts';
import { addressesForOthers, pingMetric } from './ping-value.ts';
import type { CallOptions, CordonFile, Informer, IpfsConnector, PeerMonitor } from './ports.ts';
import type { TrackerIdentity } from './tracker/index.ts';

export interface OwnMetricsOptions {
  readonly peername: string;
  readonly monitorPingIntervalMs: number;
  /** All metrics are sent after so many beginnings and ends of pins; 0, the default: never. */
  readonly informerTriggerInterval?: number;
}

export interface OwnMetricsDeps {
  readonly ipfs: IpfsConnector;
  readonly monitor: PeerMonitor;
  readonly informers: readonly Informer[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** Absent: what the peer is told is forgotten when it stops. */
  readonly cordonFile?: CordonFile;
}

const ipfsIdTimeoutMs = 5000;
/** The word that it is free again needs no repetition, and must not run out: others would be alarmed. In years. */
const freeYears = 10n;
const nanosPerYear = 31_536_000_000_000_000n;

export class OwnMetrics {
  readonly #options: OwnMetricsOptions;
  readonly #deps: OwnMetricsDeps;
  /** With the last answer of the IPFS node, kept while it is down. Made once per answer: every row of a status has it. */
  #identity: TrackerIdentity;
  readonly #informing: Informing;
  readonly #ping: Loop;
  #cordon: CordonMode = 'none';
  /** Ends when the last order has been carried out. */
  #ordered: Promise<void> = Promise.resolve();

  constructor(self: PeerId, options: OwnMetricsOptions, deps: OwnMetricsDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#identity = { peer: self, peername: options.peername, ipfsId: '', ipfsAddresses: [] };
    const isSilent = (): boolean => this.#cordon !== 'none';
    this.#informing = new Informing({ ...deps, isSilent }, { extraEvery: options.informerTriggerInterval ?? 0 });
    const { monitorPingIntervalMs } = options;
    this.#ping = new Loop('ping', monitorPingIntervalMs, deps, async (signal) => {
      await this.#sendPing({ signal });
      return monitorPingIntervalMs;
    });
  }

  get identity(): TrackerIdentity {
    return this.#identity;
  }

  /** Remembers what the peer was told in an earlier life. Throws `config/bad-file`. */
  async start(): Promise<void> {
    this.#cordon = (await this.#deps.cordonFile?.read()) ?? 'none';
    if (this.#cordon !== 'none') this.#deps.logger.warn(`this peer is ${this.#cordon}: it gets no new pins`);
  }

  /** Keeps to the mode from now on, and says so; one order after the other. Throws `config/bad-file`; nothing has changed then. */
  async cordon(mode: CordonMode, call: CallOptions): Promise<void> {
    const done = this.#ordered.then(() => this.#keepTo(mode));
    this.#ordered = done.catch(() => {});
    await done;
    await this.send(call);
  }

  async #keepTo(mode: CordonMode): Promise<void> {
    await this.#deps.cordonFile?.save(mode);
    const isFreed = this.#cordon !== 'none' && mode === 'none';
    this.#cordon = mode;
    if (!isFreed) return;
    const expire = this.#deps.clock.wallNanos() + freeYears * nanosPerYear;
    await this.#deps.monitor.publish(cordonMetric(this.#identity.peer, mode, expire));
  }

  /** Begins to send everything as often as it needs to. */
  wake(): void {
    this.#ping.wake();
    this.#informing.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#ping.stop(), this.#informing.stop()]);
  }

  /** Publishes everything now. Resolves when informers have answered or had their time; what they cannot tell is left to their loops. */
  async send(call: CallOptions): Promise<void> {
    await this.#sendPing(call);
    await this.#informing.send(call);
  }

  /** Work on the IPFS node has begun or ended. Never waits. */
  ipfsWorked(): void {
    this.#informing.worked();
  }

  /** The IPFS node about itself, or why it does not answer. */
  async askIpfsId(call: CallOptions): Promise<IpfsId> {
    const timeoutMs = Math.min(call.timeoutMs ?? ipfsIdTimeoutMs, ipfsIdTimeoutMs);
    try {
      const answer = await this.#deps.ipfs.id({ ...call, timeoutMs });
      const ipfsAddresses = addressesForOthers(answer.addresses ?? []);
      this.#identity = { ...this.#identity, ipfsId: answer.id, ipfsAddresses };
      return answer;
    } catch (error) {
      return { id: '', addresses: null, error: errorMessage(error) };
    }
  }

  /** Until when others may trust a ping. */
  pingExpiry(): bigint {
    return this.#deps.clock.wallNanos() + BigInt(Math.round(this.#options.monitorPingIntervalMs * 2)) * 1_000_000n;
  }

  async #sendPing(call: CallOptions): Promise<void> {
    const { monitor } = this.#deps;
    // A ping lives for two intervals: one that a hanging node held up for longer would come when the last one has expired.
    await this.askIpfsId({ ...call, timeoutMs: this.#options.monitorPingIntervalMs / 2 });
    const { peer, peername, ipfsId, ipfsAddresses } = this.#identity;
    const expire = this.pingExpiry();
    // First: nobody shall see this peer alive and take it for free.
    if (this.#cordon !== 'none') await monitor.publish(cordonMetric(peer, this.#cordon, expire));
    await monitor.publish(pingMetric(peer, { peername, ipfsId, ipfsAddresses }, expire));
  }
}
