/**
 * The pinset of a peer that is not running, from its folder.
 *
 * The store of the state says what was applied, and it is written with every batch; what it had not synced is taken from the log,
 * because a power cut may have taken any of it from the store. What the log holds behind that is there
 * because the peer had not heard by its end that the cluster agreed on it; a leader may still take it back. A peer that is its
 * cluster's only voter has agreed with itself: what is in its log counts. For others, whoever asks decides.
 */
import type { Logger } from '../../../base/index.ts';
import { openPinset, readSnapshotPins } from '../../../cluster/index.ts';
import type { Configuration, Entry, LogImage } from '../../../core/raft/index.ts';
import type { RaftData, RaftFolder } from '../../../io/store/index.ts';
import { decodePin, encodePin, type PeerId, type Pin, raftCommandCodec, stateKey } from '../../../model/index.ts';

/** How much of the log counts. */
export interface OfflineOptions {
  readonly self: PeerId;
  /** All of it, whether or not the cluster has agreed. */
  readonly isWholeLog: boolean;
}

export interface OfflineState {
  /** Index of the last log entry whose effects `pages` shows. */
  readonly applied: number;
  /** Changes in the log of which it is not known whether the cluster has agreed on them, and which `pages` leaves out. */
  readonly openChanges: number;
  /** In the order of their keys, but for what only the log has: that comes last. Once. */
  pages(): AsyncIterable<readonly Pin[]>;
  close(): Promise<void>;
}

/** Errors are those of `RaftFolder.open` and of the log. */
export async function openOffline(folder: RaftFolder, options: OfflineOptions, log: Logger): Promise<OfflineState> {
  const data = await folder.open();
  try {
    return await read(data, options, log);
  } catch (error) {
    await closeData(data);
    throw error;
  }
}

/** Both parts, whatever becomes of the other. */
export async function closeData({ log, state }: RaftData): Promise<void> {
  await log.close();
  await state.close();
}

/** The members as of the last entry. */
export function configurationOf({ base, entries }: LogImage): Configuration {
  const last = entries.findLast((entry) => entry.type === 'configuration');
  return last?.type === 'configuration' ? last.configuration : base.configuration;
}

async function read(data: RaftData, { self, isWholeLog }: OfflineOptions, log: Logger): Promise<OfflineState> {
  const image = await data.log.load();
  const begin = beginOf(data, log);
  const unsynced = image.entries.filter(({ index }) => index > begin.synced && index <= begin.applied);
  const behind = image.entries.filter(({ index }) => index > begin.applied);
  const counted = isWholeLog || isOnlyVoter(configurationOf(image), self) ? behind : [];
  const changes = changesOf([...unsynced, ...counted], log);
  return {
    applied: counted.at(-1)?.index ?? begin.applied,
    openChanges: counted.length > 0 ? 0 : behind.filter(({ type }) => type === 'command').length,
    pages: () => changed(begin.pages(), changes),
    close: () => closeData(data),
  };
}

interface Begin extends Pick<OfflineState, 'applied' | 'pages'> {
  /** Behind it, up to `applied`, pins may be missing from `pages`, or there too many. */
  readonly synced: number;
}

/** What is agreed for sure: the state, or a snapshot that is on disk and had not become the state yet when the peer ended. */
function beginOf({ state, snapshots }: RaftData, log: Logger): Begin {
  const pinset = openPinset(state, { log, observer: { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} } });
  const [newest] = snapshots.list();
  if (newest === undefined || newest.base.index <= pinset.applied) {
    return { synced: pinset.synced, applied: pinset.applied, pages: () => pinset.pages() };
  }
  const { index } = newest.base;
  return { synced: index, applied: index, pages: () => readSnapshotPins(snapshots.read(newest), log) };
}

function isOnlyVoter({ servers }: Configuration, self: PeerId): boolean {
  const voters = servers.filter(({ suffrage }) => suffrage === 'voter');
  return voters.length === 1 && voters[0]?.id === self;
}

/** The pins that the entries leave, `undefined` for those that they remove, by key. */
function changesOf(entries: readonly Entry[], log: Logger): Map<string, Pin | undefined> {
  const changes = new Map<string, Pin | undefined>();
  for (const entry of entries) {
    if (entry.type !== 'command') continue;
    try {
      const { type, pin } = raftCommandCodec.decode(entry.data);
      if (type === 'unknown' || !pin.cid.isDefined) continue;
      // As the state would keep it.
      changes.set(stateKey(pin.cid), type === 'pin' ? decodePin(encodePin(pin), pin.cid) : undefined);
    } catch (error) {
      log.error(`skipped entry ${entry.index} of the log, which cannot be read`, { error });
    }
  }
  return changes;
}

async function* changed(
  pages: AsyncIterable<readonly Pin[]>,
  changes: ReadonlyMap<string, Pin | undefined>,
): AsyncGenerator<readonly Pin[], void, undefined> {
  const left = new Map(changes);
  for await (const pins of pages) {
    yield left.size === 0
      ? pins
      : pins.flatMap((pin) => {
          const key = stateKey(pin.cid);
          if (!left.has(key)) return [pin];
          const change = left.get(key);
          left.delete(key);
          return change === undefined ? [] : [change];
        });
  }
  const fresh = [...left].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, pin]) => pin ?? []);
  if (fresh.length > 0) yield fresh;
}
