/** What the acts of the demo of healing have in common: who and what is on the stage, and what is done with it again and again. */
import { metrics, pin, waitFor } from './cluster-api.ts';
import { addDirectory, addText } from './content.ts';
import { runCtl } from './ctl.ts';
import type { Ledger } from './ledger.ts';
import { askNodes, type DemoPin, factors, faults, type Held, holders, isEverywhere } from './replicas.ts';
import type { DemoPeer, Stage } from './stage.ts';

/** How long anything may take that the cluster does by itself; on an idle machine all of it together takes a minute. */
export const limitMs = 60_000;
/** The pin that is not there any more at the end. */
export const expiringName = 'expiring';

export interface Scene extends Stage {
  readonly peers: readonly DemoPeer[];
  readonly pins: DemoPin[];
  readonly ledger: Ledger;
  /** Whose nodes are asked. */
  living: DemoPeer[];
  /** What has been shown so far, for the end. */
  readonly proved: string[];
}

export interface Roles {
  /** Killed, never started again. */
  readonly lost: DemoPeer;
  readonly drained: DemoPeer;
  readonly flapping: DemoPeer;
  readonly cordoned: DemoPeer;
  /** Nothing happens to it; it is asked for everything. */
  readonly witness: DemoPeer;
}

export interface Spread {
  readonly min: number;
  readonly max: number;
}

/** Adds it through another node each time, as users do. */
function adder({ pins, living }: Scene): DemoPeer {
  return firstOf(living.slice(pins.length % living.length));
}

/** @returns its name. */
export async function pinDirectory(
  scene: Scene,
  directory: string,
  { min, max }: Spread,
  options: Readonly<Record<string, string>> = {},
): Promise<string> {
  const peer = adder(scene);
  const { root: cid, name, files } = await addDirectory(peer.ipfsUrl, directory);
  await pin(peer.apiUrl, cid, name, { 'replication-min': String(min), 'replication-max': String(max), ...options });
  scene.pins.push({ cid, name, min, max, mode: 'recursive', files });
  return name;
}

export async function pinText(
  scene: Scene,
  name: string,
  { min, max }: Spread,
  options: { readonly mode?: DemoPin['mode']; readonly 'expire-in'?: string } = {},
): Promise<void> {
  const peer = adder(scene);
  const text = `The text of the pin "${name}"\n`;
  const cid = await addText(peer.ipfsUrl, text);
  await pin(peer.apiUrl, cid, name, { 'replication-min': String(min), 'replication-max': String(max), ...options });
  const files = [{ path: '', bytes: Buffer.from(text) }];
  scene.pins.push({ cid, name, min, max, mode: options.mode ?? 'recursive', files });
}

/** Until every peer has told anew how much space it has. */
export async function waitForFreshMetrics({ peers }: Scene, { apiUrl }: DemoPeer): Promise<void> {
  const before = await metrics(apiUrl, 'freespace');
  await waitFor(
    () => metrics(apiUrl, 'freespace'),
    (now) => now.size === peers.length && [...now].every(([peer, expire]) => expire > (before.get(peer) ?? 0)),
    (now) => `${now.size} peers tell their free space`,
    limitMs,
  );
}

/** Until a peer has heard of all others whatever allocation goes by. */
export async function waitForAllMetrics({ peers }: Scene, { apiUrl }: DemoPeer): Promise<void> {
  const names = ['ping', 'tag:group', 'freespace'];
  await waitFor(
    async () => Math.min(...(await Promise.all(names.map((name) => metrics(apiUrl, name)))).map(({ size }) => size)),
    (heard) => heard === peers.length,
    (heard) => `it has heard of ${heard} of ${peers.length} peers`,
    limitMs,
  );
}

/** Who plays what: the one whose loss costs most is lost; the other parts go to those that hold most. */
export function castOf({ peers, pins }: Scene, wanted: ReadonlyMap<string, readonly string[]>): Roles {
  const held = (peer: DemoPeer): number => pins.filter(({ cid }) => wanted.get(cid)?.includes(peer.name)).length;
  const cost = (peer: DemoPeer): number => pins.filter((pin) => isBelowWithout(pin, wanted, peer)).length;
  const lost = firstOf(peers.toSorted((a, b) => cost(b) - cost(a)));
  const [drained, flapping, cordoned, witness] = peers
    .filter((peer) => peer !== lost)
    .sort((a, b) => held(b) - held(a));
  if (drained === undefined || flapping === undefined || cordoned === undefined || witness === undefined) {
    throw new Error('Five peers are needed');
  }
  return { lost, drained, flapping, cordoned, witness };
}

export function isBelowWithout(pin: DemoPin, wanted: ReadonlyMap<string, readonly string[]>, peer: DemoPeer): boolean {
  const names = wanted.get(pin.cid) ?? [];
  return names.includes(peer.name) && names.length - 1 < pin.min;
}

/** Without the one that has expired, once it is gone. */
export function currentPins({ pins }: Scene, wanted: ReadonlyMap<string, readonly string[]>): DemoPin[] {
  return pins.filter(({ name, cid }) => name !== expiringName || wanted.has(cid));
}

export async function waitInBounds(scene: Scene, witness: DemoPeer): Promise<void> {
  await waitFor(
    async () => {
      const held = await askNodes(scene.living);
      const wanted = await scene.ledger.look(witness);
      return faults(currentPins(scene, wanted), held, wanted);
    },
    (found) => found.length === 0,
    (found) => found.join('; '),
    limitMs,
  );
}

export function noneBelowMinimum(pins: readonly DemoPin[], held: Held): void {
  const below = pins.filter((pin) => !isEverywhere(pin) && holders(pin, held).length < pin.min);
  if (below.length > 0) throw new Error(`Too few IPFS nodes pin ${namesOf(below)}`);
}

/** Fails when a pin has moved that is none of these, or was not to. */
export function onlyMoved({ pins, ledger }: Scene, allowed: readonly DemoPin[]): void {
  const wrong = pins
    .filter((pin) => ledger.moved().has(pin.cid) && pin.name !== expiringName)
    .filter((pin) => !allowed.includes(pin));
  if (wrong.length > 0) throw new Error(`These have moved without need: ${namesOf(wrong)}`);
}

/** The command, shown with the peer's name, and run with its id. */
export async function operate(
  { screen, program, peers }: Scene,
  through: DemoPeer,
  words: readonly string[],
): Promise<void> {
  const shown = words.map((word) => peers.find(({ id }) => id === word)?.name ?? word);
  await screen.step(`ctl ${shown.join(' ')}`, () => runCtl(program, through.apiAddress, words));
}

export async function showTable(scene: Scene, title: string, witness: DemoPeer): Promise<void> {
  const { screen, peers, living, ledger } = scene;
  const wanted = await ledger.look(witness);
  const held = await askNodes(living);
  screen.title(title);
  screen.table(
    ['pin', 'wanted', ...peers.map(({ name }) => name), 'nodes'],
    currentPins(scene, wanted).map((pin) => [
      pin.name,
      factors(pin),
      ...peers.map((peer) => mark(pin, held.get(peer.name))),
      String(holders(pin, held).length),
    ]),
  );
}

function mark(pin: DemoPin, held: ReadonlyMap<string, string> | undefined): string {
  if (held === undefined) return '†';
  const mode = held.get(pin.cid);
  if (mode === undefined) return '';
  return mode === 'recursive' ? '●' : mode;
}

export function namesOf(pins: readonly DemoPin[]): string {
  return pins.length === 0 ? 'none' : pins.map(({ name }) => name).join(', ');
}

export function firstOf<T>(all: readonly T[]): T {
  const [first] = all;
  if (first === undefined) throw new Error('Nobody is there');
  return first;
}
