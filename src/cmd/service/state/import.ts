/**
 * `ipfs-cluster-service state import`: gives a peer the pinset of a file to start with.
 * Source: Go `cmd/ipfs-cluster-service/main.go`, `cmdutils/state.go`, `consensus/raft/raft.go` `SnapshotSave`.
 *
 * The pinset is that of entry 2 of term 1, wherever the log was before. In a log that was written by a leader entry 2 has a later
 * term: the imported beginning is not taken for any point of the cluster's earlier log, and peers that import the same file
 * begin at the same point. The peer keeps its term and its vote, so that it never votes twice.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { concatBytes, errorMessage, utf8Encode } from '../../../base/index.ts';
import { openPinset } from '../../../cluster/index.ts';
import type { Base, Configuration, HardState } from '../../../core/raft/index.ts';
import { encodeBase } from '../../../io/consensus/index.ts';
import type { RaftData, RaftFolder } from '../../../io/store/index.ts';
import {
  encodePin,
  type PeerId,
  type Pin,
  parsePeerId,
  peerIdOfMultiaddr,
  snapshotRecordCodec,
  stateKey,
} from '../../../model/index.ts';
import { confirm, type Terminal } from '../ask.ts';
import { attempt } from '../failure.ts';
import { importPin, type PinOverrides } from './import-pin.ts';
import { ObjectSplitter } from './object-splitter.ts';
import { closeData, configurationOf } from './offline.ts';
import { type StateDeps, type StateFolder, withLockedFolder } from './state-folder.ts';

export interface ImportOptions {
  /** Where from; absent: the input. */
  readonly file: string | undefined;
  readonly isForced: boolean;
  /** The peer begins as the only member of its cluster. */
  readonly isAlone: boolean;
  readonly replicationMin: string;
  readonly replicationMax: string;
  /** Peer ids with commas between. */
  readonly allocations: string;
}

export interface ImportDeps extends StateDeps, Terminal {
  readonly input: () => AsyncIterable<Uint8Array>;
}

/** Does nothing when the user declines, and leaves everything as it was when the input cannot be read. Throws `Failure`. */
export async function importState(options: ImportOptions, deps: ImportDeps): Promise<void> {
  const overrides = await attempt('reading the flags', () => readOverrides(options));
  // Before anything is asked: a mistyped name is the most common mistake.
  const file =
    options.file === undefined ? undefined : await attempt('reading import file', () => open(options.file ?? '', 'r'));
  try {
    await withLockedFolder(deps, async (folder) => {
      if (!options.isForced && !(await confirm('The pinset of this peer will be replaced. Continue?', deps))) return;
      await replace(folder, options, overrides, file, deps);
    });
  } finally {
    await file?.close();
  }
}

/** After so many pins the user is told. */
const progressCount = 100_000;

async function replace(
  { loaded, raft, raftFolder, log }: StateFolder,
  { isAlone }: ImportOptions,
  overrides: PinOverrides,
  file: FileHandle | undefined,
  deps: ImportDeps,
): Promise<void> {
  const { tell } = deps;
  const self = loaded.identity.id;
  const before = await beforeImport(raftFolder, tell);
  const known = [...raft.initPeerset, ...loaded.knownAddresses.map((address) => peerIdOfMultiaddr(address) ?? '')];
  const configuration = isAlone
    ? votersOf([self])
    : (membersWith(before?.configuration, self) ?? votersOf([...known, self]));
  const base: Base = { index: 2, term: 1, configuration, configurationIndex: 1 };
  if (file === undefined) tell('reading from stdin, Ctrl-D to finish');
  const source = pinsOf(file === undefined ? deps.input() : bytesOf(file), overrides, tell);
  const count = await stage(raftFolder, (data) => fill(data, base, before?.hard, source, log));
  await attempt('putting the new state in place', () => raftFolder.adopt());
  const members = configuration.servers.map(({ id }) => id).join(', ');
  tell(`state successfully imported: ${count} ${count === 1 ? 'pin' : 'pins'}; the members are ${members}`);
  if (configuration.servers.length > 1)
    tell('import the same file on all members before they start, or start the others anew');
}

/** Makes data beside that of the folder. What fails leaves nothing of it. */
async function stage<T>(folder: RaftFolder, make: (data: RaftData) => Promise<T>): Promise<T> {
  const staged = await attempt('making the new state', () => folder.stage());
  try {
    return await attempt('importing state', async () => {
      const data = await staged.open();
      try {
        return await make(data);
      } finally {
        await closeData(data);
      }
    });
  } catch (error) {
    // Empties it; what cannot be removed now is removed by the next import.
    await folder.stage().catch(() => {});
    throw error;
  }
}

interface Before {
  readonly hard: HardState;
  readonly configuration: Configuration;
}

/** What of the peer's earlier life is kept. What cannot be read becomes a backup like the rest. */
async function beforeImport(folder: RaftFolder, tell: (line: string) => void): Promise<Before | undefined> {
  if (!(await folder.hasData())) return undefined;
  try {
    const data = await folder.open();
    try {
      const image = await data.log.load();
      return { hard: image.hard, configuration: configurationOf(image) };
    } finally {
      await closeData(data);
    }
  } catch (error) {
    tell(`nothing is taken over from the earlier state: ${errorMessage(error)}`);
    return undefined;
  }
}

function membersWith(configuration: Configuration | undefined, self: PeerId): Configuration | undefined {
  return configuration?.servers.some(({ id }) => id === self) === true ? configuration : undefined;
}

function votersOf(peers: readonly PeerId[]): Configuration {
  const ids = [...new Set(peers)].filter((id) => id !== '').sort();
  return { servers: ids.map((id) => ({ id, suffrage: 'voter' as const })) };
}

/** @returns the number of pins. */
async function fill(
  { log, state }: RaftData,
  base: Base,
  hard: HardState | undefined,
  chunks: AsyncIterable<Uint8Array>,
  logger: StateFolder['log'],
): Promise<number> {
  const { term, votedFor } = hard ?? { term: 0, votedFor: undefined };
  await log.load();
  const observer = { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} };
  const pinset = openPinset(state, { log: logger, observer });
  await pinset.restore(chunks, { applied: base.index, tag: encodeBase(base) });
  await log.write([
    { type: 'hard', state: { term: Math.max(term, base.term), votedFor } },
    { type: 'reset', base },
  ]);
  return pinset.count();
}

/** The records of all pins of the input, as in a snapshot. */
async function* pinsOf(
  input: AsyncIterable<Uint8Array>,
  overrides: PinOverrides,
  tell: (line: string) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const decoder = new TextDecoder();
  const splitter = new ObjectSplitter();
  let count = 0;
  for await (const bytes of input) {
    const records = splitter.push(decoder.decode(bytes, { stream: true })).map((text) => {
      count++;
      if (count % progressCount === 0) tell(`${count} pins so far`);
      return recordOf(text, count, overrides);
    });
    yield concatBytes(records);
  }
  splitter.end();
  // What an export that has failed leaves, through a pipe: it must not empty the peer.
  if (count === 0) throw new Error('found nothing, expected at least one pin; `state cleanup` begins with none');
}

function recordOf(text: string, number: number, overrides: PinOverrides): Uint8Array {
  let pin: Pin;
  try {
    pin = importPin(text, overrides);
  } catch (error) {
    throw new Error(`pin ${number}: ${errorMessage(error)}`, { cause: error });
  }
  return snapshotRecordCodec.encode({ key: utf8Encode(stateKey(pin.cid)), value: encodePin(pin) });
}

const readBytes = 65_536;

async function* bytesOf(file: FileHandle): AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    const { bytesRead, buffer } = await file.read(new Uint8Array(readBytes));
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

function readOverrides({ replicationMin, replicationMax, allocations }: ImportOptions): PinOverrides {
  return {
    replicationMin: factorOf('--replication-min', replicationMin),
    replicationMax: factorOf('--replication-max', replicationMax),
    allocations: allocations
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
      .map(peerOf),
  };
}

function factorOf(flag: string, text: string): number {
  const factor = Number(text);
  if (/^-?\d{1,9}$/.test(text) && factor >= -1) return factor;
  throw new RangeError(`${flag}: found "${text}", expected a number, or -1 for everywhere`);
}

function peerOf(text: string): PeerId {
  try {
    return parsePeerId(text);
  } catch (error) {
    throw new RangeError(`--allocations: found "${text}", expected the id of a peer: ${errorMessage(error)}`);
  }
}
