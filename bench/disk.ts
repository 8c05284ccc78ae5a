/** What this disk does, measured in the same run as what is compared with it. */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const syncCount = 300;
const sequentialBytes = 128 << 20;
const chunkBytes = 1 << 20;

/** Sequential syncs of appends, of 200 bytes unless said otherwise: the most that a writer without group commit could do. */
export async function syncsPerSecond(bytesPerSync: number = 200): Promise<number> {
  return inNewFile(async (file) => {
    const bytes = new Uint8Array(bytesPerSync);
    const startedAt = performance.now();
    for (let i = 0; i < syncCount; i++) {
      await file.write(bytes);
      await file.datasync();
    }
    return (syncCount * 1000) / (performance.now() - startedAt);
  });
}

/** Bytes written one after the other and synced once. */
export async function bytesPerSecond(): Promise<number> {
  return inNewFile(async (file) => {
    const bytes = new Uint8Array(chunkBytes).fill(1);
    const startedAt = performance.now();
    for (let written = 0; written < sequentialBytes; written += chunkBytes) await file.write(bytes);
    await file.datasync();
    return (sequentialBytes * 1000) / (performance.now() - startedAt);
  });
}

async function inNewFile<T>(act: (file: Awaited<ReturnType<typeof open>>) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-bench-'));
  try {
    const file = await open(join(folder, 'log'), 'w');
    try {
      return await act(file);
    } finally {
      await file.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
