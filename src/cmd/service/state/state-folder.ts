/** What all `state` commands begin with: the lock, the configuration, and whether the peer runs. */
import { hostname } from 'node:os';
import { errorCode, errorMessage, type Logger } from '../../../base/index.ts';
import {
  type FolderLock,
  type LoadedPeer,
  loadPeer,
  lockFolder,
  lockFolderToRead,
  peerFolder,
} from '../../../io/config/index.ts';
import { createRaftFolder, type RaftFolder } from '../../../io/store/index.ts';
import type { Environment, RaftConfig } from '../../../model/config/index.ts';
import { attempt, Failure } from '../failure.ts';

/** The world of a `state` command. */
export interface StateDeps {
  readonly folderPath: string;
  readonly environment: Environment;
  /** A line for the user, on stderr. */
  readonly tell: (line: string) => void;
}

/** A peer's folder, read. */
export interface StateFolder {
  readonly loaded: LoadedPeer;
  readonly raft: RaftConfig;
  readonly raftFolder: RaftFolder;
  readonly log: Logger;
}

/** Runs `act` on a folder that nobody else uses meanwhile; a running peer is refused. Throws `Failure`. */
export async function withLockedFolder<T>(deps: StateDeps, act: (folder: StateFolder) => Promise<T>): Promise<T> {
  const lock = await attempt('obtaining execution lock', () => lockFolder(peerFolder(deps.folderPath)));
  return await heldFor(lock, async () => act(await loadState(deps)));
}

/**
 * The same when the peer does not run; when it does, `ask` is called, who can ask it. Another command that is at work on the
 * folder looks like a running peer here.
 */
export async function withFolder<T>(
  deps: StateDeps,
  { read, ask }: { read(folder: StateFolder): Promise<T>; ask(folder: StateFolder): Promise<T> },
): Promise<T> {
  let lock: FolderLock;
  try {
    lock = await lockFolderToRead(peerFolder(deps.folderPath));
  } catch (error) {
    if (errorCode(error) !== 'config/locked') throw new Failure('obtaining execution lock', error);
    return await ask(await loadState(deps));
  }
  return await heldFor(lock, async () => read(await loadState(deps)));
}

async function heldFor<T>(lock: FolderLock, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } finally {
    await lock.release();
  }
}

async function loadState({ folderPath, environment, tell }: StateDeps): Promise<StateFolder> {
  const loaded = await attempt('loading configurations', () =>
    loadPeer(folderPath, { environment, hostname: hostname(), warn: tell }),
  );
  const { raft } = loaded.config;
  const file = loaded.folder.configFile;
  if (raft === undefined) {
    throw new Failure('choosing consensus', new Error(`${file}: only the state of Raft peers can be managed yet`));
  }
  return {
    loaded,
    raft,
    raftFolder: createRaftFolder(loaded.folder.raftFolder, { backupsRotate: raft.backupsRotate }),
    log: toldLogger(tell),
  };
}

/** Problems become lines for the user. */
function toldLogger(tell: (line: string) => void): Logger {
  const line =
    (level: string) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      const parts = Object.entries(fields).map(
        ([name, value]) => `${name}: ${typeof value === 'object' ? errorMessage(value) : value}`,
      );
      tell([`${level}: ${message}`, ...parts].join(', '));
    };
  const logger: Logger = {
    error: line('error'),
    warn: line('warning'),
    info: () => {},
    debug: () => {},
    scope: () => logger,
  };
  return logger;
}
