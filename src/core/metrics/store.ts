/**
 * What this peer knows of all peers' metrics: the latest one per name and peer, and which of them ran out.
 *
 * Pure: the time is an argument. Bounded: a peer of the swarm cannot make it grow beyond `peersMax * namesPerPeerMax`
 * entries of `valueLengthMax`, whatever it sends. Source: Go `monitor/metrics/{store,checker}.go`; unlike there, alerting never ends.
 */
import type { Alert, Metric, PeerId } from '../../model/index.ts';

const NANOS_PER_SECOND = 1_000_000_000n;
/** Characters; names are `tag:` and a word of the configuration at most. */
const nameLengthMax = 1024;

/** Bounds of a store. */
export interface MetricStoreOptions {
  /** Peers remembered; metrics of further ones are refused. Default 10,000. */
  readonly peersMax?: number;
  /** Metric names per peer; further ones are refused. Default 64. */
  readonly namesPerPeerMax?: number;
  /** Characters of a value; metrics with longer ones are refused. Default 65,536: a ping with all addresses of a node has far fewer. */
  readonly valueLengthMax?: number;
  /** Alerts kept; the oldest go first. Default 1,000, as the reference. */
  readonly alertsMax?: number;
  /** Checks of an expired metric after which its alert is given again. Default 300, as Go `MaxAlertThreshold`. */
  readonly checksPerAlert?: number;
}

interface Entry {
  metric: Metric;
  /** Checks since the metric expired; 0 while it is good. */
  failedChecks: number;
}

/** Latest metrics of all peers, and the alerts about those that were not renewed. */
export class MetricStore {
  readonly #peersMax: number;
  readonly #namesPerPeerMax: number;
  readonly #valueLengthMax: number;
  readonly #alertsMax: number;
  readonly #checksPerAlert: number;
  readonly #byPeer = new Map<PeerId, Map<string, Entry>>();
  #alerts: Alert[] = [];

  constructor(options: MetricStoreOptions = {}) {
    this.#peersMax = options.peersMax ?? 10_000;
    this.#namesPerPeerMax = options.namesPerPeerMax ?? 64;
    this.#valueLengthMax = options.valueLengthMax ?? 65_536;
    this.#alertsMax = options.alertsMax ?? 1000;
    this.#checksPerAlert = options.checksPerAlert ?? 300;
  }

  /** Remembers a metric as arrived at `wallNanos`. `false`: refused because a bound is reached. */
  record(metric: Metric, wallNanos: bigint): boolean {
    if (metric.value.length > this.#valueLengthMax || metric.name.length > nameLengthMax) return false;
    let names = this.#byPeer.get(metric.peer);
    if (names === undefined) {
      if (this.#byPeer.size >= this.#peersMax) return false;
      names = new Map();
      this.#byPeer.set(metric.peer, names);
    }
    const entry = names.get(metric.name);
    const arrived = { ...metric, receivedAt: wallNanos };
    if (entry !== undefined) {
      entry.metric = arrived;
      if (isUsable(arrived, wallNanos)) entry.failedChecks = 0;
      return true;
    }
    if (names.size >= this.#namesPerPeerMax) return false;
    names.set(metric.name, { metric: arrived, failedChecks: 0 });
    return true;
  }

  /** Valid, unexpired metrics of a name, in ascending order of peers. */
  latest(name: string, wallNanos: bigint): Metric[] {
    const found: Metric[] = [];
    for (const names of this.#byPeer.values()) {
      const entry = names.get(name);
      if (entry !== undefined && isUsable(entry.metric, wallNanos)) found.push(entry.metric);
    }
    return found.sort((a, b) => (a.peer < b.peer ? -1 : 1));
  }

  /** The latest metric of one peer, expired or invalid ones included. */
  latestOf(name: string, peer: PeerId): Metric | undefined {
    return this.#byPeer.get(peer)?.get(name)?.metric;
  }

  /** Names of all metrics that any peer has sent, ascending. */
  names(): string[] {
    const all = new Set<string>();
    for (const names of this.#byPeer.values()) for (const name of names.keys()) all.add(name);
    return [...all].sort();
  }

  /** Forgets everything of a peer. */
  forget(peer: PeerId): void {
    this.#byPeer.delete(peer);
  }

  /**
   * Looks for expired metrics and returns the alerts that are due: one when a metric is first found expired, and again
   * after every `checksPerAlert` checks. With `members`, metrics of other peers are forgotten instead.
   */
  check(wallNanos: bigint, members?: ReadonlySet<PeerId>): Alert[] {
    const due: Alert[] = [];
    for (const [peer, names] of this.#byPeer) {
      if (members !== undefined && !members.has(peer)) {
        this.#byPeer.delete(peer);
        continue;
      }
      for (const entry of names.values()) {
        if (entry.metric.expire > wallNanos) continue;
        if (entry.failedChecks % this.#checksPerAlert === 0) due.push(alertOf(entry.metric, wallNanos));
        entry.failedChecks += 1;
      }
    }
    this.#alerts.push(...due);
    if (this.#alerts.length > this.#alertsMax) this.#alerts = this.#alerts.slice(-this.#alertsMax);
    return due;
  }

  /** Alerts given so far, newest first. */
  alerts(): Alert[] {
    return this.#alerts.toReversed();
  }
}

function isUsable(metric: Metric, wallNanos: bigint): boolean {
  return metric.valid && metric.expire > wallNanos;
}

function alertOf(metric: Metric, wallNanos: bigint): Alert {
  const triggeredAt = { seconds: Number(wallNanos / NANOS_PER_SECOND), nanos: Number(wallNanos % NANOS_PER_SECOND) };
  return { ...metric, triggeredAt };
}
