/** Follows who is to hold what, as the cluster has agreed on it, and tells every change of it when it is seen. */
import { allocations } from './cluster-api.ts';
import { type DemoPin, factors } from './replicas.ts';
import type { DemoPeer } from './stage.ts';

export interface Ledger {
  /** Asks the peer. Names of peers by CID of pin, in the order of the pinset; nobody by name means everybody. */
  look(peer: DemoPeer): Promise<ReadonlyMap<string, readonly string[]>>;
  /** From now on, moves are those since now. */
  begin(): void;
  /** CIDs of pins that have got a holder since then, or lost one that lives, or are gone. */
  moved(): ReadonlySet<string>;
}

export interface LedgerOptions {
  readonly peers: readonly DemoPeer[];
  readonly pins: readonly DemoPin[];
  readonly isLiving: (peer: string) => boolean;
  readonly tell: (line: string) => void;
}

/** `pins` may grow meanwhile. */
export function createLedger({ peers, pins, isLiving, tell }: LedgerOptions): Ledger {
  const names = new Map(peers.map(({ id, name }) => [id, name]));
  let beganAt = performance.now();
  let last: ReadonlyMap<string, readonly string[]> = new Map();
  const moved = new Set<string>();
  const follow = (cid: string, before: readonly string[], after: readonly string[] | undefined): void => {
    const left = before.filter((name) => !(after ?? []).includes(name));
    const come = (after ?? []).filter((name) => !before.includes(name));
    if (after !== undefined && left.length + come.length === 0) return;
    if (after === undefined || come.length > 0 || left.some(isLiving)) moved.add(cid);
    const pin = pins.find((candidate) => candidate.cid === cid);
    const text = pin === undefined ? cid : `${pin.name} (${factors(pin)})`;
    const seconds = ((performance.now() - beganAt) / 1000).toFixed(1);
    tell(`  after ${seconds} s: ${text} ${after === undefined ? 'is pinned no more' : changeText(left, come)}`);
  };
  return {
    begin: () => {
      beganAt = performance.now();
      moved.clear();
    },
    moved: () => moved,
    look: async (peer) => {
      const found = await allocations(peer.apiUrl);
      const now = new Map([...found].map(([cid, ids]) => [cid, ids.map((id) => names.get(id) ?? id)]));
      for (const [cid, before] of last) follow(cid, before, now.get(cid));
      last = now;
      return now;
    },
  };
}

function changeText(left: readonly string[], come: readonly string[]): string {
  const to = come.join(' and ');
  const from = left.join(' and ');
  if (left.length === 0) return `goes to ${to}`;
  return come.length === 0 ? `leaves ${from}` : `moves from ${from} to ${to}`;
}
