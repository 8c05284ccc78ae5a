/**
 * `ipfs-cluster-service demo`: three peers with three IPFS nodes on this machine, real content pinned on all of them,
 * and with `--tour` the death and return of the leader.
 */
import { pin, pinset, status, waitFor, waitPinned } from './cluster-api.ts';
import { type AddedDirectory, addDirectory, addText, cat } from './content.ts';
import { ctlWords } from './ctl.ts';
import type { Screen } from './screen.ts';
import {
  contentDirectory,
  type DemoPeer,
  formatSize,
  onStage,
  type Program,
  type Stage,
  type StageOptions,
} from './stage.ts';

const peerCount = 3;
/** Pins that are made while the killed peer is away. */
const absentPinCount = 20;
/** How long content may take to reach all peers. */
const pinLimitMs = 60_000;
/** How long the others may take to elect a new leader, and the returned peer to catch up. */
const recoveryLimitMs = 60_000;

export interface DemoOptions extends StageOptions {
  readonly isTour: boolean;
}

/** @returns the exit code. */
export async function runDemo({ isTour, ...options }: DemoOptions): Promise<number> {
  const ending = await onStage(options, async (stage) => {
    const { peers, added } = await show(stage);
    if (isTour) return await tour(stage.screen, peers, added);
    showHowToGoOn(stage.screen, peers, added, stage.program);
    await new Promise<never>(() => {});
  });
  // Ctrl-C is how it is meant to end.
  return ending === 'failed' ? 1 : 0;
}

interface Shown {
  readonly peers: readonly DemoPeer[];
  readonly added: AddedDirectory;
}

async function show({ screen, program, startPeers }: Stage): Promise<Shown> {
  screen.title('A cluster of three peers, each with an IPFS node of its own');
  const peers = await startPeers(peerCount);
  const [first] = peers;
  if (first === undefined) throw new Error('No peer was started');
  const directory = contentDirectory(program);
  const added = await screen.step(
    `Adding ${directory} through the IPFS node of ${first.name}`,
    () => addDirectory(first.ipfsUrl, directory),
    (result) => `${result.files.length} files, ${formatSize(result.sizeBytes)}, ${result.root}`,
  );
  await screen.step(`Pinning it in the cluster`, () => pin(first.apiUrl, added.root, added.name));
  await screen.step('Waiting until every peer has it', () =>
    waitPinned(first.apiUrl, added.root, peerCount, pinLimitMs),
  );
  await showStatus(screen, first, added.root);
  return { peers, added };
}

async function showStatus(screen: Screen, peer: DemoPeer, cid: string): Promise<void> {
  screen.title(`Status of ${cid}`);
  for (const state of await status(peer.apiUrl, cid))
    screen.line(`${state.peername.padEnd(8)} ${state.status.toUpperCase()} ${state.error}`);
}

function showHowToGoOn(screen: Screen, peers: readonly DemoPeer[], added: AddedDirectory, program: Program): void {
  screen.title('Addresses');
  for (const peer of peers) {
    screen.line(
      `${peer.name}: HTTP API ${peer.apiAddress}, IPFS proxy ${peer.proxyAddress}, IPFS node ${peer.ipfsAddress}`,
    );
  }
  const host = peers[0]?.apiAddress ?? '';
  screen.title('Go on in another terminal');
  const ctl = ctlWords(program, host).map((word) => `'${word}'`);
  screen.command(`alias ctl="${ctl.join(' ')}"`);
  screen.command('ctl peers ls');
  screen.command(`ctl status ${added.root}`);
  screen.command('ctl pin ls');
  screen.command(`ctl pin rm ${added.root}`);
  screen.command('ctl --help');
  screen.line('');
  screen.line('The peers run until you press Ctrl-C. `npm start -- --tour` kills one and shows that nothing is lost.');
}

async function tour(screen: Screen, peers: readonly DemoPeer[], added: AddedDirectory): Promise<void> {
  screen.title('The leader dies');
  const leader = await screen.step(
    'Asking who leads',
    () => findLeader(peers),
    (peer) => peer.name,
  );
  const others = peers.filter((peer) => peer !== leader);
  const [other] = others;
  if (other === undefined) return;
  await screen.step(`Killing the process of ${leader.name} (SIGKILL)`, () => leader.process.kill());

  const texts = Array.from({ length: absentPinCount }, (_, i) => `Written while ${leader.name} was away: ${i}\n`);
  const cids: string[] = [];
  await screen.step(
    `Pinning ${texts.length} more texts through the two that are left`,
    async () => {
      for (const [i, text] of texts.entries()) {
        const target = others[i % others.length] ?? other;
        const cid = await addText(target.ipfsUrl, text);
        // The first write meets a cluster without a leader; the peer itself waits for the new one.
        await pin(target.apiUrl, cid, `while-away-${i}`);
        cids.push(cid);
      }
    },
    () => 'every one acknowledged',
  );
  await screen.step(
    'A new leader was elected',
    () => findLeader(others),
    (peer) => peer.name,
  );

  screen.title('It comes back');
  await screen.step(`Starting ${leader.name} again`, () => leader.process.start());
  const expected = [...new Set([added.root, ...cids])].sort();
  await screen.step(
    'Comparing the pinsets of all peers',
    async () => {
      for (const peer of peers) {
        await waitFor(
          () => pinset(peer.apiUrl),
          (found) => JSON.stringify(found) === JSON.stringify(expected),
          (found) => `${peer.name} lists ${found.length} of ${expected.length} pins`,
          recoveryLimitMs,
        );
      }
    },
    () => `${expected.length} pins on each of ${peers.length} peers`,
  );
  await screen.step('Waiting until the returned peer holds everything', async () => {
    for (const cid of expected) await waitPinned(leader.apiUrl, cid, peerCount, recoveryLimitMs);
  });
  await screen.step(
    `Reading every pinned file from the IPFS node of ${leader.name}, without help from the network`,
    () => compareFiles(leader, added, new Map(cids.map((cid, i) => [cid, texts[i] ?? '']))),
    ({ fileCount, sizeBytes }) => `${fileCount} files, ${formatSize(sizeBytes)}, byte for byte equal`,
  );

  screen.title('Proved');
  screen.line('- Three peers agreed on a pinset, and each IPFS node got the content from another one.');
  screen.line(`- The leader was killed without warning; the others went on and acknowledged ${cids.length} pins.`);
  screen.line('- The killed peer came back, lists the same pins as the others and holds every byte of them.');
}

/** The peer whose log says last, with the highest term, that it leads. */
async function findLeader(peers: readonly DemoPeer[]): Promise<DemoPeer> {
  return waitFor(
    async () => {
      let found: { readonly peer: DemoPeer; readonly term: number } | undefined;
      for (const peer of peers) {
        const term = peer.process.leaderTerm();
        if (term > (found?.term ?? 0)) found = { peer, term };
      }
      return found?.peer;
    },
    (peer) => peer !== undefined,
    () => 'no peer leads',
    recoveryLimitMs,
  ).then((peer) => {
    if (peer === undefined) throw new Error('No peer leads');
    return peer;
  });
}

async function compareFiles(
  peer: DemoPeer,
  added: AddedDirectory,
  texts: ReadonlyMap<string, string>,
): Promise<{ readonly fileCount: number; readonly sizeBytes: number }> {
  let sizeBytes = 0;
  const compare = async (path: string, expected: Uint8Array): Promise<void> => {
    const found = await cat(peer.ipfsUrl, path);
    if (!Buffer.from(found).equals(expected)) throw new Error(`"${path}" differs on ${peer.name}`);
    sizeBytes += found.length;
  };
  for (const file of added.files) await compare(`/ipfs/${added.root}/${file.path}`, file.bytes);
  for (const [cid, text] of texts) await compare(`/ipfs/${cid}`, Buffer.from(text));
  return { fileCount: added.files.length + texts.size, sizeBytes };
}
