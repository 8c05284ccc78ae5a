/**
 * What becomes of one pin when holders are lost, come back, leave, or are emptied. Pure: what is known of the holders, and who could be
 * chosen, are arguments.
 *
 * Only a pin that has fewer holders than its minimum gets new ones; nothing is topped up from the minimum to the maximum. Nobody who
 * holds the content is dropped before at least the minimum of the others have reported that they hold it too: made first, then broken.
 * A lost holder is dropped as soon as one other has: until then it may have the last copy, which it would remove when it comes back.
 * Source: Go `cluster.go` `repinFromPeer`, `vacatePeer`, which clear the allocations and allocate anew instead.
 */
import type { PeerId, Pin } from '../../model/index.ts';

/**
 * What a holder counts for. `stays`: it holds the pin and shall. `leaves`: it holds it and shall not any more: it is drained, or may
 * not hold pins. `gone`: lost, and may come back. `stranger`: no member.
 */
export type Standing = 'stays' | 'leaves' | 'gone' | 'stranger';

/** One pin, and what is known of those who hold it. */
export interface HealRequest {
  readonly pin: Pick<Pin, 'type' | 'allocations' | 'replicationFactorMin' | 'replicationFactorMax'>;
  readonly standingOf: (peer: PeerId) => Standing;
  /** At most so many new holders, the best first, none of `excluded`; fewer when there are not enough. */
  readonly choose: (count: number, excluded: ReadonlySet<PeerId>) => readonly PeerId[];
  /** Holders that report the pin as pinned; `undefined`: nobody has been asked. */
  readonly pinned: ReadonlySet<PeerId> | undefined;
  /** False while a move to another holder may be under way: more holders than the maximum are then left alone. */
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
function withMore({ pin, choose, pinned }: HealRequest, { all, stays, leaves, gone }: Holders): HealDecision {
  const excluded = new Set(all);
  const wanted = pin.replicationFactorMax - stays.length;
  const added = choose(wanted, excluded)
    .filter((peer) => !excluded.has(peer))
    .slice(0, wanted);
  const count = stays.length + added.length;
  const isShort = count < pin.replicationFactorMin;
  const room = pin.replicationFactorMax - count;
  const mayDrop = !isShort && gone.length > room;
  if (mayDrop && stays.length > 0 && pinned === undefined) return { kind: 'ask', peers: stays };
  // Whoever may come back is worth its place as long as there is one, and more so while there are too few.
  const kept = mayDrop && isHeldBy(stays, pinned) ? gone.slice(0, room) : gone;
  const allocations = [...stays, ...added, ...leaves, ...kept];
  // Nobody is taken off the list of a pin for nobody: it tells where the content was.
  if (allocations.length === 0 || isSame(allocations, all)) return { kind: 'short' };
  return { kind: 'write', allocations, isShort, isPending: leaves.length > 0 || (!isShort && kept.length > room) };
}

/** At least the minimum: strangers are dropped, then those that leave and lost ones, then those above the maximum. */
function withFewer(request: HealRequest, holders: Holders): HealDecision {
  const { pin, pinned, isSettled } = request;
  const { all, stays, leaves, gone } = holders;
  const max = isSettled ? pin.replicationFactorMax : all.length;
  const room = Math.max(0, max - stays.length);
  const keptGone = isHeldBy(stays, pinned) ? gone.slice(0, room) : gone;
  const write = (allocations: readonly PeerId[], isPending: boolean): HealDecision =>
    isSame(allocations, all)
      ? { kind: isPending ? 'wait' : 'fine' }
      : { kind: 'write', allocations, isShort: false, isPending };

  const isAbove = (count: number): boolean => count + keptGone.length > pin.replicationFactorMax;
  const hasTooMany = leaves.length > 0 || stays.length > max;
  const mustAsk = hasTooMany || gone.length > room;
  if (mustAsk && pinned === undefined) return { kind: 'ask', peers: stays };
  if (!hasTooMany || pinned === undefined) return write([...stays, ...keptGone], isAbove(stays.length));
  const holding = stays.filter((peer) => pinned.has(peer));
  if (holding.length < pin.replicationFactorMin) return write([...stays, ...leaves, ...keptGone], true);
  // The last chosen go first, but never one that holds the pin before one that does not.
  const ranked = [...holding, ...stays.filter((peer) => !pinned.has(peer))];
  const kept = new Set(ranked.slice(0, max));
  return write([...stays.filter((peer) => kept.has(peer)), ...keptGone], isAbove(kept.size));
}

function isHeldBy(peers: readonly PeerId[], pinned: ReadonlySet<PeerId> | undefined): boolean {
  return pinned !== undefined && peers.some((peer) => pinned.has(peer));
}

function isSame(a: readonly PeerId[], b: readonly PeerId[]): boolean {
  return a.length === b.length && a.every((peer) => b.includes(peer));
}
