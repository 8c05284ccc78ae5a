/** How many requests somebody may send: so many in a minute, at once or spread over it. */

/** Known senders at most. When there are more, the one that was silent longest is forgotten, and may begin anew. */
const sendersMax = 16_384;

interface Sender {
  /** Requests that it may send now; grows with time. */
  credit: number;
  /** When that was so, in milliseconds. */
  atMs: number;
}

/** Senders by name, in the order in which they were heard of last. */
export class RateLimit {
  readonly #perMinute: number;
  readonly #senders = new Map<string, Sender>();

  /** `perMinute` 0 sets no limit. */
  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** Counts a request. Returns 0 when it may pass, else the seconds after which the next one may. */
  take(name: string, nowMs: number): number {
    if (this.#perMinute === 0) return 0;
    const perMs = this.#perMinute / 60_000;
    const known = this.#senders.get(name) ?? { credit: this.#perMinute, atMs: nowMs };
    const credit = Math.min(this.#perMinute, known.credit + Math.max(0, nowMs - known.atMs) * perMs);
    const isAllowed = credit >= 1;
    this.#senders.delete(name);
    this.#senders.set(name, { credit: isAllowed ? credit - 1 : credit, atMs: nowMs });
    if (this.#senders.size > sendersMax) this.#forgetOne();
    return isAllowed ? 0 : Math.ceil((1 - credit) / perMs / 1000);
  }

  #forgetOne(): void {
    for (const name of this.#senders.keys()) {
      this.#senders.delete(name);
      return;
    }
  }
}

/** The name of a remote address: an IPv6 network counts as one, because whoever has one address has all of them. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const groups = head === '' ? [] : head.split(':');
  const rest = tail === undefined || tail === '' ? [] : tail.split(':');
  if (tail !== undefined) groups.push(...Array.from({ length: 8 - groups.length - rest.length }, () => '0'), ...rest);
  return `${groups.slice(0, 4).join(':')}::/64`;
}
