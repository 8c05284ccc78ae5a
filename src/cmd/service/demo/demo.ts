/**
 * `ipfs-cluster-service demo`: three peers with three IPFS nodes on this machine, real content pinned on all of them,
 * and with `--tour` the death and return of the leader.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { makeFolder } from '../../../io/config/index.ts';
import { type ChildPeer, createChildPeer } from './child.ts';
import { pin, pinset, status, waitFor, waitPinned } from './cluster-api.ts';
import { type AddedDirectory, addDirectory, addText, cat } from './content.ts';
import { createScreen, type Screen } from './screen.ts';
import { type DemoFolder, prepareFolders } from './setup.ts';

const peerCount = 3;
/** Pins that are made while the killed peer is away. */
const absentPinCount = 20;
/** How long content may take to reach all peers. */
const pinLimitMs = 60_000;
/** How long the others may take to elect a new leader, and the returned peer to catch up. */
const recoveryLimitMs = 60_000;

export interface DemoOptions {
  /** Kept after the end; a temporary folder that is removed when absent. */
  readonly dir?: string;
  readonly isTour: boolean;
  /** Script that runs this program, for the peers' processes. */
  readonly program: readonly [string, ...string[]];
  readonly output: NodeJS.WriteStream;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

interface DemoPeer extends DemoFolder {
  readonly process: ChildPeer;
}

/** @returns the exit code. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const screen = createScreen(options.output);
  const folder = options.dir === undefined ? await mkdtemp(join(tmpdir(), 'ipfs-cluster-demo-')) : resolve(options.dir);
  const peers: DemoPeer[] = [];
  let isFailed = false;
  const died = Promise.withResolvers<never>();
  died.promise.catch(() => {});
  const interrupted = new Promise<'interrupted'>((resolve) => {
    if (options.signal.aborted) resolve('interrupted');
    options.signal.addEventListener('abort', () => resolve('interrupted'), { once: true });
  });
  try {
    const shown = show({ ...options, folder, screen, peers, died });
    // What is still going on when Ctrl-C comes fails against stopped peers; nobody waits for it any more.
    shown.catch(() => {});
    const end = await Promise.race([shown, interrupted, died.promise]);
    if (end !== 'interrupted' && !options.isTour) await Promise.race([interrupted, died.promise]);
    return 0;
  } catch (error) {
    isFailed = true;
    screen.line('');
    screen.line(error instanceof Error ? error.message : String(error));
    if (peers.length > 0) screen.line(`Logs: ${peers.map((peer) => join(peer.folder, 'daemon.log')).join(', ')}`);
    return 1;
  } finally {
    screen.line('');
    await screen.step('Stopping the peers', async () => {
      await Promise.all(peers.map((peer) => peer.process.stop()));
    });
    if (options.dir === undefined && !isFailed) await rm(folder, { recursive: true, force: true });
  }
}

interface ShowOptions extends DemoOptions {
  readonly folder: string;
  readonly screen: Screen;
  readonly peers: DemoPeer[];
  readonly died: PromiseWithResolvers<never>;
}

async function show(options: ShowOptions): Promise<void> {
  const { screen, folder, peers } = options;
  screen.title('A cluster of three peers, each with an IPFS node of its own');
  await makeFolder(folder);
  const folders = await screen.step(
    'Writing configurations and keys',
    () => prepareFolders(folder, peerCount),
    () => folder,
  );
  for (const prepared of folders) {
    peers.push({
      ...prepared,
      process: createChildPeer({
        name: prepared.name,
        folder: prepared.folder,
        program: options.program,
        onDeath: (name, tail) => options.died.reject(new Error(`Peer ${name} ended unexpectedly:\n${tail.join('\n')}`)),
      }),
    });
  }
  await screen.step('Starting the peers and electing a leader', () =>
    Promise.all(peers.map((peer) => peer.process.start())),
  );

  const [first] = peers;
  if (first === undefined) return;
  const directory = contentDirectory(options.program);
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
  if (options.isTour) await tour(screen, peers, added);
  else showHowToGoOn(screen, peers, added, options.program);
}

async function showStatus(screen: Screen, peer: DemoPeer, cid: string): Promise<void> {
  screen.title(`Status of ${cid}`);
  for (const state of await status(peer.apiUrl, cid))
    screen.line(`${state.peername.padEnd(8)} ${state.status.toUpperCase()} ${state.error}`);
}

function showHowToGoOn(
  screen: Screen,
  peers: readonly DemoPeer[],
  added: AddedDirectory,
  program: readonly [string, ...string[]],
): void {
  screen.title('Addresses');
  for (const peer of peers) {
    screen.line(
      `${peer.name}: HTTP API ${peer.apiAddress}, IPFS proxy ${peer.proxyAddress}, IPFS node ${peer.ipfsAddress}`,
    );
  }
  const host = peers[0]?.apiAddress ?? '';
  screen.title('Go on in another terminal');
  // By full names: the Node that runs this may not be the one that the next terminal finds.
  const ctl = [process.execPath, join(packageFolder(program), 'bin', 'ipfs-cluster-ctl.cjs'), '--host', host];
  screen.command(`alias ctl="${ctl.map((word) => `'${word}'`).join(' ')}"`);
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

/** This project's own sources; what the published package holds where they are not. */
function contentDirectory(program: readonly [string, ...string[]]): string {
  const sources = join(packageFolder(program), 'src');
  return existsSync(sources) ? sources : join(packageFolder(program), 'dist');
}

/** The program is `<package>/bin/<name>.cjs`. */
function packageFolder(program: readonly [string, ...string[]]): string {
  return dirname(dirname(resolve(program[0])));
}

function formatSize(bytes: number): string {
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(0)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
