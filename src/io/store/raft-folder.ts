/**
 * The folder of a Raft peer: `log`, `state` and `snapshots`, always moved together, for a state without its log is worth nothing.
 * Backups are siblings `<folder>.old.0` (the newest) and up. Source: Go `consensus/raft/data_helper.go`.
 */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, type Logger, OperatingError, silentLogger } from '../../base/index.ts';
import type { Datastore } from '../../cluster/ports.ts';
import type { LogOp, PreviousLog, SnapshotStore } from '../../core/raft/index.ts';
import { rotateBackups } from './backups.ts';
import { checkedDatastore } from './checked-datastore.ts';
import { attempt } from './errors.ts';
import { systemFiles } from './files.ts';
import { openDatastore } from './level-datastore.ts';
import { type ClosableLogStore, openLogStore } from './log-store.ts';
import { beginAnew, readPreviousLog, removePreviousLog } from './previous-log.ts';
import { adoptStage, clearStage, finishAdoption, stagePath } from './replacement.ts';
import { openSnapshotStore } from './snapshot-store.ts';

/** All that a Raft peer has on disk. */
export interface RaftData {
  readonly log: ClosableLogStore;
  /** Closes the log as well: its lock is that of the folder. */
  readonly state: Datastore;
  readonly snapshots: SnapshotStore;
  /** What is remembered of a log that was put away before this one began. */
  readonly previousLog: PreviousLog | undefined;
}

/** The place of a peer's data. */
export interface RaftFolder {
  readonly path: string;
  /**
   * Opens everything, made when absent; the caller closes log and state.
   * Errors: `store/locked`, `store/damaged`, `store/full`, `store/io`, and `store/foreign` when the folder holds data of the Go
   * program.
   */
  open(): Promise<RaftData>;
  /** Opens the state alone, to be read when the rest cannot be opened. Errors: as of `open`. */
  openState(): Promise<Datastore>;
  /**
   * Renames the folder to the newest backup and drops the oldest ones; only while closed. Nothing there is success. A crash in the
   * middle leaves every backup that is to be kept, and the folder under its name or as the newest backup.
   * Errors: `store/full`, `store/io`.
   */
  moveAway(): Promise<void>;
  /**
   * Makes the data the newest backup, and puts in its place a log of one write and what shall be remembered of the log before it; only
   * while closed. A crash leaves the old data or the new. Errors: `store/full`, `store/io`.
   */
  beginAnew(ops: readonly LogOp[], previous: PreviousLog | undefined): Promise<void>;
  /** What is remembered of a log that was put away is of no use any more. Durable. Errors: `store/io`. */
  forgetPreviousLog(): Promise<void>;
  /** Whether there is any data. Errors: `store/full`, `store/io`. */
  hasData(): Promise<boolean>;
  /** An empty place beside this one, for data that shall replace the data here. Errors: `store/io`. */
  stage(): Promise<RaftFolder>;
  /**
   * Puts the data of the stage in the place of the data here, which becomes the newest backup; only while both are closed.
   * A crash leaves the old data or the new. Errors: `store/full`, `store/io`.
   */
  adopt(): Promise<void>;
  /**
   * Writes a file of 16 MiB beside the data, syncs it, and removes it: whether the disk takes writes again, and has room for what
   * opening the data writes, which is a few MiB.
   * Errors: `store/full`, `store/io`.
   */
  probe(): Promise<void>;
}

/** How a folder is kept. */
export interface RaftFolderOptions {
  /** How many backups are kept, at least 1; Go's default is 6. */
  readonly backupsRotate: number;
  /** How many snapshots are kept, at least 1. Default 5. Source: Go `raft.go` `RaftMaxSnapshots`. */
  readonly snapshotsRetained?: number;
  /** Is told of snapshots that cannot be read. */
  readonly logger?: Logger;
}

const snapshotsRetainedDefault = 5;
const probeName = 'probe.tmp';
const probeChunk = new Uint8Array(1 << 20);
const probeChunks = 16;

/** Names the folder; nothing is read or made before `open`. */
export function createRaftFolder(path: string, options: RaftFolderOptions): RaftFolder {
  const rotate = (): Promise<void> => rotateBackups(path, options.backupsRotate, systemFiles);
  const settle = (): Promise<void> => finishAdoption(path, rotate, systemFiles);
  const placing = `Cannot put the new data in the place of "${path}"`;
  return {
    path,
    open: async () => {
      await attempt(placing, settle);
      return await openRaftData(path, options);
    },
    openState: () => openState(path),
    beginAnew: async (ops, previous) => {
      await attempt(placing, settle);
      await attempt(`Cannot put the data in "${path}" away`, () => beginAnew(path, ops, previous, rotate, systemFiles));
    },
    forgetPreviousLog: () => attempt(`Cannot write to "${path}"`, () => removePreviousLog(path, systemFiles)),
    hasData: async () => {
      await attempt(placing, settle);
      return await exists(path);
    },
    moveAway: async () => {
      await attempt(placing, settle);
      await attempt(`Cannot back up "${path}"`, rotate);
    },
    stage: async () => {
      await attempt(`Cannot remove "${stagePath(path)}"`, () => clearStage(path, systemFiles));
      return createRaftFolder(stagePath(path), options);
    },
    adopt: () => attempt(placing, () => adoptStage(path, rotate, systemFiles)),
    probe: () => attempt(`Cannot write to "${path}"`, () => probe(path)),
  };
}

async function openRaftData(path: string, options: RaftFolderOptions): Promise<RaftData> {
  const { snapshotsRetained = snapshotsRetainedDefault, logger = silentLogger } = options;
  if (await exists(join(path, 'raft.db'))) {
    const text = `Cannot open "${path}": it holds raft.db of the Go program; export its state there and import it here`;
    throw new OperatingError('store/foreign', text);
  }
  await attempt(`Cannot make "${path}"`, () => systemFiles.makeFolder(path));
  // First, because LevelDB locks its folder, and thereby all of this one.
  const state = await openState(path);
  try {
    // A crash may have left it.
    await attempt(`Cannot open "${path}"`, () => systemFiles.remove(join(path, probeName)));
    const previousLog = await attempt(`Cannot read "${path}"`, () => readPreviousLog(path, systemFiles));
    const log = await openLogStore(join(path, 'log'));
    const deps = { files: systemFiles, logger, wallMs: Date.now };
    const snapshots = await openSnapshotStore(join(path, 'snapshots'), { snapshotsRetained }, deps);
    return { log, state: closingAfter(log, state), snapshots, previousLog };
  } catch (error) {
    await state.close();
    throw error;
  }
}

async function openState(path: string): Promise<Datastore> {
  const folder = join(path, 'state');
  return checkedDatastore(await openDatastore(folder), folder);
}

/** The same state, which gives its lock back when the log is closed. */
function closingAfter(log: ClosableLogStore, state: Datastore): Datastore {
  return {
    get: (key) => state.get(key),
    batch: (ops, options) => state.batch(ops, options),
    scan: (range, options) => state.scan(range, options),
    scanText: (range, options) => state.scanText(range, options),
    async close() {
      try {
        await log.close();
      } finally {
        await state.close();
      }
    },
  };
}

async function probe(path: string): Promise<void> {
  const name = join(path, probeName);
  await systemFiles.makeFolder(path);
  await systemFiles.remove(name);
  try {
    const file = await systemFiles.open(name, 'create');
    try {
      await file.write(Array<Uint8Array>(probeChunks).fill(probeChunk), 0);
      await file.sync();
    } finally {
      await file.close();
    }
  } finally {
    await systemFiles.remove(name);
  }
  await systemFiles.syncFolder(path);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    (error: unknown) => errorCode(error) !== 'ENOENT' && errorCode(error) !== 'ENOTDIR',
  );
}
