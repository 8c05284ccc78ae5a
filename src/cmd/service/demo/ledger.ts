/** Follows who is to hold what, as the cluster has agreed on it, and tells every change of it when it is seen. */
import { allocations } from './cluster-api.ts';
import { type DemoPin, factors } from './replicas.ts';
import type { DemoPeer } from './stage.ts';

export interface Ledger {
  /** Asks the peer. Names of peers by CID of pin, in the order of the pinset; nobody by name means everybody. */
  look(peer: DemoPeer): Promise<ReadonlyMap<string, readonly string[]>>;
  /** From now on, changes are those since now. */
  begin(): void;
  /** CIDs of pins whose holders have changed, or that are gone, since then. */
  changed(): ReadonlySet<string>;
}

export interface LedgerOptions {
  readonly peers: readonly DemoPeer[];
  readonly pins: readonly DemoPin[];
  readonly tell: (line: string) => void;
}

/** `pins` may grow meanwhile. */
export function createLedger({ peers, pins, tell }: LedgerOptions): Ledger {
  const names = new Map(peers.map(({ id, name }) => [id, name]));
  let beganAt = performance.now();
  let last: ReadonlyMap<string, readonly string[]> = new Map();
  const changed = new Set<string>();
  return {
    begin: () => {
      beganAt = performance.now();
      changed.clear();
    },
    changed: () => changed,
    look: async (peer) => {
      const found = await allocations(peer.apiUrl);
      const now = new Map([...found].map(([cid, ids]) => [cid, ids.map((id) => names.get(id) ?? id)]));
      for (const [cid, before] of last) {
        const after = now.get(cid);
        const change = after === undefined ? 'expired, and is unpinned' : changeOf(before, after);
        if (change === '') continue;
        changed.add(cid);
        const pin = pins.find((candidate) => candidate.cid === cid);
        const text = pin === undefined ? cid : `${pin.name} (${factors(pin)})`;
        tell(`  after ${((performance.now() - beganAt) / 1000).toFixed(1)} s: ${text} ${change}`);
      }
      last = now;
      return now;
    },
  };
}

function changeOf(before: readonly string[], after: readonly string[]): string {
  const left = before.filter((name) => !after.includes(name)).join(' and ');
  const come = after.filter((name) => !before.includes(name)).join(' and ');
  if (left !== '' && come !== '') return `moves from ${left} to ${come}`;
  if (come !== '') return `goes to ${come}`;
  return left === '' ? '' : `leaves ${left}`;
}
