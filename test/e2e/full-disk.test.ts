/** A peer on a disk that is full, or read-only: a small file system of its own, which only root may make. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { pin, pinset, waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import { type DemoFolder, prepareFolders } from '../../src/cmd/service/demo/setup.ts';
import { serviceProgram } from '../support/peers.ts';
import { cidNumber } from '../support/pins.ts';

const sizeBytes = 32 << 20;
const limitMs = 60_000;
const place = await mkdtemp(join(tmpdir(), 'full-disk-'));

function mount(options: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', place], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const isMounted = mount(`size=${sizeBytes}`);
const skip = isMounted ? false : 'a file system cannot be mounted here: a full disk is NOT tested';

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function service(folder: string, ...args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [serviceProgram, '--config', folder, ...args],
      { timeout: limitMs },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

/** A daemon whose output is not on the disk in question, unless it is told so. */
class Daemon {
  readonly child: ChildProcess;
  #text = '';
  #onText: () => void = () => {};

  /** `stderr` is an open file, if any. */
  constructor(
    { folder }: DemoFolder,
    { stderr = 'pipe', format = 'json' }: { stderr?: number | 'pipe'; format?: string } = {},
  ) {
    this.child = spawn(process.execPath, [serviceProgram, '--config', folder, 'daemon'], {
      stdio: ['ignore', 'pipe', stderr],
      env: { ...process.env, GOLOG_LOG_FMT: format },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.#text += `${line}\n`;
        this.#onText();
      });
    }
  }

  async says(pattern: RegExp): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error(`not said within ${limitMs} ms: ${this.#text}`)), limitMs);
      this.#onText = () => {
        if (!pattern.test(this.#text)) return;
        clearTimeout(limit);
        resolve();
      };
      this.#onText();
    });
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    await exited;
  }
}

/** Takes all room that there is, to the last byte. */
async function fill(file: string): Promise<void> {
  for (const size of [1 << 16, 1 << 12, 1]) {
    for (;;) {
      try {
        await writeFile(file, new Uint8Array(size), { flag: 'a' });
      } catch {
        break;
      }
    }
  }
}

test('a peer whose log is on a full disk runs, and its log goes on when there is room', { skip }, async () => {
  const elsewhere = await mkdtemp(join(tmpdir(), 'full-log-'));
  const filler = join(place, 'filler');
  try {
    const [peer] = await prepareFolders(elsewhere, 1, (config) => ({ ...config, embedded: undefined }));
    assert.ok(peer);
    for (const format of ['json', 'nocolor']) {
      const logFile = join(place, `log.${format}`);
      const log = await open(logFile, 'a');
      await fill(filler);
      const daemon = new Daemon(peer, { stderr: log.fd, format });
      try {
        const isEmpty = (pins: readonly string[]): boolean => pins.length === 0;
        await waitFor(() => pinset(peer.apiUrl), isEmpty, String, limitMs);
        assert.equal((await log.stat()).size, 0);
        await rm(filler);
        await daemon.end('SIGTERM');
        assert.equal(daemon.child.exitCode, 0);
        const text = await readFile(logFile, 'utf8');
        assert.match(text, /Initializing/);
        assert.match(text, /stopping on SIGTERM/);
      } finally {
        await daemon.end('SIGKILL');
        await log.close();
      }
    }
  } finally {
    await rm(filler, { force: true });
    await rm(elsewhere, { recursive: true, force: true });
  }
});

test('a peer on a full or read-only disk can be read, and starts by itself when there is room', { skip }, async () => {
  const [peer] = await prepareFolders(place, 1, (config) => ({ ...config, embedded: undefined }));
  assert.ok(peer);
  const cids = [1, 2, 3].map((n) => cidNumber(n).toString());
  const expectExport = async (): Promise<void> => {
    const { code, stdout, stderr } = await service(peer.folder, 'state', 'export');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /reading a copy below/);
    const lines = stdout.split('\n').filter((line) => line !== '');
    assert.deepEqual(lines.map((line) => (JSON.parse(line) as { cid: string }).cid).sort(), cids.toSorted());
  };
  let daemon = new Daemon(peer);
  try {
    await daemon.says(/IPFS Cluster is READY/);
    for (const cid of cids) await pin(peer.apiUrl, cid, 'kept');
    await daemon.end('SIGKILL');

    const filler = join(place, 'filler');
    await fill(filler);
    await expectExport();

    assert.ok(mount('remount,ro'));
    await expectExport();
    const refused = await service(peer.folder, 'daemon');
    assert.equal(refused.code, 1);
    assert.match(refused.stdout + refused.stderr, /cannot be locked: it is on a read-only file system/);
    const init = await service(join(place, 'new'), 'init');
    assert.match(init.stdout + init.stderr, /the folder cannot be made: EROFS/);
    assert.ok(mount(`remount,rw,size=${sizeBytes}`));

    daemon = new Daemon(peer);
    await daemon.says(/this peer starts when its disk has room: .*No space left on device/i);
    const second = await service(peer.folder, 'daemon');
    assert.equal(second.code, 1);
    assert.match(second.stdout + second.stderr, /another peer is running on this folder/);
    await rm(filler);
    await daemon.says(/IPFS Cluster is READY/);
    assert.deepEqual(await pinset(peer.apiUrl), cids.toSorted());
    await daemon.end('SIGTERM');
    assert.equal(daemon.child.exitCode, 0);
  } finally {
    await daemon.end('SIGKILL');
    execFileSync('umount', ['-l', place]);
    await rm(place, { recursive: true, force: true });
  }
});
