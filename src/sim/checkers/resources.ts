/** What a whole peer holds on to stays small: streams, calls, the tracker's queue, metrics and alerts. */
import type { PeerMonitor, PinTracker } from '../../cluster/ports.ts';
import type { PeerId } from '../../model/index.ts';
import { expect } from '../finding.ts';

/** Of one peer, to all others together. About twice as many as were ever seen. */
const streamsMax = 64;
const callsMax = 64;
/** The tracker's own. */
const concurrentUnpins = 2;
/** A pin has one operation, whatever was asked for; those that were refused are counted, and not known. */
const queueMax = 12;
/** Of a peer that is lost, at every look for expired metrics. */
const alertsMax = 100;
const metricNamesMax = 8;

interface Parts {
  readonly host: { readonly openStreams: number };
  readonly tracker: PinTracker;
  readonly monitor: PeerMonitor;
}

export class ResourceChecker {
  /** The most that was seen of each at once. */
  readonly most: Record<string, number> = {};

  look(peer: PeerId, { host, tracker, monitor }: Parts, openCalls: number): void {
    this.#check(peer, 'streams', host.openStreams, streamsMax);
    this.#check(peer, 'calls', openCalls, callsMax);
    this.#check(peer, 'queued pins', tracker.pinQueueSize(), queueMax);
    this.#check(peer, 'alerts', monitor.alerts().length, alertsMax);
    this.#check(peer, 'names of metrics', monitor.names().length, metricNamesMax);
  }

  /** Pins and unpins of one peer that its IPFS node has not answered. */
  acts(peer: PeerId, running: number, concurrentPins: number): void {
    this.#check(peer, 'acts on IPFS', running, concurrentPins + concurrentUnpins);
  }

  #check(peer: PeerId, what: string, count: number, max: number): void {
    this.most[what] = Math.max(this.most[what] ?? 0, count);
    expect(count <= max, 'bounded resources', () => `${peer} has ${count} ${what}, at most ${max} are expected`);
  }
}
