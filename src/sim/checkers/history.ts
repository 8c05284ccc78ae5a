/**
 * What clients saw against what the log says: an acknowledged write is in it, a refused one never, no pin is in it twice, a
 * write that began after another had ended comes after it, a conditional one is behind the pin that it names, and a read shows the state of an index between those that were
 * committed when it began and when it ended.
 *
 * Every pin has a name of its own, so that its entry can be found; the index of an entry makes the order a comparison.
 */
import { bytesEqual } from '../../base/index.ts';
import type { Entry, LogIndex } from '../../core/raft/index.ts';
import { encodePin, type Pin, raftCommandCodec } from '../../model/index.ts';
import { expect } from '../finding.ts';

interface Change {
  readonly index: LogIndex;
  /** Of the pin; `undefined`: unpinned. */
  readonly name: string | undefined;
}

export class HistoryChecker {
  /** The changes of each CID, in log order. */
  readonly #changes = new Map<string, Change[]>();
  readonly #indexOf = new Map<string, LogIndex>();
  readonly #refused = new Set<string>();
  /** What conditional pins are to replace. */
  readonly #conditions = new Map<string, Pin>();
  /** As of the last entry. */
  readonly #pins = new Map<string, Pin>();
  #last: LogIndex = 0;
  /** All versions of each pin. */
  readonly #written = new Map<string, readonly Pin[]>();
  /** How often healing has written new holders. */
  moved = 0;
  acknowledged = 0;
  reads = 0;
  /** Conditional pins that were made, and those that were refused for another pin. */
  replaced = 0;
  contested = 0;

  /** Entries of any peer, in its order; each is looked at once. */
  applies(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.index <= this.#last) continue;
      this.#last = entry.index;
      if (entry.type !== 'command') continue;
      const { type, pin } = raftCommandCodec.decode(entry.data);
      const name = type === 'pin' ? pin.name : undefined;
      if (name !== undefined) this.#place(pin, entry.index, this.#pins.get(pin.cid.key));
      if (type === 'pin') this.#pins.set(pin.cid.key, pin);
      else this.#pins.delete(pin.cid.key);
      const changes = this.#changes.get(pin.cid.key) ?? [];
      changes.push({ index: entry.index, name });
      this.#changes.set(pin.cid.key, changes);
    }
  }

  /** From before it is asked for. */
  conditionalPin(name: string, onlyIf: Pin): void {
    this.#conditions.set(name, onlyIf);
  }

  #place(pin: Pin, index: LogIndex, replaced: Pin | undefined): void {
    const { name } = pin;
    const before = this.#indexOf.get(name);
    if (before !== undefined) {
      this.#moves(pin, index, replaced);
      return;
    }
    const condition = this.#conditions.get(name);
    const isMet =
      condition === undefined || (replaced !== undefined && bytesEqual(encodePin(replaced), encodePin(condition)));
    expect(isMet, 'conditions hold', () => {
      return `pin ${name} is for ${condition?.name} only, and at ${index} it replaces ${replaced?.name ?? 'nothing'}`;
    });
    const isRefused = this.#refused.has(name);
    expect(!isRefused, 'refused is final', () => `pin ${name} was refused and is applied at ${index}`);
    this.#indexOf.set(name, index);
    this.#written.set(name, [pin]);
  }

  /** A pin with new holders, which healing has written: it is the same in all else, and the one that was there. */
  #moves(pin: Pin, index: LogIndex, replaced: Pin | undefined): void {
    const { name } = pin;
    const written = this.#written.get(name) ?? [];
    // Holders may come back: who is given up for a while, or while it is on its way out. What the client has written does not.
    const isAgain = [written[0], written.at(-1)].some((known) => known && bytesEqual(encodePin(known), encodePin(pin)));
    expect(!isAgain, 'applied once', () => `pin ${name} is applied at ${this.#indexOf.get(name)} and ${index}`);
    const isSame = replaced?.name === name && bytesEqual(encodePin(unplaced(replaced)), encodePin(unplaced(pin)));
    expect(isSame, 'moves undo nothing', () => `pin ${name} is moved at ${index}, where ${replaced?.name} is`);
    this.#written.set(name, [...written, pin]);
    this.moved++;
  }

  /** `began`: what was committed when the client asked. */
  pinAcknowledged(name: string, began: LogIndex): void {
    this.acknowledged++;
    if (this.#conditions.has(name)) this.replaced++;
    const index = this.#indexOf.get(name);
    expect(index !== undefined, 'acknowledged is applied', () => `pin ${name} is acknowledged and in nobody's log`);
    expect(
      index > began,
      'index order',
      () => `pin ${name} is at ${index}, ${began} was committed before it was asked for`,
    );
  }

  pinRefused(name: string): void {
    const index = this.#indexOf.get(name);
    expect(index === undefined, 'refused is final', () => `pin ${name} is refused, and was applied at ${index}`);
    this.#refused.add(name);
  }

  read(key: string, name: string | undefined, began: LogIndex, ended: LogIndex): void {
    this.reads++;
    const isPossible = this.#valuesBetween(key, began, ended).includes(name);
    expect(isPossible, 'reads are fresh', () => {
      return `a read shows ${name}, which the log has not between ${began} and ${ended}`;
    });
  }

  /** The state as of an index: names by CID. */
  stateAt(index: LogIndex): Map<string, string> {
    const state = new Map<string, string>();
    for (const [key, changes] of this.#changes) {
      const name = changes.findLast((change) => change.index <= index)?.name;
      if (name !== undefined) state.set(key, name);
    }
    return state;
  }

  #valuesBetween(key: string, first: LogIndex, last: LogIndex): (string | undefined)[] {
    const changes = this.#changes.get(key) ?? [];
    const before = changes.findLast(({ index }) => index <= first)?.name;
    const during = changes.filter(({ index }) => index > first && index <= last).map(({ name }) => name);
    return [before, ...during];
  }
}

/** Without what healing may change. */
function unplaced(pin: Pin): Pin {
  return { ...pin, allocations: null, timestamp: null };
}
