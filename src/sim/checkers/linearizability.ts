/**
 * Whether what clients saw of one key can be put into one order that respects real time and reads like a register: the judge
 * that knows nothing of logs and indexes.
 *
 * The search goes through the calls in the order of time and takes any that may come next, until a return is met whose call has
 * not been taken; then it goes back. States that were reached before, the same calls taken and the same value there, are not
 * looked at again, and reads that fit are not chosen but taken; so are conditional writes that were refused, which have read something
 * else than expected. Source: Wing and Gong, "Testing and verifying concurrent objects" (1993); the linked list and the memo are Lowe's,
 * "Testing for linearizability" (2017).
 */

/** What a client did to one key. */
export interface KeyOperation {
  /** When it was called. Moments are numbers that order events; no two are equal. */
  readonly called: number;
  /** `Infinity`: nobody knows whether it was done. It may take effect at any time after the call, or never. */
  readonly returned: number;
  /**
   * `cas`: a write that happens over `from` only; one that removes is done, too, when somebody else has removed it. `unlike`: something
   * else than `value` was there.
   */
  readonly kind: 'write' | 'cas' | 'read' | 'unlike';
  /** Written or shown; `undefined`: nothing is there. */
  readonly value: string | undefined;
  /** Of a `cas`. */
  readonly from?: string | undefined;
}

/** `undecided`: more states than allowed. It is a failure, for nothing was shown. */
export type Verdict = 'linearizable' | 'not linearizable' | 'undecided';

/** The number of no value. */
const nothing = 0;

/** A call, or the return of one, in a list by time from which pairs are taken out and put back. */
interface Item {
  readonly operation: KeyOperation;
  /** Its bit in the set of calls taken. */
  readonly at: number;
  readonly value: number;
  readonly from: number;
  /** Of a call: its return, if there is one. */
  end: Item | undefined;
  readonly isCall: boolean;
  previous: Item | undefined;
  next: Item | undefined;
}

/** Reads that failed and writes that were refused are left out by the caller. The key holds nothing at first. */
export function judgeKey(operations: readonly KeyOperation[], statesMax: number): Verdict {
  const shown = new Set(operations.flatMap(shownBy));
  const isUnlikeSeen = operations.some(({ kind, returned }) => kind === 'unlike' && returned !== Infinity);
  // An unknown write that nobody saw could as well be placed after everything else.
  const relevant = operations.filter(
    ({ kind, returned, value }) =>
      returned !== Infinity || ((kind === 'write' || kind === 'cas') && (isUnlikeSeen || shown.has(value))),
  );
  const first = listOf(relevant);
  if (first === undefined) return 'linearizable';
  return search(first, relevant.length, statesMax);
}

/** What must have been there for it. */
function shownBy({ kind, value, from }: KeyOperation): (string | undefined)[] {
  if (kind === 'read') return [value];
  if (kind !== 'cas') return [];
  return value === undefined ? [from, value] : [from];
}

function search(head: Item, count: number, statesMax: number): Verdict {
  const taken = new Uint16Array(Math.ceil(count / 16));
  const seen = new Set<string>();
  const trail: { readonly call: Item; readonly before: number; readonly isForced: boolean }[] = [];
  let left = countReturns(head);
  let value = nothing;
  let item = head.next;
  const take = (call: Item, isForced: boolean): void => {
    trail.push({ call, before: value, isForced });
    takeOut(call);
    if (call.end !== undefined) left--;
    if (call.operation.kind !== 'unlike') value = call.value;
    item = head.next;
  };
  while (left > 0) {
    const read = firstReadOf(head, value);
    if (read !== undefined) {
      flip(taken, read.at);
      take(read, true);
      continue;
    }
    while (item?.isCall && !isWorthTrying(item, head, value)) item = item.next;
    if (item?.isCall) {
      flip(taken, item.at);
      const key = String.fromCharCode(...taken, item.value);
      if (seen.has(key)) {
        flip(taken, item.at);
        item = item.next;
        continue;
      }
      if (seen.size >= statesMax) return 'undecided';
      seen.add(key);
      take(item, false);
      continue;
    }
    // A return is next, or nothing: the last choice was wrong, and with it what followed from it.
    for (;;) {
      const last = trail.pop();
      if (last === undefined) return 'not linearizable';
      putBack(last.call);
      if (last.call.end !== undefined) left++;
      flip(taken, last.call.at);
      value = last.before;
      if (last.isForced) continue;
      item = last.call.next;
      break;
    }
  }
  return 'linearizable';
}

/** A read that may come next and fits the value. To take it at once is never wrong: in any order of the rest it can be the first. */
function firstReadOf(head: Item, value: number): Item | undefined {
  for (let item = head.next; item?.isCall; item = item.next) {
    const { kind } = item.operation;
    if (kind === 'read' ? item.value === value : kind === 'unlike' && item.value !== value) return item;
  }
  return undefined;
}

/**
 * Not a read, for it does not fit; not a conditional write that finds something else; not an unknown write that changes nothing, or is
 * the same as one before it.
 */
function isWorthTrying(call: Item, head: Item, value: number): boolean {
  const { kind } = call.operation;
  if (kind === 'read' || kind === 'unlike') return false;
  if (kind === 'cas' && value !== call.from && !(call.value === nothing && value === nothing)) return false;
  if (call.end !== undefined) return true;
  if (call.value === value) return false;
  for (let item = head.next; item !== undefined && item !== call; item = item.next) {
    const isAlike = item.value === call.value && item.from === call.from && item.operation.kind === kind;
    if (item.isCall && item.end === undefined && isAlike) return false;
  }
  return true;
}

/** Calls and returns by time, behind a head that is none of them. */
function listOf(operations: readonly KeyOperation[]): Item | undefined {
  const values = new Map<string | undefined, number>([[undefined, nothing]]);
  const numberOf = (text: string | undefined): number => {
    const number = values.get(text) ?? values.size;
    values.set(text, number);
    return number;
  };
  const items: { readonly moment: number; readonly item: Item }[] = [];
  for (const [at, operation] of operations.entries()) {
    const value = numberOf(operation.value);
    const from = numberOf(operation.from);
    const call: Item = {
      operation,
      at,
      value,
      from,
      isCall: true,
      end: undefined,
      previous: undefined,
      next: undefined,
    };
    items.push({ moment: operation.called, item: call });
    if (operation.returned === Infinity) continue;
    call.end = { ...call, isCall: false };
    items.push({ moment: operation.returned, item: call.end });
  }
  items.sort((a, b) => a.moment - b.moment);
  const [first] = items;
  if (first === undefined) return undefined;
  const head: Item = { ...first.item, isCall: false, end: undefined };
  let last = head;
  for (const { item } of items) {
    last.next = item;
    item.previous = last;
    last = item;
  }
  return head;
}

function countReturns(head: Item): number {
  let count = 0;
  for (let item = head.next; item !== undefined; item = item.next) if (!item.isCall) count++;
  return count;
}

function takeOut(call: Item): void {
  unlink(call);
  if (call.end !== undefined) unlink(call.end);
}

/** In the reverse order of `takeOut`: each still knows its neighbours. */
function putBack(call: Item): void {
  if (call.end !== undefined) link(call.end);
  link(call);
}

function unlink(item: Item): void {
  if (item.previous !== undefined) item.previous.next = item.next;
  if (item.next !== undefined) item.next.previous = item.previous;
}

function link(item: Item): void {
  if (item.previous !== undefined) item.previous.next = item;
  if (item.next !== undefined) item.next.previous = item;
}

function flip(bits: Uint16Array, at: number): void {
  const word = at >> 4;
  bits[word] = (bits[word] ?? 0) ^ (1 << (at & 15));
}
