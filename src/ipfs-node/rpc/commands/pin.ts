/** `pin/…`: what is kept. */
import type { CID } from 'multiformats/cid';
import type { PinEntry, PinProgress } from '../../ports.ts';
import { parsePath, quote, resolvePath } from '../../unixfs/index.ts';
import type { Call, Command } from '../command.ts';
import { rpcError } from '../errors.ts';
import { resolveAll, withReader } from '../reading.ts';

/** Time between two lines of progress; Kubo `pin.go` `addPinCmd`. */
const progressIntervalMs = 500;

/** `pin/*`. */
export const pinCommands: readonly Command[] = [
  { path: 'pin/add', args: ['ipfs-path'], deadlinePrefix: 'pin: ', run: add },
  { path: 'pin/rm', args: ['ipfs-path'], run: rm },
  { path: 'pin/ls', run: ls },
  { path: 'pin/update', args: ['from-path', 'to-path'], run: update },
  { path: 'pin/verify', run: verify },
];

async function add(call: Call): Promise<void> {
  const { query, answer, node, signal } = call;
  const recursive = query.boolean('recursive', true);
  const showProgress = query.boolean('progress', false);
  const name = query.text('name', '');
  const offline = query.boolean('offline', false);
  for (const path of query.args) parsePath(path);

  let progress: PinProgress = { blocks: 0, bytes: 0 };
  let finished: PinProgress = { blocks: 0, bytes: 0 };
  const onProgress = (now: PinProgress): void => {
    progress = { blocks: finished.blocks + now.blocks, bytes: finished.bytes + now.bytes };
  };
  // A lost client is seen by the signal; a line that it does not read must not stop the pin.
  const report = async (): Promise<void> => answer.line(progressLine(progress));
  if (showProgress) answer.startLines();
  const timer = showProgress ? setInterval(() => void report().catch(() => {}), progressIntervalMs) : undefined;
  try {
    const pinned: string[] = [];
    for (const path of query.args) {
      const [cid] = await withReader(call, (reader) => resolveAll(call, reader, [path]));
      if (cid === undefined) continue;
      await node.pins.add(cid, { recursive, name, offline, signal, ...(showProgress ? { onProgress } : {}) });
      finished = progress;
      pinned.push(cid.toString());
    }
    if (showProgress) {
      await report();
      await answer.line({ Pins: pinned });
    } else await answer.json({ Pins: pinned });
  } finally {
    clearInterval(timer);
  }
}

/** Go leaves zeros out. */
function progressLine({ blocks, bytes }: PinProgress): object {
  return { ...(blocks === 0 ? {} : { Progress: blocks }), ...(bytes === 0 ? {} : { Bytes: bytes }) };
}

async function rm(call: Call): Promise<void> {
  const { query, node, answer } = call;
  const recursive = query.boolean('recursive', true);
  const cids = await withReader(call, (reader) => resolveAll(call, reader, query.args));
  const removed: string[] = [];
  for (const cid of cids) {
    await node.pins.rm(cid, { recursive });
    removed.push(cid.toString());
  }
  await answer.json({ Pins: removed });
}

async function update(call: Call): Promise<void> {
  const { query, node, answer, signal } = call;
  const unpin = query.boolean('unpin', true);
  const [from, to] = await withReader(call, (reader) => resolveAll(call, reader, query.args.slice(0, 2)));
  if (from === undefined || to === undefined) return;
  await node.pins.update(from, to, { unpin, signal });
  await answer.json({ Pins: [from.toString(), to.toString()] });
}

const listTypes = ['direct', 'indirect', 'recursive', 'all'] as const;
type ListType = (typeof listTypes)[number];

interface Listed {
  readonly cid: string;
  readonly type: string;
  readonly name: string;
}

async function ls(call: Call): Promise<void> {
  const { query, answer } = call;
  const type = listType(query.text('type', 'all'));
  const isStream = query.boolean('stream', false);
  const quiet = query.boolean('quiet', false);
  const nameFilter = query.text('name', '');
  const showNames = !quiet && (query.boolean('names', false) || nameFilter !== '');
  const all = query.args.length > 0 ? listArguments(call, type) : listEverything(call, type);
  const listed = nameFilter === '' ? all : filterByName(all, nameFilter);
  if (!isStream) {
    await answer.jsonText(keysText(listed, showNames));
    return;
  }
  for await (const pin of listed) {
    await answer.line({
      Cid: pin.cid,
      ...(showNames && pin.name !== '' ? { Name: pin.name } : {}),
      ...(quiet ? {} : { Type: pin.type }),
    });
  }
}

function listType(text: string): ListType {
  const type = listTypes.find((candidate) => candidate === text);
  if (type !== undefined) return type;
  throw rpcError('ipfs-rpc/bad-option', `invalid type '${text}', must be one of {direct, indirect, recursive, all}`);
}

/** One JSON object, written as it is read. */
async function* keysText(listed: AsyncIterable<Listed>, showNames: boolean): AsyncGenerator<string> {
  let isFirst = true;
  for await (const pin of listed) {
    const value = JSON.stringify({ Type: pin.type, Name: showNames ? pin.name : '' });
    yield `${isFirst ? '{"Keys":{' : ','}${JSON.stringify(pin.cid)}:${value}`;
    isFirst = false;
  }
  yield isFirst ? '{}\n' : '}}\n';
}

async function* filterByName(listed: AsyncIterable<Listed>, part: string): AsyncGenerator<Listed> {
  for await (const pin of listed) if (pin.name.includes(part)) yield pin;
}

async function* listEverything(call: Call, type: ListType): AsyncGenerator<Listed> {
  const { pins } = call.node;
  for (const rootType of ['recursive', 'direct'] as const) {
    if (type !== rootType && type !== 'all') continue;
    for await (const page of pins.pages(rootType)) yield* page.map(listedRoot);
  }
  if (type !== 'indirect' && type !== 'all') return;
  for await (const page of pins.indirectPages({ signal: call.signal })) {
    for (const cid of page) {
      // A direct pin under a recursive one is told once, as direct.
      if (type === 'all' && pins.get(cid) !== undefined) continue;
      yield { cid: cid.toString(), type: 'indirect', name: '' };
    }
  }
}

function listedRoot(entry: PinEntry): Listed {
  return { cid: entry.cid.toString(), type: entry.type, name: entry.name };
}

async function* listArguments(call: Call, type: ListType): AsyncGenerator<Listed> {
  const { pins } = call.node;
  const asked: { path: string; cid: CID }[] = [];
  await withReader(call, async (reader) => {
    for (const path of call.query.args) {
      asked.push({ path, cid: (await resolvePath(path, reader, { signal: call.signal })).cid });
    }
  });
  const rootOf = (cid: CID): PinEntry | undefined => {
    const entry = pins.get(cid);
    return entry !== undefined && (type === 'all' || type === entry.type) ? entry : undefined;
  };
  // One walk for all that are not roots themselves.
  const below = type === 'all' || type === 'indirect' ? asked.filter(({ cid }) => pins.get(cid) === undefined) : [];
  const indirect = await pins.indirectRoots(
    below.map(({ cid }) => cid),
    { signal: call.signal },
  );
  for (const { path, cid } of asked) {
    const entry = rootOf(cid);
    const through = indirect.get(cid.toString());
    if (entry !== undefined) yield listedRoot(entry);
    else if (through !== undefined) yield { cid: cid.toString(), type: `indirect through ${through}`, name: '' };
    else throw rpcError('ipfs-rpc/not-pinned', `path '${path}' is not pinned`);
  }
}

async function verify(call: Call): Promise<void> {
  const { query, node, answer, signal } = call;
  const verbose = query.boolean('verbose', false);
  const quiet = query.boolean('quiet', false);
  for await (const page of node.pins.pages('recursive')) {
    for (const { cid } of page) {
      const bad = await missingUnder(call, cid, signal);
      if (bad === undefined && verbose && !quiet) await answer.line({ Cid: cid.toString(), Ok: true });
      if (bad !== undefined) await answer.line({ Cid: cid.toString(), BadNodes: [bad], Ok: false });
    }
  }
}

/** The first block that is not here. */
async function missingUnder(call: Call, root: CID, signal: AbortSignal): Promise<object | undefined> {
  const reader = call.node.reader({ signal, offline: true });
  try {
    // Leaves are looked up, not read.
    for await (const { cid, links } of call.node.walk([root], reader, { signal, readLeaves: false })) {
      for (const link of [cid, ...links]) {
        if (await call.node.blocks.has(link)) continue;
        return { Cid: link.toString(), Err: `block was not found locally (offline): ipld: could not find ${link}` };
      }
    }
    return undefined;
  } catch (error) {
    if (signal.aborted) throw error;
    return { Cid: root.toString(), Err: error instanceof Error ? error.message : quote(String(error)) };
  } finally {
    reader.close();
  }
}
