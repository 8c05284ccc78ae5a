/** What the IPFS node is known to hold: its last listing, and what operations have done since. */
import type { Random } from '../../base/index.ts';
import { type Held, HeldIndex } from '../../core/track/index.ts';
import type { Cid, PinPlacement } from '../../model/index.ts';
import type { IpfsConnector } from '../ports.ts';

export class HeldPins {
  readonly #random: Random;
  #listed: HeldIndex | undefined;
  /** Under construction by a listing. */
  #next: HeldIndex | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  /** `undefined` until the node was listed once. */
  get listed(): HeldIndex | undefined {
    return this.#listed;
  }

  /** What an operation or a question has found out. Wins over a listing that has begun before. */
  note(cid: Cid, held: Held): void {
    this.#listed?.set(cid.bytes, held);
    this.#next?.set(cid.bytes, held);
  }

  /** By all that is known now; `none` before the node was listed. */
  get(cid: Cid): Held {
    return this.#listed?.get(cid.bytes) ?? 'none';
  }

  /** Lists the node. One at a time. */
  async list(ipfs: IpfsConnector, signal: AbortSignal): Promise<void> {
    const next = new HeldIndex(this.#random);
    this.#next = next;
    try {
      for await (const page of ipfs.pinLs(['recursive', 'direct'], { signal })) {
        for (const { cid, status } of page) {
          if (status === 'recursive' || status === 'direct') next.setListed(cid.bytes, status);
        }
      }
    } finally {
      this.#next = undefined;
    }
    this.#listed = next;
  }
}

/** Whether what is held is what the pin asks for: a recursive pin holds a direct one too. */
export function isSatisfied(pin: PinPlacement, held: Held): boolean {
  // The depth of a pin as stored is decoded when it is asked for: seldom, in this order.
  return held === 'recursive' || (held === 'direct' && pin.maxDepth === 0);
}
