/**
 * Pages of searches over a pinset on disk, in this process: how long the index takes to be made, checked after a restart, and followed,
 * and what a page costs; ratios are of a page of as many pins in the order of their CIDs, measured in the same run.
 *
 *     node bench/search.bench.ts [--pins 100000] [--pages 200]
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { silentLogger } from '../src/base/index.ts';
import { openPinset } from '../src/cluster/index.ts';
import type { PinPageRequest, PinsetObserver } from '../src/cluster/ports.ts';
import { pinPage } from '../src/cluster/search/pin-pages.ts';
import { SearchIndex } from '../src/cluster/search/search-index.ts';
import { openDatastore } from '../src/io/store/index.ts';
import { Cid, defaultPinOptions, type PinSearch, pinTypeBits, type RaftCommand } from '../src/model/index.ts';
import { percentile } from './load.ts';
import { report } from './report.ts';

const { values: options } = parseArgs({
  options: { pins: { type: 'string', default: '100000' }, pages: { type: 'string', default: '200' } },
});
const count = Number(options.pins);
const pages = Number(options.pages);
const limit = 100;
const batch = 1000;
const startSeconds = 1_700_000_000;
/** Moves the first words of the names. */
let shift = 0;
const what = `${count} pins`;

const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-bench-search-'));
try {
  await run();
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function run(): Promise<void> {
  const state = await openDatastore(join(folder, 'state'));
  let observer: PinsetObserver | undefined;
  const pinset = openPinset(state, {
    log: silentLogger,
    observer: {
      onPin: (pin) => observer?.onPin(pin),
      onUnpin: (pin) => observer?.onUnpin(pin),
      onReplaced: () => observer?.onReplaced(),
    },
  });
  const openStore = () => openDatastore(join(folder, 'search'));
  let applied = 0;
  const write = async (from: number, to: number): Promise<void> => {
    for (let at = from; at < to; at += batch) {
      const commands = Array.from({ length: Math.min(batch, to - at) }, (_, i) => pinCommand(at + i));
      await pinset.apply(commands, ++applied);
    }
  };
  const withoutSeconds = await timed(() => write(0, count));
  report({ name: `search: ${what} written, without an index`, value: withoutSeconds, unit: 's' });

  let index = new SearchIndex({ pinset, openStore, logger: silentLogger });
  const page = (request: Partial<PinPageRequest>) =>
    pinPage({ types: pinTypeBits.all, limit, cursor: '', ...request }, { pinset: () => pinset, index }, {});
  const any: PinSearch = { name: 'none', metadata: {} };
  for (const part of ['made', 'checked after a restart']) {
    observer = index.observer;
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const cpu = process.cpuUsage();
    const seconds = await timed(() => page({ search: any }));
    const { user, system } = process.cpuUsage(cpu);
    delay.disable();
    report({ name: `search: index of ${what} ${part}`, value: seconds, unit: 's' });
    report({ name: `search: index of ${what} ${part}, CPU`, value: (user + system) / 1e6, unit: 's' });
    report({ name: `search: event loop while it is ${part}, p99`, value: delay.percentile(99) / 1e6, unit: 'ms' });
    report({ name: `search: event loop while it is ${part}, max`, value: delay.max / 1e6, unit: 'ms' });
    if (part !== 'made') continue;
    await index.close();
    index = new SearchIndex({ pinset, openStore, logger: silentLogger });
  }

  const plain = await walk('in the order of CIDs', undefined);
  const searches: Readonly<Record<string, PinSearch>> = {
    'by name, one of them': { name: nameOf(count >> 1), metadata: {} },
    'by the beginning of the name': { namePrefix: 'photo', metadata: {} },
    'by metadata': { metadata: { tenant: 't3' } },
    'by metadata and name': { metadata: { tenant: 't4' }, namePrefix: 'photo' },
    'by what no pin has together': { metadata: { tenant: 't3' }, namePrefix: 'photo' },
    'by time': { metadata: {}, createdAfter: { seconds: startSeconds + (count >> 2), nanos: 0 } },
  };
  for (const [name, search] of Object.entries(searches)) await walk(name, search, plain);

  const more = Math.min(count, 20_000);
  const alone = await timed(() => write(0, more));
  // The same once more, in part under other names: followed, and waited for.
  shift = 1;
  const followed = await timed(async () => {
    await write(0, more);
    await page({ search: any });
  });
  report({
    name: `search: ${more} of ${what} written again, and followed`,
    value: followed,
    unit: 's',
    ratio: followed / alone,
    of: 'written the same again',
  });
  await index.close();
  await state.close();

  /** Pages from the first on, again and again; the p50 of them. */
  async function walk(name: string, search: PinSearch | undefined, plainMs?: number): Promise<number> {
    const times: number[] = [];
    let cursor = '';
    let rows = 0;
    for (let n = 0; n < pages; n++) {
      const began = performance.now();
      const { pins, next } = await page({ cursor, ...(search === undefined ? {} : { search }) });
      times.push(performance.now() - began);
      rows += pins.length;
      cursor = next;
    }
    times.sort((a, b) => a - b);
    const middle = percentile(times, 0.5);
    const compared = plainMs === undefined ? {} : { ratio: middle / plainMs, of: 'a page in the order of CIDs' };
    report({ name: `search: page of ${limit} of ${what} ${name}, p50`, value: middle, unit: 'ms', ...compared });
    report({ name: `search: page of ${limit} of ${what} ${name}, p99`, value: percentile(times, 0.99), unit: 'ms' });
    report({ name: `search: pins on a page of ${what} ${name}`, value: rows / pages, unit: 'pins' });
    return middle;
  }
}

function nameOf(n: number): string {
  return `${['photo', 'site', 'backup', 'model'][(n + shift) % 4]} ${n}`;
}

function pinCommand(n: number): RaftCommand {
  const digest = createHash('sha256').update(`search ${n}`).digest();
  return {
    type: 'pin',
    pin: {
      ...defaultPinOptions,
      cid: Cid.decode(Buffer.concat([Uint8Array.of(1, 0x55, 0x12, 32), digest])),
      type: 'pin',
      name: nameOf(n),
      metadata: n % 2 === 0 ? { tenant: `t${n % 10}` } : { tenant: `t${n % 10}`, kind: 'x' },
      allocations: [],
      maxDepth: -1,
      reference: null,
      timestamp: { seconds: startSeconds + n, nanos: 0 },
    },
  };
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return (performance.now() - began) / 1000;
}
