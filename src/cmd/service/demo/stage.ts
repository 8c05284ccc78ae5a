/** What every demo stands on: peers in processes of their own below one folder, a screen, and an end that leaves nothing. */
import { existsSync, realpathSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { makeFolder } from '../../../io/config/index.ts';
import type { ServiceConfig } from '../../../model/config/index.ts';
import { startCaretaker } from './caretaker.ts';
import { type ChildPeer, createChildPeer } from './child.ts';
import { createScreen, type Screen } from './screen.ts';
import { type DemoFolder, prepareFolders } from './setup.ts';

/** Script that runs this program, and what comes before the command on its command line. */
export type Program = readonly [string, ...string[]];

export interface StageOptions {
  /** Kept after the end; a temporary folder that is removed when absent. */
  readonly dir?: string;
  /** For the peers' processes. */
  readonly program: Program;
  readonly output: NodeJS.WriteStream;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

export interface DemoPeer extends DemoFolder {
  readonly process: ChildPeer;
}

export interface Stage {
  readonly screen: Screen;
  readonly program: Program;
  /** Writes the folders of so many peers and starts them as one cluster; `change` as in `prepareFolders`. Once. */
  startPeers(count: number, change?: (config: ServiceConfig) => ServiceConfig): Promise<readonly DemoPeer[]>;
}

export type Ending = 'played' | 'interrupted' | 'failed';

/**
 * Plays until the play ends or fails, a peer dies that nobody has killed, or the signal comes; then all peers are stopped. What the
 * play is doing at that moment may go on, and fail against stopped peers: the process should be ended.
 */
export async function onStage(options: StageOptions, play: (stage: Stage) => Promise<void>): Promise<Ending> {
  const screen = createScreen(options.output);
  /** For what comes after the play. */
  const last = createScreen(options.output);
  const isTemporary = options.dir === undefined;
  const folder = isTemporary ? await mkdtemp(join(tmpdir(), 'ipfs-cluster-demo-')) : resolve(options.dir);
  const caretaker = startCaretaker(folder);
  if (!isTemporary) caretaker.keep();
  const peers: DemoPeer[] = [];
  const over = new AbortController();
  const died = Promise.withResolvers<never>();
  died.promise.catch(() => {});
  const interrupted = new Promise<'interrupted'>((resolve) => {
    if (options.signal.aborted) resolve('interrupted');
    options.signal.addEventListener('abort', () => resolve('interrupted'), { once: true });
  });
  const startPeers: Stage['startPeers'] = async (count, change) => {
    await makeFolder(folder);
    const folders = await screen.step(
      'Writing configurations and keys',
      () => prepareFolders(folder, count, change),
      () => folder,
    );
    for (const prepared of folders) {
      const child = createChildPeer({
        name: prepared.name,
        folder: prepared.folder,
        program: options.program,
        caretaker,
        onDeath: (name, tail) => died.reject(new Error(`Peer ${name} ended unexpectedly:\n${tail.join('\n')}`)),
        signal: over.signal,
      });
      peers.push({ ...prepared, process: child });
    }
    await screen.step('Starting the peers and electing a leader', () =>
      Promise.all(peers.map((peer) => peer.process.start())),
    );
    return peers;
  };
  try {
    const played = play({ screen, program: options.program, startPeers }).then((): Ending => 'played');
    // After the end nobody waits for it any more.
    played.catch(() => {});
    return await Promise.race([played, interrupted, died.promise]);
  } catch (error) {
    caretaker.keep();
    screen.close();
    last.line('');
    last.line(error instanceof Error ? error.message : String(error));
    if (peers.length > 0) last.line(`Logs: ${peers.map((peer) => join(peer.folder, 'daemon.log')).join(', ')}`);
    return 'failed';
  } finally {
    over.abort();
    screen.close();
    last.line('');
    await last.step('Stopping the peers', async () => {
      await Promise.all(peers.map((peer) => peer.process.stop()));
    });
  }
}

/** The program is `<package>/bin/<name>.cjs`; npm starts it by a link elsewhere. */
export function packageFolder(program: Program): string {
  return dirname(dirname(realpathSync(program[0])));
}

/** Real content: this project's own sources; what the published package holds where they are not. */
export function contentDirectory(program: Program): string {
  const sources = join(packageFolder(program), 'src');
  return existsSync(sources) ? sources : join(packageFolder(program), 'dist');
}

export function formatSize(bytes: number): string {
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(0)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
