/**
 * One process per folder.
 *
 * The lock is a POSIX record lock on `cluster.lock`, the very lock that the Go peer takes (Go `cmd/ipfs-cluster-service/
 * lock.go`, danjacques/gofslock): it excludes Go processes as well, and the system drops it when the process ends in
 * whatever way, so nothing stale can block. Node has no call for such locks, but LevelDB takes exactly this one on its file
 * `LOCK`: an empty database is opened whose `LOCK` is a link to `cluster.lock`. Windows has no such links for ordinary
 * users; there LevelDB locks its own file, which excludes other peers of ours.
 */
import { mkdir, readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { errorCode, errorMessage } from '../../base/index.ts';
import { badFile, locked } from './errors.ts';
import { makeFolder, type PeerFolder } from './folder.ts';

/** Held until it is released or the process ends. */
export interface FolderLock {
  /** Idempotent. The file stays; empty it means nothing. */
  release(): Promise<void>;
}

/** Makes the folder if need be. Throws `config/locked`, or `config/bad-file` when the folder cannot be written. */
export async function lockFolder(folder: PeerFolder): Promise<FolderLock> {
  await makeFolder(folder.path);
  const place = join(folder.path, 'lock');
  try {
    return await openLock(folder, place);
  } catch (error) {
    if (errorCode(error) === 'config/locked') throw error;
  }
  // A power cut can damage even an empty database. It holds nothing, and the lock itself is on the other file.
  try {
    await rm(place, { recursive: true, force: true });
    return await openLock(folder, place);
  } catch (error) {
    if (errorCode(error) === 'config/locked') throw error;
    throw badFile(folder.lockFile, `cannot be locked: ${errorMessage(rootCause(error))}`, error);
  }
}

async function openLock(folder: PeerFolder, place: string): Promise<FolderLock> {
  await mkdir(place, { recursive: true, mode: 0o700 });
  if (process.platform !== 'win32') await link(join('..', 'cluster.lock'), join(place, 'LOCK'));
  const database = new ClassicLevel(place);
  try {
    await database.open();
  } catch (error) {
    throw errorCode(rootCause(error)) === 'LEVEL_LOCKED' ? locked(folder.path) : error;
  }
  return { release: () => database.close() };
}

/** Makes the link; one that is there must lead to the same place. */
async function link(target: string, path: string): Promise<void> {
  try {
    await symlink(target, path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    if ((await readlink(path)) !== target) throw badFile(path, `expected a link to ${target}`, error);
  }
}

function rootCause(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootCause(error.cause) : error;
}
