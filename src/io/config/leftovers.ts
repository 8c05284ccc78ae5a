/** Files and folders of processes that were killed before they could remove them. */
import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorCode } from '../../base/index.ts';

/** As `writeText` calls what is not finished. */
const unfinished = /^.+\.[0-9a-f]{12}\.tmp$/;
/** As `makeTemporaryFolder` calls them: with the process that uses them, and what numbers its processes. */
const temporary = /^ipfs-cluster-(?:lock|state)-([0-9]+)\.([0-9]+)-[A-Za-z0-9]{6}$/;

/** Of this process: one before it may have had its number, as the first in a container has. */
const own = new Set<string>();

/** A new folder among the temporary files, for this process. */
export async function makeTemporaryFolder(purpose: 'lock' | 'state'): Promise<string> {
  const beginning = `ipfs-cluster-${purpose}-${await numberingOfProcesses()}.${process.pid}-`;
  const path = await mkdtemp(join(tmpdir(), beginning));
  own.add(path);
  return path;
}

/** Of a peer's folder, by whoever holds its lock. What cannot be removed harms nobody. */
export async function removeLeftovers(path: string): Promise<void> {
  const numbering = await numberingOfProcesses();
  await removeAmong(path, (name) => unfinished.test(name));
  await removeAmong(tmpdir(), (name) => {
    const [, at, pid] = temporary.exec(name) ?? [];
    if (at !== numbering) return false;
    return Number(pid) === process.pid ? !own.has(join(tmpdir(), name)) : !isRunning(Number(pid));
  });
}

async function removeAmong(folder: string, isLeft: (name: string) => boolean): Promise<void> {
  try {
    for (const name of (await readdir(folder)).filter(isLeft)) {
      await rm(join(folder, name), { recursive: true, force: true });
    }
  } catch {
    // Somebody else's, or on a disk that fails: whoever needs the folder will be told of it.
  }
}

/** Containers that share their temporary files may number their processes each for itself. */
async function numberingOfProcesses(): Promise<string> {
  try {
    return /[0-9]+/.exec(await readlink('/proc/self/ns/pid'))?.[0] ?? '0';
  } catch {
    // A system without namespaces has one numbering.
    return '0';
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's.
    return errorCode(error) === 'EPERM';
  }
}
