/**
 * Exports go from our peers to Go peers and back.
 * Needs `GO_CLUSTER_BIN`, a folder with the Go programs; it stays in a temporary folder.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { prepareFolders } from '../../src/cmd/service/demo/setup.ts';
import { type Pin, pinJson } from '../../src/model/index.ts';
import { serviceProgram } from '../support/peers.ts';
import { cidNumber, pinOf } from '../support/pins.ts';

const bin = process.env.GO_CLUSTER_BIN;
const skip = bin === undefined ? 'GO_CLUSTER_BIN is not set: exports are NOT exchanged with Go peers' : false;
if (skip !== false) console.warn(skip);

const root = await mkdtemp(join(tmpdir(), 'state-go-'));
after(() => rm(root, { recursive: true, force: true }));

function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${program} ${args.join(' ')}: ${stderr}`));
    });
  });
}

const ours = (folder: string, ...args: readonly string[]): Promise<string> =>
  run(process.execPath, [serviceProgram, '--config', folder, ...args]);
const go = (folder: string, ...args: readonly string[]): Promise<string> =>
  run(join(bin ?? '', 'ipfs-cluster-service'), ['--config', folder, ...args]);
const sorted = (text: string): string[] => text.split('\n').sort();

test('an export is the same after it went through a Go peer', { skip }, async () => {
  const folders = await prepareFolders(root, 2);
  const [first = '', second = ''] = folders.map(({ folder }) => folder);
  const goFolder = join(root, 'go');
  await go(goFolder, 'init', '--consensus', 'raft');
  const peer = '12D3KooWBCJm4uy27rCNUQPwtsC3Wtc3M9YTP4i9c7fLFfC3ZYWT';
  const shapes: readonly Partial<Pin>[] = [
    {},
    { name: 'ünï ✓ "quoted" <b>', metadata: { Key: 'Value', '': 'x' } },
    { mode: 'direct', maxDepth: 0 },
    { replicationFactorMin: 2, replicationFactorMax: 3, allocations: [peer] },
    { expireAt: { seconds: 1_900_000_000, nanos: 0 }, pinUpdate: cidNumber(900), shardSize: 104_857_600 },
    { type: 'meta-pin', maxDepth: 0, reference: cidNumber(901) },
    { origins: [`/ip4/1.2.3.4/tcp/4001/p2p/${peer}`], timestamp: null },
  ];
  const pins = Array.from({ length: 500 }, (_, n) => pinOf(cidNumber(n), shapes[n % shapes.length]));
  const file = join(root, 'pins.json');
  await writeFile(file, pins.map((pin) => `${pinJson.print(pin)}\n`).join(''));

  await ours(first, 'state', 'import', '--yes', file);
  const exported = await ours(first, 'state', 'export');
  await writeFile(file, exported);
  await go(goFolder, 'state', 'import', '-f', file);
  const byGo = await go(goFolder, 'state', 'export');
  assert.equal(sorted(byGo).length, pins.length + 1);
  assert.deepEqual(sorted(byGo), sorted(exported));

  await writeFile(file, byGo);
  await ours(second, 'state', 'import', '--yes', file);
  assert.equal(await ours(second, 'state', 'digest'), await ours(first, 'state', 'digest'));
});
