/**
 * The folder of a Raft peer: `log` and `state`, always moved together, for a state without its log is worth nothing.
 * Backups are siblings `<folder>.old.0` (the newest) and up. Source: Go `consensus/raft/data_helper.go`.
 */
import { access, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorCode, errorMessage, OperatingError } from '../../base/index.ts';
import type { Datastore } from '../../cluster/ports.ts';
import { openDatastore } from './level-datastore.ts';
import { type ClosableLogStore, openLogStore } from './level-log-store.ts';

/** Both databases of a Raft peer. */
export interface RaftData {
  readonly log: ClosableLogStore;
  readonly state: Datastore;
}

/** The place of a peer's log and state. */
export interface RaftFolder {
  readonly path: string;
  /**
   * Opens both databases, made when absent; the caller closes them.
   * Errors: `store/locked`, `store/damaged`, `store/io`, and `store/foreign` when the folder holds data of the Go program.
   */
  open(): Promise<RaftData>;
  /**
   * Renames the folder to the newest backup and drops the oldest ones; only while closed. Nothing there is success.
   * Errors: `store/io`.
   */
  moveAway(): Promise<void>;
}

/** `backupsRotate`: how many backups are kept, at least 1; Go's default is 6. */
export function createRaftFolder(path: string, options: { readonly backupsRotate: number }): RaftFolder {
  return {
    path,
    open: () => openRaftData(path),
    moveAway: () => rotate(path, options.backupsRotate),
  };
}

async function openRaftData(path: string): Promise<RaftData> {
  if (await exists(join(path, 'raft.db'))) {
    const text = `Cannot open "${path}": it holds raft.db of the Go program; export its state there and import it here`;
    throw new OperatingError('store/foreign', text);
  }
  await attempt(`Cannot make "${path}"`, () => mkdir(path, { recursive: true, mode: 0o700 }));
  const log = await openLogStore(join(path, 'log'));
  try {
    return { log, state: await openDatastore(join(path, 'state')) };
  } catch (error) {
    await log.close();
    throw error;
  }
}

async function rotate(path: string, backupsRotate: number): Promise<void> {
  await attempt(`Cannot back up "${path}"`, async () => {
    if (!(await exists(path))) return;
    const numbers = await backupNumbers(path);
    // The oldest first, so that no name is taken when it is needed.
    for (const number of numbers.sort((a, b) => b - a)) {
      const from = `${path}.old.${number}`;
      if (number + 1 >= backupsRotate) await rm(from, { recursive: true, force: true });
      else await rename(from, `${path}.old.${number + 1}`);
    }
    await rename(path, `${path}.old.0`);
  });
}

async function backupNumbers(path: string): Promise<number[]> {
  const prefix = `${basename(path)}.old.`;
  const numbers: number[] = [];
  for (const name of await readdir(dirname(path))) {
    const suffix = name.startsWith(prefix) ? name.slice(prefix.length) : '';
    if (/^\d{1,6}$/.test(suffix)) numbers.push(Number(suffix));
  }
  return numbers;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    (error: unknown) => errorCode(error) !== 'ENOENT' && errorCode(error) !== 'ENOTDIR',
  );
}

async function attempt<T>(action: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw new OperatingError('store/io', `${action}: ${errorMessage(error)}`, { cause: error });
  }
}
