/**
 * Bytes by protocol, and how fast they come and go. Counted are the bytes of streams, without frames and encryption.
 * Source: go-libp2p `core/metrics` `BandwidthCounter`, go-flow-metrics `sweeper.update`.
 */
import type { BandwidthByProtocol } from '../../model/index.ts';

/** How often rates are brought up to date, in milliseconds. */
export const sweepIntervalMs = 1000;
/** Weight of the last second. Source: go-flow-metrics `alpha`. */
const alpha = 1 - Math.exp(-1);
/** Bytes a second; below, a rate is 0. Source: go-flow-metrics `IdleRate`. */
const idleRate = 1e-13;
/** A sweep that comes too soon after another would take a few bytes for a flood. Source: go-flow-metrics `sweeper.update`. */
const sweepMsMin = sweepIntervalMs / 10;

/** What one protocol has carried. Whoever moves bytes adds to the first two. */
export class ProtocolTraffic {
  totalIn = 0;
  totalOut = 0;
  rateIn = 0;
  rateOut = 0;
  #sweptIn = 0;
  #sweptOut = 0;

  sweep(elapsedMs: number): void {
    const perSecond = 1000 / elapsedMs;
    this.rateIn = nextRate(this.rateIn, (this.totalIn - this.#sweptIn) * perSecond);
    this.rateOut = nextRate(this.rateOut, (this.totalOut - this.#sweptOut) * perSecond);
    this.#sweptIn = this.totalIn;
    this.#sweptOut = this.totalOut;
  }
}

function nextRate(rate: number, instant: number): number {
  const next = rate === 0 ? instant : rate + alpha * (instant - rate);
  return next > idleRate ? next : 0;
}

/** All protocols of a host: those that were agreed on, so not more than both sides know. */
export class Traffic {
  /** What is said before a protocol is agreed on has the empty name. */
  readonly #protocols = new Map<string, ProtocolTraffic>([['', new ProtocolTraffic()]]);
  #sweptMs: number;

  /** @param nowMs monotonic, as are all others */
  constructor(nowMs: number) {
    this.#sweptMs = nowMs;
  }

  of(protocol: string): ProtocolTraffic {
    let traffic = this.#protocols.get(protocol);
    if (traffic === undefined) {
      traffic = new ProtocolTraffic();
      this.#protocols.set(protocol, traffic);
    }
    return traffic;
  }

  /** To be called every `sweepIntervalMs`. */
  sweep(nowMs: number): void {
    const elapsedMs = nowMs - this.#sweptMs;
    if (elapsedMs < sweepMsMin) return;
    this.#sweptMs = nowMs;
    for (const traffic of this.#protocols.values()) traffic.sweep(elapsedMs);
  }

  snapshot(): BandwidthByProtocol {
    const entries = [...this.#protocols].map(([protocol, { totalIn, totalOut, rateIn, rateOut }]) => [
      protocol,
      { totalIn, totalOut, rateIn, rateOut },
    ]);
    return Object.fromEntries(entries);
  }
}
