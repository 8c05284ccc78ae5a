/** Where the files of a peer are. Source: Go `cmdutils/cmdutils.go`, `docs` "Configuration folder". */
import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { ServiceConfig } from '../../model/config/index.ts';
import { inFile } from './errors.ts';

/** Absolute paths. */
export interface PeerFolder {
  readonly path: string;
  readonly configFile: string;
  readonly identityFile: string;
  readonly lockFile: string;
  /** Of peers without a configuration file. */
  readonly secretFile: string;
  readonly peerstoreFile: string;
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
    // As in the Go peer, a relative folder is relative to the working directory.
    raftFolder: dataFolder === '' ? join(path, 'raft') : resolve(dataFolder),
    ipfsRepoFolder: resolve(path, config?.embedded?.repoFolder ?? 'ipfs'),
  };
}

/** Makes the folder, for its owner only. Throws `config/bad-file`. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw inFile(path, error);
  }
}
