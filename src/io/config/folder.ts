/** Where the files of a peer are. Source: Go `cmdutils/cmdutils.go`, `docs` "Configuration folder". */
import { mkdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { errorCode, errorMessage } from '../../base/index.ts';
import type { ServiceConfig } from '../../model/config/index.ts';
import { badFile } from './errors.ts';

/** Absolute paths. */
export interface PeerFolder {
  readonly path: string;
  readonly configFile: string;
  readonly identityFile: string;
  readonly lockFile: string;
  /** Of peers without a configuration file. */
  readonly secretFile: string;
  readonly peerstoreFile: string;
  /** What an operator has told the peer to hold; not always there. */
  readonly cordonFile: string;
  /** Tokens that count no more; not always there. */
  readonly revocationFile: string;
  /** Raft's log and the pinset; moved to `<raftFolder>.old.<n>` when the peer starts anew. */
  readonly raftFolder: string;
  /** The embedded IPFS node's repo. */
  readonly ipfsRepoFolder: string;
}

/** `--config`, else `IPFS_CLUSTER_PATH`, else `~/.ipfs-cluster`. */
export function defaultFolderPath(environment: Readonly<Record<string, string | undefined>>): string {
  const chosen = environment.IPFS_CLUSTER_PATH;
  return resolve(chosen === undefined || chosen === '' ? join(homedir(), '.ipfs-cluster') : chosen);
}

/** The places of a folder; what the configuration can move is at its default without one. */
export function peerFolder(folder: string, config?: ServiceConfig): PeerFolder {
  const path = resolve(folder);
  const dataFolder = config?.raft?.dataFolder ?? '';
  return {
    path,
    configFile: join(path, 'service.json'),
    identityFile: join(path, 'identity.json'),
    lockFile: join(path, 'cluster.lock'),
    secretFile: join(path, 'secret'),
    // As in the Go peer, an absolute name does not leave the folder either.
    peerstoreFile: join(path, config?.cluster.peerstoreFile ?? 'peerstore'),
    cordonFile: join(path, 'cordon.json'),
    revocationFile: join(path, 'revoked-tokens.json'),
    // As in the Go peer, a relative folder is relative to the working directory.
    raftFolder: dataFolder === '' ? join(path, 'raft') : resolve(dataFolder),
    ipfsRepoFolder: resolve(path, config?.embedded?.repoFolder ?? 'ipfs'),
  };
}

/** Makes the folder and those above it that are missing, for their owner only. Throws `config/bad-file`. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await makeMissing(resolve(path));
  } catch (error) {
    if (errorCode(error) === 'config/bad-file') throw error;
    throw badFile(path, `the folder cannot be made: ${errorMessage(error)}`, error);
  }
}

/**
 * `mkdir` of Node with `recursive` takes "no such file" for a missing parent and tries for ever where a file system answers that
 * below a parent that is there, as /proc does; on a read-only one it tells a wrong cause.
 */
async function makeMissing(path: string, isParentThere = false): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
    return;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') {
      if ((await stat(path)).isDirectory()) return;
      throw badFile(path, 'is a file, expected a folder', error);
    }
    if (errorCode(error) !== 'ENOENT' || isParentThere) throw error;
  }
  await makeMissing(dirname(path));
  await makeMissing(path, true);
}
