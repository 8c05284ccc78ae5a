/**
 * `ipfs-cluster-service demo --healing`: five peers with five IPFS nodes, and pins of every kind. One peer dies for good, one
 * flaps, one is drained, one is cordoned, and the dead one is removed. What the cluster does is shown as it happens, and what
 * it says is not taken for granted: every IPFS node is asked what it pins, and read from.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServiceConfig } from '../../../model/config/index.ts';
import { metrics, waitFor } from './cluster-api.ts';
import { addText } from './content.ts';
import { runCtl } from './ctl.ts';
import { createLedger } from './ledger.ts';
import {
  askNodes,
  type Counts,
  countsOf,
  countsText,
  type DemoPin,
  holders,
  isEverywhere,
  isSameCount,
  readReplicas,
} from './replicas.ts';
import {
  castOf,
  currentPins,
  expiringName,
  firstOf,
  isBelowWithout,
  limitMs,
  namesOf,
  noneBelowMinimum,
  onlyMoved,
  operate,
  pinDirectory,
  pinText,
  type Roles,
  type Scene,
  showTable,
  waitForAllMetrics,
  waitForFreshMetrics,
  waitInBounds,
} from './scene.ts';
import { contentDirectory, type DemoPeer, formatSize, onStage, type Stage, type StageOptions } from './stage.ts';

const peerCount = 5;
const pingIntervalMs = 2_000;
const gracePeriodMs = 8_000;
const metricTtlMs = 6_000;
const expireIn = '20s';

/** Factors of the pinned directories, in turn. */
const spreads = [
  { min: 1, max: 2 },
  { min: 2, max: 3 },
  { min: 3, max: 3 },
];
/** Directories for each of these; two more are for those that are pinned everywhere and where the user wants. */
const rounds = 3;

/** @returns the exit code: 0 when all of it was shown and holds. */
export async function runHealing(options: StageOptions): Promise<number> {
  const ending = await onStage(options, play);
  if (ending === 'interrupted') options.output.write('\n  Interrupted: nothing is proved.\n');
  return ending === 'played' ? 0 : 1;
}

/** Everything within seconds instead of minutes. */
function quick(config: ServiceConfig): ServiceConfig {
  return {
    ...config,
    cluster: {
      ...config.cluster,
      disableRepinning: false,
      repinGracePeriodMs: gracePeriodMs,
      monitorPingIntervalMs: pingIntervalMs,
      stateSyncIntervalMs: 1_000,
      peerWatchIntervalMs: 1_000,
      pubsub: { ...config.cluster.pubsub, heartbeatIntervalMs: 500 },
    },
    pubsubmon: { checkIntervalMs: 500 },
    disk: { metricTtlMs, metricType: 'freespace' },
  };
}

async function play(stage: Stage): Promise<void> {
  const { screen } = stage;
  screen.title('A cluster of five peers, each with an IPFS node of its own');
  const peers = await stage.startPeers(peerCount, quick);
  const pins: DemoPin[] = [];
  const isLiving = (name: string): boolean => scene.living.some((peer) => peer.name === name);
  const scene: Scene = {
    ...stage,
    peers,
    pins,
    ledger: createLedger({ peers, pins, isLiving, tell: screen.line }),
    living: [...peers],
    proved: [],
  };
  await pinEverything(scene);
  const roles = castOf(scene, await scene.ledger.look(firstOf(peers)));
  await showTable(scene, 'What each IPFS node pins', roles.witness);
  await loseOne(scene, roles);
  await letFlap(scene, roles);
  await drainOne(scene, roles);
  await cordonOne(scene, roles);
  await removeLost(scene, roles);
  await proveAll(scene, roles);
}

// ------------------------------------------------------------------------------------------------ the acts

async function pinEverything(scene: Scene): Promise<void> {
  const { screen, program, peers, pins } = scene;
  const [first, second, third] = peers;
  if (first === undefined || second === undefined || third === undefined) throw new Error('Three peers are needed');
  const root = contentDirectory(program);
  const entries = await readdir(root, { withFileTypes: true });
  const directories = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(root, name));
  const take = (): string => {
    const directory = directories.shift();
    if (directory === undefined) throw new Error(`"${root}" has too few folders to show this`);
    return directory;
  };
  /** Name of the pin whose peers the user chooses. */
  let placed = '';
  await screen.step(`Waiting until ${first.name} has heard of all others`, () => waitForAllMetrics(scene, first));
  await screen.step(
    `Pinning the folders of ${root}, and two texts`,
    async () => {
      for (let round = 0; round < rounds; round++) {
        for (const spread of spreads) await pinDirectory(scene, take(), spread);
        // So that the next ones go where there is more space left now.
        await waitForFreshMetrics(scene, first);
      }
      await pinDirectory(scene, take(), { min: -1, max: -1 });
      placed = await pinDirectory(
        scene,
        take(),
        { min: 2, max: 2 },
        { 'user-allocations': `${second.id},${third.id}` },
      );
      await pinText(scene, 'direct', { min: 2, max: 2 }, { mode: 'direct' });
      await pinText(scene, expiringName, { min: 1, max: 2 }, { 'expire-in': expireIn });
    },
    () => `${pins.length} pins; "${expiringName}" expires in ${expireIn}`,
  );
  await screen.step('Waiting until they are where they are to be, by what each IPFS node says', () =>
    waitInBounds(scene, first),
  );
  const wished = [second.name, third.name];
  await screen.step(`Where ${wished.join(' and ')} were asked for, they hold it`, async () => {
    const held = holders(firstOf(pins.filter(({ name }) => name === placed)), await askNodes(peers));
    if (held.join() !== wished.join()) throw new Error(`${placed} is held by ${held.join(' and ')}`);
  });
}

/** A peer is lost: what falls below its minimum moves, and nothing else. */
async function loseOne(scene: Scene, { lost, witness }: Roles): Promise<void> {
  const { screen, ledger } = scene;
  screen.title(`${lost.name} dies, and never comes back`);
  const before = await ledger.look(witness);
  const held = currentPins(scene, before).filter((pin) => before.get(pin.cid)?.includes(lost.name) ?? false);
  const below = held.filter((pin) => isBelowWithout(pin, before, lost));
  screen.line(`Of its ${held.length} pins, ${below.length} fall below their minimum: ${namesOf(below)}`);
  ledger.begin();
  await screen.step(`Killing the process of ${lost.name} (SIGKILL)`, () => lost.process.kill());
  scene.living = scene.living.filter((peer) => peer !== lost);
  await screen.step(
    `Waiting until they have moved: not before it is gone for ${gracePeriodMs / 1000} s, it could be back`,
    () =>
      waitFor(
        () => ledger.look(witness),
        (wanted) =>
          currentPins(scene, wanted).every((pin) => !below.includes(pin) || !wanted.get(pin.cid)?.includes(lost.name)),
        (wanted) => `${namesOf(below.filter((pin) => wanted.get(pin.cid)?.includes(lost.name)))} have not moved`,
        limitMs,
      ),
  );
  await screen.step('Waiting until the IPFS nodes that are left hold them', () => waitInBounds(scene, witness));
  await screen.step('Nothing else has moved', async () => onlyMoved(scene, below));
  scene.proved.push(
    `${lost.name} was lost for good with ${held.length} pins; the ${below.length} that fell below their minimum moved, no other.`,
  );
}

/** A peer that is back soon loses nothing. */
async function letFlap(scene: Scene, { flapping, witness }: Roles): Promise<void> {
  const { screen, ledger } = scene;
  screen.title(`${flapping.name} flaps`);
  ledger.begin();
  const isSeen = async (is: boolean): Promise<unknown> =>
    waitFor(
      () => metrics(witness.apiUrl, 'ping'),
      (pings) => pings.has(flapping.id) === is,
      () => `${witness.name} ${is ? 'does not hear' : 'still hears'} ${flapping.name}`,
      limitMs,
    );
  await screen.step(`Killing the process of ${flapping.name}, until the others miss it`, async () => {
    await flapping.process.kill();
    await isSeen(false);
  });
  await screen.step(`Starting ${flapping.name} again`, async () => {
    await flapping.process.start();
    await isSeen(true);
  });
  await screen.step('Waiting until its IPFS node holds its part', () => waitInBounds(scene, witness));
  await screen.step('Nothing has moved', async () => onlyMoved(scene, []));
  scene.proved.push(`${flapping.name} was missing for a moment; nothing moved.`);
}

/** A drained peer hands its pins over, and lets go of none before others have it. */
async function drainOne(scene: Scene, { drained, witness }: Roles): Promise<void> {
  const { screen, ledger } = scene;
  screen.title(`${drained.name} is drained`);
  const before = await ledger.look(witness);
  const held = currentPins(scene, before).filter((pin) => before.get(pin.cid)?.includes(drained.name) ?? false);
  ledger.begin();
  await operate(scene, witness, ['peers', 'drain', drained.id]);
  let lookCount = 0;
  await screen.step(
    `Waiting until its ${held.length} pins are elsewhere`,
    () =>
      waitFor(
        async () => {
          const wanted = await ledger.look(witness);
          // The drained one first: what it has let go by then, others must have when they are asked after it.
          const nodes = await askNodes([drained, ...scene.living.filter((peer) => peer !== drained)]);
          noneBelowMinimum(currentPins(scene, wanted), nodes);
          lookCount++;
          return currentPins(scene, wanted).filter(
            (pin) => !isEverywhere(pin) && (nodes.get(drained.name)?.has(pin.cid) ?? false),
          );
        },
        (left) => left.length === 0,
        (left) => `${drained.name} still pins ${namesOf(left)}`,
        limitMs,
      ),
    () => `none had too few holders in any of ${lookCount} looks at all IPFS nodes`,
  );
  await screen.step('Waiting until all pins are within their bounds', () => waitInBounds(scene, witness));
  await screen.step('Nothing but its pins has moved', async () => onlyMoved(scene, held));
  scene.proved.push(`${drained.name} handed over ${held.length} pins; none of them ever had too few holders.`);
}

/** A cordoned peer keeps what it has, and gets nothing new. */
async function cordonOne(scene: Scene, { cordoned, drained, witness }: Roles): Promise<void> {
  const { screen, ledger, pins } = scene;
  screen.title(`${cordoned.name} is cordoned`);
  ledger.begin();
  await operate(scene, witness, ['peers', 'cordon', cordoned.id]);
  await explainNew(scene, witness, [cordoned, drained]);
  const count = pins.length;
  await screen.step('Pinning three more texts', async () => {
    for (const [i, spread] of [...spreads.slice(0, 1), { min: 1, max: 3 }, { min: 2, max: 2 }].entries()) {
      await pinText(scene, `new-${i + 1}`, spread);
    }
  });
  const added = pins.slice(count);
  await screen.step(`Waiting until they are pinned, not by ${cordoned.name} nor by ${drained.name}`, async () => {
    await waitInBounds(scene, witness);
    const held = await askNodes([cordoned, drained]);
    const wrong = added.filter((pin) => holders(pin, held).length > 0);
    if (wrong.length > 0) throw new Error(`${namesOf(wrong)} went to ${cordoned.name} or ${drained.name}`);
  });
  await screen.step(`${cordoned.name} keeps what it had`, async () => onlyMoved(scene, []));
  scene.proved.push(`${cordoned.name} was cordoned: it kept its pins and got none of ${added.length} new ones.`);
}

/** Why each peer would get a new pin or not; these do not. */
async function explainNew(scene: Scene, { ipfsUrl, apiAddress }: DemoPeer, barred: readonly DemoPeer[]): Promise<void> {
  const { screen, program, peers } = scene;
  const cid = await addText(ipfsUrl, 'A text that is not pinned\n');
  const judged = await screen.step('ctl pin explain -r 2, of a new text', async () => {
    const answer = await runCtl(program, apiAddress, ['--enc', 'json', 'pin', 'explain', '-r', '2', cid]);
    return (JSON.parse(answer) as { readonly peers: readonly JudgedPeer[] }).peers;
  });
  const nameOf = (id: string): string => peers.find((peer) => peer.id === id)?.name ?? id;
  for (const { peer, chosen, reason } of judged) {
    screen.line(`  ${nameOf(peer)}: ${chosen ? 'yes' : 'no'}; ${reason}`);
    if (chosen && barred.some(({ id }) => id === peer))
      throw new Error(`${nameOf(peer)} is chosen although it is not to be`);
  }
}

/** As `GET /pins/{cid}/allocation` tells it. */
interface JudgedPeer {
  readonly peer: string;
  readonly chosen: boolean;
  readonly reason: string;
}

/** Removing the dead one clears it from all pins. */
async function removeLost(scene: Scene, { lost, witness }: Roles): Promise<void> {
  const { screen, ledger } = scene;
  screen.title(`${lost.name} is removed from the cluster`);
  ledger.begin();
  await operate(scene, witness, ['peers', 'rm', lost.id]);
  await screen.step(`Waiting until no pin names ${lost.name} any more`, () =>
    waitFor(
      () => ledger.look(witness),
      (wanted) => [...wanted.values()].every((names) => !names.includes(lost.name)),
      (wanted) => `${[...wanted.values()].filter((names) => names.includes(lost.name)).length} pins name it`,
      limitMs,
    ),
  );
  scene.proved.push(`${lost.name} was removed, and no pin names it any more.`);
}

async function proveAll(scene: Scene, { witness }: Roles): Promise<void> {
  const { screen, program, pins, ledger, living } = scene;
  screen.title('How it ends');
  const expiring = pins.filter(({ name }) => name === expiringName);
  await screen.step(`Waiting until "${expiringName}" has expired`, () =>
    waitFor(
      () => ledger.look(witness),
      (wanted) => expiring.every(({ cid }) => !wanted.has(cid)),
      () => 'it is still pinned',
      limitMs,
    ),
  );
  await screen.step('Waiting until every pin is within its bounds, by what each IPFS node says', () =>
    waitInBounds(scene, witness),
  );
  const kept = currentPins(scene, await ledger.look(witness));
  await screen.step(
    'Reading every file of every pin from every IPFS node that pins it, without help from the network',
    () => readReplicas(kept, living),
    ({ fileCount, sizeBytes }) => `${fileCount} files, ${formatSize(sizeBytes)}, byte for byte equal`,
  );
  await screen.step(
    'ctl health replication --verify',
    async () => {
      const answer = await runCtl(program, witness.apiAddress, ['--enc', 'json', 'health', 'replication', '--verify']);
      const said = JSON.parse(answer) as Counts;
      const counted = countsOf(kept, await askNodes(living));
      if (!isSameCount(said, counted)) throw new Error(`It says ${countsText(said)}; there are ${countsText(counted)}`);
      return counted;
    },
    (counts) => `${countsText(counts)}, as the IPFS nodes say`,
  );
  await showTable(scene, 'What each IPFS node pins now', witness);
  screen.title('Proved');
  for (const line of scene.proved) screen.line(`- ${line}`);
  screen.line(
    `HEALED: all of ${kept.length} pins are within their bounds, by the word of ${living.length} IPFS nodes.`,
  );
}
