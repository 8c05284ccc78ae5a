/**
 * One process per folder.
 *
 * The lock is a POSIX record lock on `cluster.lock`, the very lock that the Go peer takes (Go `cmd/ipfs-cluster-service/
 * lock.go`, danjacques/gofslock): it excludes Go processes as well, and the system drops it when the process ends in
 * whatever way, so nothing stale can block. Node has no call for such locks, but LevelDB takes exactly this one on its file
 * `LOCK`: an empty database is opened whose `LOCK` is a link to `cluster.lock`. Windows has no such links for ordinary
 * users; there LevelDB locks its own file, which excludes other peers of ours.
 *
 * That database is beside `cluster.lock`, or, when it cannot be written there because the disk is full, among the temporary files:
 * the lock is the same.
 */
import { access, constants, mkdir, readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { errorCode, errorMessage, type OperatingError } from '../../base/index.ts';
import { badFile, locked } from './errors.ts';
import { makeFolder, type PeerFolder } from './folder.ts';
import { makeTemporaryFolder, removeLeftovers } from './leftovers.ts';

/** Held until it is released or the process ends. */
export interface FolderLock {
  /** Idempotent. The file stays; empty it means nothing. */
  release(): Promise<void>;
}

/** Files locked by this process from elsewhere: the system sees no two owners in one process. */
const lockedHere = new Set<string>();

/**
 * Makes the folder if need be, and removes what killed processes have left behind. Throws `config/locked`, or `config/bad-file` when the
 * folder cannot be written.
 */
export async function lockFolder(folder: PeerFolder): Promise<FolderLock> {
  const lock = await obtainLock(folder);
  await removeLeftovers(folder.path);
  return lock;
}

async function obtainLock(folder: PeerFolder): Promise<FolderLock> {
  await makeFolder(folder.path);
  if (lockedHere.has(folder.lockFile)) throw locked(folder.path);
  if (await isReadOnly(folder.path)) throw badFile(folder.path, 'cannot be locked: it is on a read-only file system');
  const place = join(folder.path, 'lock');
  const target = join('..', 'cluster.lock');
  try {
    return await openLock(folder, place, target);
  } catch (error) {
    if (errorCode(error) === 'config/locked') throw error;
  }
  // A power cut can damage even an empty database. It holds nothing, and the lock itself is on the other file.
  try {
    await rm(place, { recursive: true, force: true });
    return await openLock(folder, place, target);
  } catch (error) {
    if (errorCode(error) === 'config/locked') throw error;
    if (process.platform !== 'win32' && isFull(error)) return await lockFromElsewhere(folder);
    throw cannotLock(folder, error);
  }
}

/**
 * The same for someone who only reads: on a file system that is read-only here, where nothing can be locked, nothing needs to be.
 * Throws `config/locked`, `config/bad-file`.
 */
export async function lockFolderToRead(folder: PeerFolder): Promise<FolderLock> {
  if (await isReadOnly(folder.path)) return { release: async () => {} };
  return await lockFolder(folder);
}

/** Whether the file system of a path takes no writes at all. */
async function isReadOnly(path: string): Promise<boolean> {
  return await access(path, constants.W_OK).then(
    () => false,
    (error: unknown) => errorCode(error) === 'EROFS',
  );
}

async function lockFromElsewhere(folder: PeerFolder): Promise<FolderLock> {
  let place: string | undefined;
  const remove = async (): Promise<void> => {
    lockedHere.delete(folder.lockFile);
    if (place !== undefined) await rm(place, { recursive: true, force: true });
  };
  lockedHere.add(folder.lockFile);
  try {
    place = await makeTemporaryFolder('lock');
    const lock = await openLock(folder, place, folder.lockFile);
    return { release: () => lock.release().then(remove) };
  } catch (error) {
    await remove();
    throw errorCode(error) === 'config/locked' ? error : cannotLock(folder, error);
  }
}

async function openLock(folder: PeerFolder, place: string, target: string): Promise<FolderLock> {
  await mkdir(place, { recursive: true, mode: 0o700 });
  if (process.platform !== 'win32') await link(target, join(place, 'LOCK'));
  const database = new ClassicLevel(place);
  try {
    await database.open();
  } catch (error) {
    throw errorCode(rootCause(error)) === 'LEVEL_LOCKED' ? locked(folder.path) : error;
  }
  return { release: () => database.close() };
}

function cannotLock(folder: PeerFolder, error: unknown): OperatingError {
  return badFile(folder.lockFile, `cannot be locked: ${errorMessage(rootCause(error))}`, error);
}

/** LevelDB tells it in the system's words only. */
function isFull(error: unknown): boolean {
  return /ENOSPC|EDQUOT|no space left on device|disk quota exceeded/i.test(errorMessage(rootCause(error)));
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
