/**
 * What becomes of one pin when holders are lost, come back, leave, or are emptied. Pure: what is known of the holders, and who could be
 * chosen, are arguments.
 *
 * Only a pin that has fewer holders than its minimum gets new ones; nothing is topped up from the minimum to the maximum. Nobody who
 * holds the content is dropped before at least the minimum of the others have reported that they hold it too: made first, then broken.
 * A lost holder is dropped as soon as one other has: until then it may have the last copy, which it would remove when it comes back.
 * Those that are to leave a pin wait for no holder that cannot get the content: another one follows them then.
 * Source: Go `cluster.go` `repinFromPeer`, `vacatePeer`, which clear the allocations and allocate anew instead.
 */
import type { PeerId, Pin } from '../../model/index.ts';

/**
 * What a holder counts for. `stays`: it holds the pin and shall. `leaves`: it holds it and shall not any more: it is drained, or may
 * not hold pins. `gone`: lost, and may come back. `stranger`: no member.
 */
export type Standing = 'stays' | 'leaves' | 'gone' | 'stranger';

/**
 * What a holder says of the pin. `holds`: it has pinned it; `works`: it is at it, or has not been asked for long; `fails`: it cannot pin it
 * now; `silent`: it has not said anything for long, and may hold it or not.
 */
export type HolderWord = 'holds' | 'works' | 'fails' | 'silent';

/** One pin, and what is known of those who hold it. */
export interface HealRequest {
  readonly pin: Pick<Pin, 'type' | 'allocations' | 'replicationFactorMin' | 'replicationFactorMax'>;
  readonly standingOf: (peer: PeerId) => Standing;
  /** At most so many new holders, the best first, none of `excluded`; fewer when there are not enough. */
  readonly choose: (count: number, excluded: ReadonlySet<PeerId>) => readonly PeerId[];
  /** What holders say; who is not in it has not been asked. `undefined`: nobody has. */
  readonly said: ReadonlyMap<PeerId, HolderWord> | undefined;
  /** False while a move to another holder may be under way: too many holders, and those that fail, are then left alone. */
  readonly isSettled: boolean;
}

/**
 * `fine`: nothing to do. `short`: below the minimum, and nobody can be added. `ask`: whether these hold the pin decides what is done.
 * `wait`: too few hold it yet. `write`: these are the holders from now on; with `isShort` still fewer than the minimum, with
 * `isPending` others are dropped later.
 */
export type HealDecision =
  | { readonly kind: 'fine' | 'short' | 'wait' }
  | { readonly kind: 'ask'; readonly peers: readonly PeerId[] }
  | {
      readonly kind: 'write';
      readonly allocations: readonly PeerId[];
      readonly isShort: boolean;
      readonly isPending: boolean;
    };

interface Holders {
  readonly all: readonly PeerId[];
  readonly stays: readonly PeerId[];
  readonly leaves: readonly PeerId[];
  readonly gone: readonly PeerId[];
}

/** Decides on one pin. Deciding again on what was written leads to no other holders. */
export function decideHolders(request: HealRequest): HealDecision {
  const { pin } = request;
  // Meta pins are held by nobody, and pins without a minimum by everybody.
  if (pin.type === 'meta-pin' || pin.type === 'bad' || pin.replicationFactorMin <= 0) return { kind: 'fine' };
  const holders = holdersOf(request);
  return holders.stays.length < pin.replicationFactorMin ? withMore(request, holders) : withFewer(request, holders);
}

function holdersOf({ pin, standingOf }: HealRequest): Holders {
  const all = [...new Set(pin.allocations ?? [])];
  const of = (standing: Standing): PeerId[] => all.filter((peer) => standingOf(peer) === standing);
  return { all, stays: of('stays'), leaves: of('leaves'), gone: of('gone') };
}

/** Below the minimum: others are added. */
function withMore(request: HealRequest, { all, stays, leaves, gone }: Holders): HealDecision {
  const { pin, said } = request;
  const added = newHolders(request, pin.replicationFactorMax - stays.length, all);
  const count = stays.length + added.length;
  const isShort = count < pin.replicationFactorMin;
  const room = pin.replicationFactorMax - count;
  const mayDrop = !isShort && gone.length > room;
  if (mayDrop && stays.length > 0 && said === undefined) return { kind: 'ask', peers: stays };
  // With nobody to follow them, those that leave are holders as others are, and not more of them are needed than of others.
  const hasTooMany = isShort && count + leaves.length > pin.replicationFactorMax;
  if (hasTooMany && said === undefined) return { kind: 'ask', peers: [...stays, ...leaves] };
  const left = hasTooMany ? needed(leaves, stays, request) : leaves;
  // Whoever may come back is worth its place as long as there is one, and more so while there are too few.
  const kept = mayDrop && isHeldBy(stays, request) ? gone.slice(0, room) : gone;
  const allocations = [...stays, ...added, ...left, ...kept];
  // Nobody is taken off the list of a pin for nobody: it tells where the content was.
  if (allocations.length === 0 || isSame(allocations, all)) return { kind: 'short' };
  return { kind: 'write', allocations, isShort, isPending: left.length > 0 || (!isShort && kept.length > room) };
}

/** At least the minimum: strangers are dropped, then those that leave and lost ones, then those above the maximum. */
function withFewer(request: HealRequest, holders: Holders): HealDecision {
  const { pin, said, isSettled } = request;
  const { all, stays, leaves, gone } = holders;
  const max = isSettled ? pin.replicationFactorMax : all.length;
  const room = Math.max(0, max - stays.length);
  const keptGone = isHeldBy(stays, request) ? gone.slice(0, room) : gone;
  const write = (allocations: readonly PeerId[], isPending: boolean): HealDecision =>
    isSame(allocations, all)
      ? { kind: isPending ? 'wait' : 'fine' }
      : { kind: 'write', allocations, isShort: false, isPending };

  const isAbove = (count: number): boolean => count + keptGone.length > pin.replicationFactorMax;
  const hasTooMany = leaves.length > 0 || stays.length > max;
  const mustAsk = hasTooMany || gone.length > room;
  if (mustAsk && said === undefined) return { kind: 'ask', peers: [...stays, ...leaves] };
  if (!hasTooMany || said === undefined) return write([...stays, ...keptGone], isAbove(stays.length));
  const holding = thatSay('holds', stays, request);
  if (holding.length < pin.replicationFactorMin) {
    if (leaves.length === 0 || !isSettled) return write([...stays, ...leaves, ...keptGone], true);
    return write([...withoutFailing(request, holders), ...needed(leaves, stays, request), ...keptGone], true);
  }
  // The last chosen go first, but never one that holds the pin before one that does not.
  const ranked = [...holding, ...stays.filter((peer) => !holding.includes(peer))];
  const kept = new Set(ranked.slice(0, max));
  return write([...stays.filter((peer) => kept.has(peer)), ...keptGone], isAbove(kept.size));
}

/** At most so many that are no holders yet. */
function newHolders({ choose }: HealRequest, count: number, all: readonly PeerId[]): readonly PeerId[] {
  const excluded = new Set(all);
  return choose(count, excluded)
    .filter((peer) => !excluded.has(peer))
    .slice(0, count);
}

/**
 * Of those that leave, as many as make the maximum together with those that hold the pin and stay; all of them while there would be fewer
 * than the minimum that hold it.
 */
function needed(leaves: readonly PeerId[], stays: readonly PeerId[], request: HealRequest): readonly PeerId[] {
  const { replicationFactorMin: min, replicationFactorMax: max } = request.pin;
  const holding = thatSay('holds', stays, request).length;
  const holdingLeaves = thatSay('holds', leaves, request);
  const ranked = [...holdingLeaves, ...leaves.filter((peer) => !holdingLeaves.includes(peer))];
  const kept = ranked.slice(0, Math.max(0, max - holding));
  return holding + Math.min(kept.length, holdingLeaves.length) >= min ? kept : leaves;
}

/**
 * Holders that stay, with others beside those that cannot get the content although it is there, or do not say whether they have. One that
 * says that it fails gives up its place where there is no room for both; it may be chosen again later.
 */
function withoutFailing(request: HealRequest, { all, stays, leaves }: Holders): readonly PeerId[] {
  const { replicationFactorMin: min, replicationFactorMax: max } = request.pin;
  const failing = thatSay('fails', stays, request);
  const silent = thatSay('silent', stays, request);
  const able = stays.filter((peer) => !failing.includes(peer) && !silent.includes(peer));
  if (able.length >= min || !isHeldBy([...stays, ...leaves], request)) return stays;
  const added = newHolders(request, min - able.length, all);
  if (added.length === 0) return stays;
  const others = able.length + added.length + silent.length;
  // Below the minimum it would be chosen again at once.
  const kept = failing.slice(0, Math.max(0, max - leaves.length - others, min - others));
  return [...able, ...added, ...silent, ...kept];
}

function thatSay(word: HolderWord, peers: readonly PeerId[], { said }: HealRequest): readonly PeerId[] {
  return peers.filter((peer) => said?.get(peer) === word);
}

function isHeldBy(peers: readonly PeerId[], request: HealRequest): boolean {
  return thatSay('holds', peers, request).length > 0;
}

function isSame(a: readonly PeerId[], b: readonly PeerId[]): boolean {
  return a.length === b.length && a.every((peer) => b.includes(peer));
}
