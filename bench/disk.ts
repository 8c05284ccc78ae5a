/** What this disk does, measured in the same run as what is compared with it. */
import { constants } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const syncCount = 300;
const syncedBytesMax = 128 << 20;
const sequentialBytes = 128 << 20;
const chunkBytes = 1 << 20;

/** Ways to make a write durable. */
export interface SyncOptions {
  /** Of each write. Default 200. */
  readonly bytes?: number;
  /** Over bytes that are on disk already, so that the file does not grow. Default false. */
  readonly isInPlace?: boolean;
  /** Write and sync are one system call (O_DSYNC), where the system has it. Default false. */
  readonly isOneCall?: boolean;
}

/** Writes per second of which each is synced before the next: the most that a writer without group commit could do. */
export async function syncsPerSecond(options: SyncOptions = {}): Promise<number> {
  const { bytes: size = 200, isInPlace = false, isOneCall = false } = options;
  const count = Math.max(1, Math.min(syncCount, Math.floor(syncedBytesMax / size)));
  return inNewFile(isOneCall ? (constants.O_DSYNC ?? 0) : 0, async (file) => {
    if (isInPlace) await file.write(new Uint8Array(count * size), 0, count * size, 0);
    await file.sync();
    const bytes = new Uint8Array(size).fill(1);
    const startedAt = performance.now();
    for (let i = 0; i < count; i++) {
      await file.write(bytes, 0, size, i * size);
      if (!isOneCall) await file.datasync();
    }
    return (count * 1000) / (performance.now() - startedAt);
  });
}

/** Bytes written one after the other and synced once. */
export async function bytesPerSecond(): Promise<number> {
  return inNewFile(0, async (file) => {
    const bytes = new Uint8Array(chunkBytes).fill(1);
    const startedAt = performance.now();
    for (let written = 0; written < sequentialBytes; written += chunkBytes) await file.write(bytes);
    await file.datasync();
    return (sequentialBytes * 1000) / (performance.now() - startedAt);
  });
}

async function inNewFile<T>(flags: number, act: (file: FileHandle) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-bench-'));
  try {
    const file = await open(join(folder, 'log'), constants.O_RDWR | constants.O_CREAT | flags);
    try {
      return await act(file);
    } finally {
      await file.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
