/** What an allocation is decided from. */
import type { CordonMode, Metric, PeerId } from '../../model/index.ts';

/** One pin that needs peers, and what is known of everyone who could hold it. */
export interface AllocateRequest {
  readonly replicationMin: number;
  readonly replicationMax: number;
  /** Peers that hold the pin now, in the order in which they were chosen. */
  readonly current: readonly PeerId[];
  /** Wanted by the user; best effort, only among new allocations. */
  readonly preferred: readonly PeerId[];
  /** Never chosen, and not counted as holders. */
  readonly excluded: ReadonlySet<PeerId>;
  /** Nothing is decided: the pin updates another one, whose peers `current` are. Default false. */
  readonly takesOver?: boolean;
  /** Names of the metrics that decide, most important first. */
  readonly allocateBy: readonly string[];
  /** All members; nobody else is chosen or counted. */
  readonly members: readonly MemberFacts[];
  /** By the clock that metrics expire by, in nanoseconds since the Unix epoch. */
  readonly nowNanos: bigint;
}

/** What is known of one member. */
export interface MemberFacts {
  readonly peer: PeerId;
  /** For people; may be empty. */
  readonly peername: string;
  /** Its latest ping, expired or not; `undefined`: none has arrived yet. */
  readonly ping: Metric | undefined;
  /** The IPFS node behind it, by its last ping; empty while unknown. */
  readonly ipfsNode: string;
  /** `cordoned`: keeps what it has, gets nothing new; `draining`: is being emptied. */
  readonly cordon: CordonMode;
  /** Whether the configuration keeps it from holding pins, and why. */
  readonly barred: 'no' | 'not-trusted' | 'trusted';
  /** Its latest metric of a name, expired and invalid ones included. */
  metric(name: string): Metric | undefined;
}

/** Whether a metric says what is so now. */
export function isFresh(metric: Metric | undefined, nowNanos: bigint): metric is Metric {
  return metric?.valid === true && metric.expire > nowNanos;
}
