/**
 * What a client may conclude from the answers it got: which pins must be there, which must not, and which nobody can know.
 * One writer at a time per CID, and none any more after an answer that did not come.
 */

/** The name of the pin, or that there is none. */
export type Value = string | undefined;

interface Account {
  /** What the last acknowledged write made. */
  settled: Value;
  /** What the write that is under way, or that nobody answered, would make. */
  pending?: { readonly value: Value };
}

export class Ledger {
  readonly #accounts = new Map<string, Account>();
  #pins = 0;
  #unpins = 0;
  #open = 0;

  /** A write is about to be sent. */
  begin(cid: string, value: Value): void {
    const account = this.#accounts.get(cid) ?? { settled: undefined };
    if (account.pending !== undefined) throw new RangeError(`${cid} has a write without an answer`);
    this.#accounts.set(cid, { ...account, pending: { value } });
  }

  acknowledged(cid: string): void {
    const { value } = this.#pending(cid);
    if (value === undefined) this.#unpins++;
    else this.#pins++;
    this.#accounts.set(cid, { settled: value });
  }

  /** The write did certainly not reach any peer. */
  neverSent(cid: string): void {
    this.#pending(cid);
    this.#accounts.set(cid, { settled: this.#accounts.get(cid)?.settled });
  }

  /** It may have happened or not, or may happen later: the account stays open for ever. */
  unanswered(cid: string): void {
    this.#pending(cid);
    this.#open++;
  }

  get counts(): { readonly pins: number; readonly unpins: number; readonly open: number } {
    return { pins: this.#pins, unpins: this.#unpins, open: this.#open };
  }

  /** Everything in which a pinset, names by CID, contradicts the answers; one line each. */
  contradictions(pinset: ReadonlyMap<string, string>): string[] {
    const found: string[] = [];
    for (const [cid, { settled, pending }] of this.#accounts) {
      const held = pinset.get(cid);
      if (held === settled || (pending !== undefined && held === pending.value)) continue;
      const expected = [settled, ...(pending === undefined ? [] : [pending.value])].map(describe).join(' or ');
      found.push(`${cid}: ${describe(held)}, expected ${expected}`);
    }
    for (const cid of pinset.keys()) if (!this.#accounts.has(cid)) found.push(`${cid}: pinned by nobody`);
    return found;
  }

  #pending(cid: string): { readonly value: Value } {
    const pending = this.#accounts.get(cid)?.pending;
    if (pending === undefined) throw new RangeError(`${cid} has no write under way`);
    return pending;
  }
}

function describe(value: Value): string {
  return value === undefined ? 'no pin' : `pin "${value}"`;
}
