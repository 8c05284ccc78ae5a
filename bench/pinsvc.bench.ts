/**
 * Lists of the pinning service over many pins, of three real peers in processes of their own on loopback, beside what one `GET /pins`
 * of the HTTP API takes.
 *
 *     node bench/pinsvc.bench.ts [--pins 100000]
 *
 * The IPFS nodes, in one further process, hold the pins from the start. Each list is asked for a few times; the quickest counts.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePorts } from '../src/cmd/service/demo/ports.ts';
import { initialService } from '../src/model/config/index.ts';
import { Cid, pinJson } from '../src/model/index.ts';
import { pinOf } from '../test/support/pins.ts';
import { ourProgram, startCluster } from './clusters.ts';
import { startKuboStandIns } from './kubo-stand-in.ts';
import { anonymousMb } from './processes.ts';
import { report } from './report.ts';

const { values: options } = parseArgs({ options: { pins: { type: 'string', default: '100000' } } });
const count = Number(options.pins);
const rounds = 3;
const allStates = 'status=queued,pinning,pinned,failed';
const lists: readonly (readonly [name: string, query: string, due: number])[] = [
  ['the newest ten in any state', allStates, count],
  ['the newest thousand in any state', `${allStates}&limit=1000`, count],
  ['the newest ten that are pinned', '', count],
  ['one by name', `name=pin%20${count - 1}`, 1],
  ['one by name that is pinned', `name=pin%20${count - 1}&status=pinned`, 1],
  ['those whose names have a part', 'match=ipartial&name=PIN%201&limit=1000', -1],
];

const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-bench-'));
const stops: (() => void | Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
try {
  const pins = Array.from({ length: count }, (_, n) => pinNumber(n));
  const held = join(folder, 'held');
  await writeFile(held, pins.map(({ cid }) => `${cid}\n`).join(''));
  const standIns = await startKuboStandIns(3, held);
  stops.push(() => standIns.stop());
  const { pinsvcapi } = initialService({ hostname: '', secret: '' });
  const ports = await freePorts(3);
  const unused = [...ports];
  const cluster = await startCluster({
    name: 'ours',
    folder: await mkdtemp(join(folder, 'peers-')),
    kinds: ['ours', 'ours', 'ours'],
    ipfs: standIns.multiaddresses,
    goBin: undefined,
    program: [ourProgram],
    change: (config) => ({
      ...config,
      pinsvcapi: pinsvcapi && { ...pinsvcapi, httpListenMultiaddress: [`/ip4/127.0.0.1/tcp/${unused.shift()}`] },
    }),
    pinset: async (peers) => {
      const texts = await Promise.all(peers.map((peer) => readFile(join(peer.folder, 'identity.json'), 'utf8')));
      const ids = texts.map((text) => (JSON.parse(text) as { id: string }).id);
      const path = join(folder, 'pins.json');
      const allocated = pins.map((pin, n) => ({ ...pin, allocations: ids.filter((_, i) => i !== n % 3).sort() }));
      await writeFile(path, allocated.map((pin) => `${pinJson.print(pin)}\n`).join(''));
      return path;
    },
  });
  stops.push(() => cluster.stop());
  await cluster.quiet();
  const [peer] = cluster.peers;
  const statuses = await quickest(`${peer?.apiUrl}/pins`, () => {});
  report({ name: `${count} pins, GET /pins of the HTTP API, time`, value: statuses / 1000, unit: 's' });
  for (const [name, query, due] of lists) {
    const before = await anonymousMb(peer?.pid);
    const ms = await quickest(`http://127.0.0.1:${ports[0]}/pins?${query}`, (text) => {
      const { count: found } = JSON.parse(text) as { count: number };
      if (due >= 0 && found !== due) throw new Error(`${name}: ${found} pins, ${due} are due`);
    });
    const title = `${count} pins, pinning service, ${name}`;
    report({ name: `${title}, time`, value: ms, unit: 'ms', ratio: ms / statuses, of: 'GET /pins' });
    report({ name: `${title}, memory rise`, value: (await anonymousMb(peer?.pid)) - before, unit: 'MB' });
  }
} finally {
  for (const stop of stops.reverse()) await stop();
}

async function quickest(url: string, check: (text: string) => void): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    const response = await fetch(url);
    const text = await response.text();
    times.push(performance.now() - began);
    if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
    check(text);
  }
  return Math.min(...times);
}

function pinNumber(n: number) {
  const digest = createHash('sha256').update(`pin ${n}`).digest();
  return pinOf(Cid.decode(Buffer.concat([Uint8Array.of(1, 0x55, 0x12, 32), digest])), {
    name: `pin ${n}`,
    timestamp: { seconds: 1_700_000_000 + Math.floor(n / 100), nanos: 0 },
    replicationFactorMin: 2,
    replicationFactorMax: 2,
  });
}
