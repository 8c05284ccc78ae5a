/**
 * Metrics between peers over pubsub: publishing, receiving, and the alerts about those that were not renewed.
 * Source: Go `monitor/pubsubmon/pubsubmon.go`.
 *
 * Unlike there, a message counts only when its signer is the peer that the metric is about: whoever forges metrics of
 * others could otherwise move pins or add ghosts. Go peers only ever publish their own.
 */
import {
  bytesEqual,
  type Cancel,
  type Clock,
  errorMessage,
  type Logger,
  LogLimit,
  pause,
  utf8Encode,
} from '../../base/index.ts';
import type { PeerMonitor, PubSub } from '../../cluster/ports.ts';
import { MetricStore } from '../../core/metrics/index.ts';
import { type Alert, type Metric, metricCodec, type PeerId } from '../../model/index.ts';

/** Topic of all modes. Source: Go `pubsubmon.PubsubTopic`. */
const topic = 'monitor.metrics';
/** Written before the metric by peers older than 0.14. */
const legacyPrefix = utf8Encode('\t/msgpack\n');
const checkIntervalMsDefault = 15_000;
/** The members must be told in this time; else the last known ones serve. */
const membersLimitMs = 5000;
const nameLengthShown = 64;

/** Settings of a monitor. */
export interface MonitorOptions {
  readonly self: PeerId;
  /** Between looks for expired metrics; 15 s by default. */
  readonly checkIntervalMs?: number;
}

/** What the monitor listens to. */
export interface MonitorDeps {
  readonly pubsub: PubSub;
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * Members now. Metrics of others are then hidden and forgotten. Absent: everyone who publishes is seen, as the CRDT
   * consensus needs, which takes its members from the metrics.
   */
  readonly members?: () => Promise<readonly PeerId[]>;
}

/** Makes a monitor. It receives once started; before, it only records what it is given. */
export function createPeerMonitor(options: MonitorOptions, deps: MonitorDeps): PeerMonitor {
  return new PubSubMonitor(options, deps);
}

class PubSubMonitor implements PeerMonitor {
  readonly #options: MonitorOptions;
  readonly #deps: MonitorDeps;
  readonly #store = new MetricStore();
  readonly #logLimit: LogLimit;
  readonly #alertListeners: ((alert: Alert) => void)[] = [];
  /** As of the last look; `undefined` while unknown or without membership. */
  #members: ReadonlySet<PeerId> | undefined;
  #isLookingUpMembers = false;
  #cancelCheck: Cancel | undefined;
  #isRunning = false;

  constructor(options: MonitorOptions, deps: MonitorDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#logLimit = new LogLimit(deps.clock);
  }

  async start(): Promise<void> {
    this.#isRunning = true;
    this.#deps.pubsub.subscribe(topic, (from, data) => this.#receive(from, data));
    this.#scheduleCheck();
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#cancelCheck?.();
  }

  async publish(metric: Metric): Promise<void> {
    const nowNanos = this.#deps.clock.wallNanos();
    if (!metric.valid || metric.expire <= nowNanos) {
      if (this.#logLimit.allows(`discard ${metric.name}`)) {
        const reason = metric.valid ? 'expired' : 'invalid';
        this.#deps.logger.warn('metric not published', { name: metric.name, reason });
      }
      return;
    }
    this.record(metric);
    await this.#deps.pubsub.publish(topic, metricCodec.encode(metric));
  }

  record(metric: Metric): void {
    if (!this.#store.record(metric, this.#deps.clock.wallNanos()) && this.#logLimit.allows('full')) {
      const name = metric.name.slice(0, nameLengthShown);
      this.#deps.logger.warn('too many or too long metrics, dropping new ones', { peer: metric.peer, name });
    }
    if (this.#members?.has(metric.peer) === false) void this.#lookUpMembers();
  }

  latest(name: string): readonly Metric[] {
    const all = this.#store.latest(name, this.#deps.clock.wallNanos());
    const members = this.#members;
    return members === undefined ? all : all.filter((metric) => members.has(metric.peer));
  }

  latestOf(name: string, peer: PeerId): Metric | undefined {
    return this.#store.latestOf(name, peer);
  }

  names(): readonly string[] {
    return this.#store.names();
  }

  alerts(): readonly Alert[] {
    return this.#store.alerts();
  }

  onAlert(listener: (alert: Alert) => void): void {
    this.#alertListeners.push(listener);
  }

  #receive(from: PeerId, data: Uint8Array): void {
    if (!this.#isRunning || from === this.#options.self) return;
    const metric = this.#decode(from, data);
    if (metric === undefined) return;
    if (metric.peer === from) this.record(metric);
    else if (this.#logLimit.allows(`forged ${from}`)) {
      this.#deps.logger.warn('dropping a metric that its sender made for another peer', { from, peer: metric.peer });
    }
  }

  #decode(from: PeerId, data: Uint8Array): Metric | undefined {
    const isLegacy = bytesEqual(data.subarray(0, legacyPrefix.length), legacyPrefix);
    try {
      return metricCodec.decode(isLegacy ? data.subarray(legacyPrefix.length) : data);
    } catch (error) {
      if (this.#logLimit.allows(`undecodable ${from}`)) {
        this.#deps.logger.warn('dropping an unreadable metric', { from, error: errorMessage(error) });
      }
      return undefined;
    }
  }

  #scheduleCheck(): void {
    const delayMs = this.#options.checkIntervalMs ?? checkIntervalMsDefault;
    this.#cancelCheck = this.#deps.clock.after(delayMs, () => void this.#check());
  }

  /** Whatever members and listeners do, the next check comes: alerts never end. */
  async #check(): Promise<void> {
    const waiting = new AbortController();
    await Promise.race([this.#lookUpMembers(), pause(this.#deps.clock, membersLimitMs, waiting.signal)]);
    waiting.abort();
    if (!this.#isRunning) return;
    for (const alert of this.#store.check(this.#deps.clock.wallNanos(), this.#members)) {
      this.#logExpired(alert);
      for (const listener of this.#alertListeners) this.#tell(listener, alert);
    }
    this.#scheduleCheck();
  }

  #logExpired({ name, peer }: Alert): void {
    if (this.#logLimit.allows(`expired ${name} ${peer}`)) this.#deps.logger.warn('metric has expired', { name, peer });
  }

  #tell(listener: (alert: Alert) => void, alert: Alert): void {
    try {
      listener(alert);
    } catch (error) {
      this.#deps.logger.error('an alert could not be handled', {
        name: alert.name,
        peer: alert.peer,
        error: errorMessage(error),
      });
    }
  }

  async #lookUpMembers(): Promise<void> {
    if (this.#deps.members === undefined || this.#isLookingUpMembers) return;
    this.#isLookingUpMembers = true;
    try {
      this.#members = new Set(await this.#deps.members());
    } catch (error) {
      // The last known members serve until the next look.
      this.#deps.logger.debug('members not known', { error: errorMessage(error) });
    } finally {
      this.#isLookingUpMembers = false;
    }
  }
}
