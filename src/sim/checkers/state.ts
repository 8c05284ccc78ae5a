/**
 * The state of every peer at every index against a model that applies the log itself. Digests are sums of hashes, one for each
 * pin, so that looking costs as much as was changed.
 */
import type { Entry, LogIndex } from '../../core/raft/index.ts';
import type { ReplicatedPinset } from '../../io/consensus/index.ts';
import { type Cid, encodePin, type Pin, raftCommandCodec } from '../../model/index.ts';
import { expect } from '../finding.ts';
import { mixBytes, mixText } from '../hash.ts';
import { over } from '../over.ts';

/** Hashes of pins, by CID, and their sum. */
class Digest {
  sum = 0;
  readonly #hashes = new Map<string, number>();

  get count(): number {
    return this.#hashes.size;
  }

  set(cid: Cid, pin: Pin | undefined): void {
    const before = this.#hashes.get(cid.key) ?? 0;
    const after = pin === undefined ? 0 : mixBytes(mixText(0, cid.key), encodePin(pin));
    this.sum = (this.sum - before + after) >>> 0;
    if (pin === undefined) this.#hashes.delete(cid.key);
    else this.#hashes.set(cid.key, after);
  }
}

export class StateChecker {
  readonly #model = new Digest();
  /** Of the model, by index. */
  readonly #digests: { readonly sum: number; readonly count: number }[] = [{ sum: 0, count: 0 }];
  readonly #cids = new Map<string, Cid>();

  /** Entries of any peer, in its order; each is looked at once. */
  applies(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.index !== this.#digests.length) continue;
      if (entry.type === 'command') this.#apply(entry.data);
      this.#digests.push({ sum: this.#model.sum, count: this.#model.count });
    }
  }

  #apply(data: Uint8Array): void {
    const { type, pin } = raftCommandCodec.decode(data);
    this.#cids.set(pin.cid.key, pin.cid);
    this.#model.set(pin.cid, type === 'pin' ? pin : undefined);
  }

  /**
   * Looks at the pinset as it was opened, or replayed, and again after all that changes it. `guard` runs what may fail.
   */
  watch(name: string, pinset: ReplicatedPinset, guard: (act: () => void) => void): ReplicatedPinset {
    const shown = new Digest();
    const look = (cids: Iterable<Cid>): void => {
      for (const cid of cids) shown.set(cid, pinset.get(cid));
      this.#check(name, pinset, shown);
    };
    if (pinset.synced === pinset.applied) guard(() => look(this.#cids.values()));
    return over(pinset, {
      replay: async (commands) => {
        await pinset.replay(commands);
        guard(() => look(this.#cids.values()));
      },
      apply: async (commands, index) => {
        await pinset.apply(commands, index);
        guard(() => look(commands.map(({ pin }) => pin.cid)));
      },
      restore: async (chunks, kept) => {
        await pinset.restore(chunks, kept);
        guard(() => look(this.#cids.values()));
      },
    });
  }

  #check(name: string, pinset: ReplicatedPinset, { sum, count }: Digest): void {
    const { applied }: { readonly applied: LogIndex } = pinset;
    const expected = this.#digests[applied];
    expect(expected !== undefined, 'state = log', () => `${name} has a state of ${applied}, which nobody has applied`);
    const isEqual = expected.sum === sum && expected.count === count && pinset.count() === count;
    expect(isEqual, 'state = log', () => {
      return `the state of ${name} at ${applied} has ${pinset.count()} pins, and is not what the log makes: ${expected.count} pins`;
    });
  }
}
