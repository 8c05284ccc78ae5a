/**
 * What the pinset is going to have when all of this peer's log is applied: what a leader holds a conditional write against.
 *
 * An entry that gets committed has committed what is before it in the log that it was put into. So the leader looks at all of its own log,
 * committed or not, and needs to know nothing of what is committed: if the entries before it are lost, so is the write, and it is refused.
 * That holds from the first moment of a term on. What the log is found to have *instead*, on the other hand, may be lost yet: a refusal for
 * that waits until it is applied.
 */
import { bytesEqual } from '../../base/index.ts';
import type { LogIndex, Raft, Term } from '../../core/raft/index.ts';
import { encodePin, type Pin, type RaftCommand, raftCommandCodec } from '../../model/index.ts';
import type { ReplicatedPinset } from './ports.ts';

interface Change {
  readonly index: LogIndex;
  /** `undefined`: unpinned. */
  readonly pin: Pin | undefined;
}

/** While this peer leads: a leader's log only grows. Unconditional writes cost nothing here until somebody asks. */
export class PinsAtLogEnd {
  readonly #raft: Pick<Raft, 'status' | 'entry'>;
  readonly #pinset: Pick<ReplicatedPinset, 'get' | 'applied'>;
  #term: Term = 0;
  /** Entries up to here have been read. */
  #read: LogIndex = 0;
  /** The last change of each CID since about the applied index, in the order of the log. */
  readonly #changes = new Map<string, Change>();

  constructor(raft: Pick<Raft, 'status' | 'entry'>, pinset: Pick<ReplicatedPinset, 'get' | 'applied'>) {
    this.#raft = raft;
    this.#pinset = pinset;
  }

  /** The entry that has made the pin another one, 0 for one that is applied; `undefined` when it is exactly this pin that is there. */
  conflictWith(expected: Pin): LogIndex | undefined {
    this.#readLog();
    const change = this.#changes.get(expected.cid.key);
    const present = change === undefined ? this.#pinset.get(expected.cid) : change.pin;
    return isStoredAs(present, expected) ? undefined : (change?.index ?? 0);
  }

  #readLog(): void {
    const { term, lastIndex } = this.#raft.status();
    // The state may show a batch before it says so: what is read here comes before it.
    const { applied } = this.#pinset;
    if (term !== this.#term) this.#changes.clear();
    else this.#forget(applied);
    const from = term === this.#term ? Math.max(this.#read, applied) : applied;
    for (let index = from + 1; index <= lastIndex; index++) this.#readEntry(index);
    this.#term = term;
    this.#read = lastIndex;
  }

  #forget(applied: LogIndex): void {
    for (const [key, { index }] of this.#changes) {
      if (index > applied) break;
      this.#changes.delete(key);
    }
  }

  #readEntry(index: LogIndex): void {
    const entry = this.#raft.entry(index);
    const command = entry?.type === 'command' ? commandOf(entry.data) : undefined;
    if (command === undefined) return;
    const { key } = command.pin.cid;
    this.#changes.delete(key);
    this.#changes.set(key, { index, pin: command.type === 'pin' ? command.pin : undefined });
  }
}

/** Whether the store has the same bytes for both. */
export function isStoredAs(present: Pin | undefined, expected: Pin): boolean {
  return present !== undefined && bytesEqual(encodePin(present), encodePin(expected));
}

/** `undefined`: all peers skip it when they apply it. */
function commandOf(data: Uint8Array): RaftCommand | undefined {
  try {
    const command = raftCommandCodec.decode(data);
    if (command.type === 'unknown' || !command.pin.cid.isDefined) return undefined;
    // A pin that cannot be stored changes nothing either.
    if (command.type === 'pin') encodePin(command.pin);
    return command;
  } catch {
    return undefined;
  }
}
