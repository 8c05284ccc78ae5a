/** Where pins really are: what the IPFS nodes say, held against what was asked for. The cluster is not asked. */
import { cat, pinsOfNode, type SourceFile } from './content.ts';
import type { DemoPeer } from './stage.ts';

/** Something that the demo has pinned. */
export interface DemoPin {
  readonly cid: string;
  readonly name: string;
  /** Fewest and most peers that must hold it; -1: all. */
  readonly min: number;
  readonly max: number;
  readonly mode: 'recursive' | 'direct';
  /** What it must read as; an empty path is the pin itself. */
  readonly files: readonly SourceFile[];
}

/** What each IPFS node pins, by the name of its peer. */
export type Held = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Asks every node, one after the other in the given order. */
export async function askNodes(peers: readonly DemoPeer[]): Promise<Held> {
  const held = new Map<string, ReadonlyMap<string, string>>();
  for (const { name, ipfsUrl } of peers) held.set(name, await pinsOfNode(ipfsUrl));
  return held;
}

export function isEverywhere({ min }: DemoPin): boolean {
  return min < 0;
}

/** As the command line and the API write it. */
export function factors(pin: DemoPin): string {
  return isEverywhere(pin) ? 'all' : `${pin.min}..${pin.max}`;
}

/** Names of the peers whose nodes pin it in its mode. */
export function holders(pin: DemoPin, held: Held): string[] {
  return [...held].filter(([, pins]) => pins.get(pin.cid) === pin.mode).map(([name]) => name);
}

/**
 * What is not as it must be, one line each: fewer or more nodes than the factors allow, a node that pins what it is not to hold
 * or does not pin what it is to hold, and pins that nobody asked for. `wanted` has the names of those that are to hold a pin,
 * of which only the asked nodes count.
 */
export function faults(pins: readonly DemoPin[], held: Held, wanted: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  for (const pin of pins) {
    const names = holders(pin, held);
    const [min, max] = isEverywhere(pin) ? [held.size, held.size] : [pin.min, pin.max];
    if (names.length < min || names.length > max) {
      found.push(`${pin.name} (${factors(pin)}) is pinned by ${names.length} nodes: ${names.join(', ')}`);
    }
    const chosen = isEverywhere(pin) ? [...held.keys()] : (wanted.get(pin.cid) ?? []).filter((name) => held.has(name));
    for (const name of chosen) if (!names.includes(name)) found.push(`${pin.name} is not pinned by ${name}`);
  }
  const byCid = new Map(pins.map((pin) => [pin.cid, pin]));
  for (const [name, cids] of held) {
    for (const [cid, mode] of cids) {
      const pin = byCid.get(cid);
      if (pin === undefined) found.push(`${name} pins ${cid}, which nobody asked for`);
      else if (mode !== pin.mode) found.push(`${name} pins ${pin.name} as ${mode}, not as ${pin.mode}`);
      else if (!isEverywhere(pin) && !(wanted.get(cid) ?? []).includes(name))
        found.push(`${name} still pins ${pin.name}`);
    }
  }
  return found;
}

const countNames = ['pins', 'below_min', 'at_min', 'above_min', 'full', 'over_max'] as const;

/** Pins by the number of nodes that pin them; names as in `GET /health/replication`, which must count the same. */
export type Counts = Readonly<Record<(typeof countNames)[number], number>>;

export function countsOf(pins: readonly DemoPin[], held: Held): Counts {
  const classes = pins.map((pin): keyof Counts => {
    const count = holders(pin, held).length;
    const [min, max] = isEverywhere(pin) ? [held.size, held.size] : [pin.min, pin.max];
    if (count < min) return 'below_min';
    if (count > max) return 'over_max';
    if (count === max) return 'full';
    return count === min ? 'at_min' : 'above_min';
  });
  const of = (name: keyof Counts): number => classes.filter((found) => found === name).length;
  return {
    pins: pins.length,
    below_min: of('below_min'),
    at_min: of('at_min'),
    above_min: of('above_min'),
    full: of('full'),
    over_max: of('over_max'),
  };
}

/** Whether both say the same. */
export function isSameCount(a: Counts, b: Counts): boolean {
  return countNames.every((name) => a[name] === b[name]);
}

/** As one line. */
export function countsText(counts: Counts): string {
  return countNames.map((name) => `${counts[name]} ${name.replace('_', ' ')}`).join(', ');
}

/** Reads every byte of every pin from every node that holds it, without help from the network. Throws where one differs. */
export async function readReplicas(
  pins: readonly DemoPin[],
  peers: readonly DemoPeer[],
): Promise<{ readonly fileCount: number; readonly sizeBytes: number }> {
  const held = await askNodes(peers);
  let fileCount = 0;
  let sizeBytes = 0;
  for (const pin of pins) {
    for (const peer of peers.filter(({ name }) => holders(pin, held).includes(name))) {
      for (const { path, bytes } of pin.files) {
        const found = await cat(peer.ipfsUrl, `/ipfs/${pin.cid}${path === '' ? '' : `/${path}`}`);
        if (!Buffer.from(found).equals(bytes)) throw new Error(`"${pin.name}/${path}" differs on ${peer.name}`);
        fileCount++;
        sizeBytes += found.length;
      }
    }
  }
  return { fileCount, sizeBytes };
}
