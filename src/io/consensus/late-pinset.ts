/** A pinset that others can hold before there is one, and while it is opened anew: empty until consensus has started. */
import type { Pinset } from '../../cluster/ports.ts';
import type { Cid, Pin } from '../../model/index.ts';
import { reopening, stopped } from './errors.ts';

/** Reads of a stopped one throw `consensus/stopped`. */
export class LatePinset implements Pinset {
  #pinset: Pinset | undefined;
  #isSuspended = false;
  #hasEnded = false;

  become(pinset: Pinset): void {
    this.#pinset = pinset;
    this.#isSuspended = false;
  }

  /** Until the next `become`, for moments; reads throw `consensus/reopening`. */
  suspend(): void {
    this.#isSuspended = true;
  }

  end(): void {
    this.#hasEnded = true;
  }

  get(cid: Cid): Pin | undefined {
    return this.#now()?.get(cid);
  }

  has(cid: Cid): boolean {
    return this.#now()?.has(cid) ?? false;
  }

  async *pages(options?: {
    readonly signal?: AbortSignal;
    readonly pageSize?: number;
  }): AsyncGenerator<readonly Pin[], void, undefined> {
    const pinset = this.#now();
    if (pinset !== undefined) yield* pinset.pages(options);
  }

  count(): number {
    return this.#now()?.count() ?? 0;
  }

  #now(): Pinset | undefined {
    if (this.#hasEnded) throw stopped();
    if (this.#isSuspended) throw reopening();
    return this.#pinset;
  }
}
