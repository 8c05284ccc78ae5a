import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { hash } from 'node:crypto';
import { appendFile, mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorCode, SeededRandom, silentLogger } from '../../base/index.ts';
import { BlockRepo } from './block-repo.ts';

async function withFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'block-repo-'));
  try {
    await act(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function block(seed: number, sizeBytes: number): { key: Uint8Array; data: Uint8Array } {
  const random = new SeededRandom(seed);
  const data = new Uint8Array(sizeBytes);
  for (let i = 0; i < sizeBytes; i++) data[i] = random.integer(256);
  return { key: keyOf(data), data };
}

function keyOf(data: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(0x12, 0x20), hash('sha256', data, 'buffer')]);
}

const open = (folder: string, freeBytes?: () => Promise<number>): Promise<BlockRepo> =>
  BlockRepo.open({ folder, logger: silentLogger, ...(freeBytes === undefined ? {} : { freeBytes }) });

test('BlockRepo keeps blocks of all sizes over a restart', () =>
  withFolder(async (folder) => {
    const blocks = [0, 1, 100, 8192, 8193, 262_144, 3_000_000].map((size, i) => block(i, size));
    let repo = await open(folder);
    await Promise.all(blocks.map(({ key, data }) => repo.put(key, data)));
    await repo.flush();
    for (let round = 0; round < 2; round++) {
      for (const { key, data } of blocks) {
        assert.equal(repo.has(key), true);
        assert.equal(repo.size(key), data.length);
        assert.deepEqual(Buffer.from((await repo.get(key)) ?? []), Buffer.from(data));
      }
      assert.equal(repo.counters().blockCount, blocks.length);
      await repo.close();
      repo = await open(folder);
    }
    assert.equal(await repo.get(block(99, 10).key), undefined);
    await repo.close();
  }));

test('BlockRepo counts a block once that is put twice at once and again', () =>
  withFolder(async (folder) => {
    const repo = await open(folder);
    const { key, data } = block(1, 500);
    await Promise.all([repo.put(key, data), repo.put(key.slice(), data), repo.flush()]);
    await repo.put(key, data);
    assert.equal(repo.counters().blockCount, 1);
    await repo.close();
  }));

test('BlockRepo refuses a second process with one line', () =>
  withFolder(async (folder) => {
    const repo = await open(folder);
    const script = `
      import { BlockRepo } from ${JSON.stringify(join(import.meta.dirname, 'block-repo.ts'))};
      const logger = { error() {}, warn() {}, info() {}, debug() {}, scope() { return logger } };
      await BlockRepo.open({ folder: ${JSON.stringify(folder)}, logger }).catch((error) => console.log(error.code));`;
    const output = await new Promise<string>((resolve, reject) => {
      execFile(process.execPath, ['--input-type=module', '-e', script], (error, stdout) =>
        error === null ? resolve(stdout) : reject(error),
      );
    });
    assert.equal(output.trim(), 'ipfs-node/locked');
    await repo.close();
  }));

test('BlockRepo.remove hides at once, and a put during it writes the block anew', () =>
  withFolder(async (folder) => {
    const repo = await open(folder);
    const { key, data } = block(1, 500);
    await repo.put(key, data);
    const removed = repo.remove([key]);
    assert.equal(repo.has(key), false);
    assert.equal(await repo.get(key), undefined);
    const again = repo.put(key, data);
    await Promise.all([removed, again]);
    assert.equal(repo.has(key), true);
    assert.equal(repo.counters().blockCount, 1);
    await repo.close();
  }));

test('BlockRepo.compact gives space back and loses nothing, with readers and writers beside it', () =>
  withFolder(async (folder) => {
    const repo = await open(folder);
    const blocks = Array.from({ length: 800 }, (_, i) => block(i, 1000 + i));
    await Promise.all(blocks.map(({ key, data }) => repo.put(key, data)));
    const before = repo.counters().diskBytes;
    const dead = blocks.filter((_, i) => i % 4 !== 0);
    const live = blocks.filter((_, i) => i % 4 === 0);
    await repo.remove(dead.map(({ key }) => key));
    const late = Array.from({ length: 50 }, (_, i) => block(10_000 + i, 2000));
    await Promise.all([
      repo.compact(),
      ...live.map(async ({ key, data }) =>
        assert.deepEqual(Buffer.from((await repo.get(key)) ?? []), Buffer.from(data)),
      ),
      ...late.map(({ key, data }) => repo.put(key, data)),
    ]);
    await repo.compact();
    assert.ok(repo.counters().diskBytes < before / 2, `${repo.counters().diskBytes} of ${before}`);
    assert.equal(repo.counters().blockCount, live.length + late.length);
    for (const { key, data } of [...live, ...late]) {
      assert.deepEqual(Buffer.from((await repo.get(key)) ?? []), Buffer.from(data));
    }
    assert.equal((await readdir(join(folder, 'blocks'))).filter((name) => name.endsWith('.pack')).length, 1);
    await repo.close();
  }));

test('BlockRepo opens after a kill: flushed blocks are whole, an unfinished tail is cut off', () =>
  withFolder(async (folder) => {
    // A process of its own puts and flushes, reports, goes on putting, and is killed in the middle.
    const script = `
      import { hash } from 'node:crypto';
      import { BlockRepo } from ${JSON.stringify(join(import.meta.dirname, 'block-repo.ts'))};
      const logger = { error() {}, warn() {}, info() {}, debug() {}, scope() { return logger } };
      const repo = await BlockRepo.open({ folder: ${JSON.stringify(folder)}, logger });
      for (let n = 0; ; n++) {
        const puts = [];
        for (let i = 0; i < 100; i++) {
          const data = Buffer.alloc(3000, \`\${n}-\${i}-\`);
          puts.push(repo.put(Buffer.concat([Buffer.from([0x12, 0x20]), hash('sha256', data, 'buffer')]), data));
        }
        await Promise.all(puts);
        await repo.flush();
        process.stdout.write(n + '\\n');
      }`;
    const child = execFile(process.execPath, ['--input-type=module', '-e', script]);
    let flushed = -1;
    let text = '';
    await new Promise<void>((resolve) => {
      child.stdout?.on('data', (chunk: string) => {
        text += chunk;
        const lines = text.split('\n');
        flushed = Number(lines.at(-2) ?? -1);
        if (flushed >= 20) child.kill('SIGKILL');
      });
      child.on('close', () => resolve());
    });
    const packs = (await readdir(join(folder, 'blocks'))).filter((name) => name.endsWith('.pack'));
    await appendFile(join(folder, 'blocks', packs[0] ?? ''), Buffer.alloc(777, 5));
    const repo = await open(folder);
    for (let n = 0; n <= flushed; n++) {
      for (let i = 0; i < 100; i++) {
        const data = Buffer.alloc(3000, `${n}-${i}-`);
        assert.deepEqual(Buffer.from((await repo.get(keyOf(data))) ?? []), data);
      }
    }
    let count = 0;
    for await (const page of repo.keyPages()) {
      for (const key of page) {
        assert.deepEqual(Buffer.from(keyOf((await repo.get(key)) ?? new Uint8Array())), Buffer.from(key));
        count += 1;
      }
    }
    assert.equal(repo.counters().blockCount, count);
    await repo.close();
  }));

test('BlockRepo drops what was never flushed when its bytes are gone, and rebuilds a lost index', () =>
  withFolder(async (folder) => {
    let repo = await open(folder);
    const first = block(1, 5000);
    const second = block(2, 5000);
    await repo.put(first.key, first.data);
    await repo.flush();
    const size = repo.counters().diskBytes;
    await repo.put(second.key, second.data);
    await repo.close();
    // As after a power cut: the index entry came to the disk, the bytes did not.
    await truncate(join(folder, 'blocks', '1.pack'), size + 1000);
    repo = await open(folder);
    // The clean note named another size, so everything behind the checkpoint of the close is looked at.
    assert.equal(repo.has(second.key), false);
    assert.deepEqual(Buffer.from((await repo.get(first.key)) ?? []), Buffer.from(first.data));
    await repo.put(second.key, second.data);
    await repo.close();

    await rm(join(folder, 'blocks', 'index'), { recursive: true });
    repo = await open(folder);
    assert.equal(repo.counters().blockCount, 2);
    assert.deepEqual(Buffer.from((await repo.get(second.key)) ?? []), Buffer.from(second.data));
    await repo.close();
  }));

test('BlockRepo refuses puts before the disk is full, keeps serving, and goes on when there is room', () =>
  withFolder(async (folder) => {
    let free = 10 * 1024 ** 3;
    const repo = await open(folder, async () => free);
    const first = block(1, 5000);
    await repo.put(first.key, first.data);
    free = 1024;
    const large = block(2, 5 * 1024 * 1024);
    await repo.put(large.key, large.data);
    const second = block(3, 100);
    await assert.rejects(repo.put(second.key, second.data), (error) => errorCode(error) === 'ipfs-node/disk-full');
    assert.equal(repo.has(second.key), false);
    assert.deepEqual(Buffer.from((await repo.get(first.key)) ?? []), Buffer.from(first.data));
    free = 10 * 1024 ** 3;
    await repo.put(second.key, second.data);
    await repo.flush();
    assert.equal(repo.has(second.key), true);
    assert.ok((await stat(join(folder, 'blocks', '1.pack'))).size > 0);
    await repo.close();
  }));
