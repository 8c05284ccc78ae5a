/** What this disk does, measured in the same run as what is compared with it. */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const syncCount = 300;

/** Sequential syncs of 200-byte appends per second: the most that a writer without group commit could acknowledge. */
export async function syncsPerSecond(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-bench-'));
  try {
    const file = await open(join(folder, 'log'), 'w');
    const bytes = new Uint8Array(200);
    const startedAt = performance.now();
    for (let i = 0; i < syncCount; i++) {
      await file.write(bytes);
      await file.datasync();
    }
    const seconds = (performance.now() - startedAt) / 1000;
    await file.close();
    return syncCount / seconds;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
