/** A pinset that others can hold before there is one, and while it is opened anew: empty until consensus has started. */
import type { Pinset, StoredPagesOptions } from '../../cluster/ports.ts';
import type { Cid, Pin, StoredPin } from '../../model/index.ts';
import { isStateDamage, reopening, stopped } from './errors.ts';

type PageOptions = Parameters<Pinset['pages']>[0];

/**
 * Reads of a stopped one throw `consensus/stopped`. Whoever comes upon damage of the state gets the error, and the peer is told of
 * it: it must not go on with a state that cannot be read.
 */
export class LatePinset implements Pinset {
  #pinset: Pinset | undefined;
  #isSuspended = false;
  #hasEnded = false;
  readonly #onDamaged: (error: unknown) => void;

  constructor(onDamaged: (error: unknown) => void) {
    this.#onDamaged = onDamaged;
  }

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
    return this.#read((pinset) => pinset.get(cid));
  }

  has(cid: Cid): boolean {
    return this.#read((pinset) => pinset.has(cid)) ?? false;
  }

  pages(options?: PageOptions): AsyncGenerator<readonly Pin[], void, undefined> {
    return this.#paged((pinset) => pinset.pages(options));
  }

  revision(): object {
    return this.#now()?.revision() ?? this;
  }

  stored(key: string): StoredPin | undefined {
    return this.#read((pinset) => pinset.stored(key));
  }

  storedPages(options?: StoredPagesOptions): AsyncGenerator<readonly StoredPin[], void, undefined> {
    return this.#paged((pinset) => pinset.storedPages(options));
  }

  expiring(options?: PageOptions): AsyncGenerator<readonly Pin[], void, undefined> {
    return this.#paged((pinset) => pinset.expiring(options));
  }

  count(): number {
    return this.#now()?.count() ?? 0;
  }

  async kinds(): ReturnType<Pinset['kinds']> {
    const pinset = this.#now();
    try {
      return pinset === undefined ? [] : await pinset.kinds();
    } catch (error) {
      throw this.#told(error);
    }
  }

  async *#paged<T>(
    pagesOf: (pinset: Pinset) => AsyncIterable<readonly T[]>,
  ): AsyncGenerator<readonly T[], void, undefined> {
    const pinset = this.#now();
    try {
      if (pinset !== undefined) yield* pagesOf(pinset);
    } catch (error) {
      throw this.#told(error);
    }
  }

  #read<T>(act: (pinset: Pinset) => T): T | undefined {
    const pinset = this.#now();
    try {
      return pinset && act(pinset);
    } catch (error) {
      throw this.#told(error);
    }
  }

  #told(error: unknown): unknown {
    if (isStateDamage(error)) this.#onDamaged(error);
    return error;
  }

  #now(): Pinset | undefined {
    if (this.#hasEnded) throw stopped();
    if (this.#isSuspended) throw reopening();
    return this.#pinset;
  }
}
