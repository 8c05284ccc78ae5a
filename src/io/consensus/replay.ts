/** What a state has not synced, from the log: a crash may have taken any part of it. And what an older version has not noted. */
import { errorMessage, type Logger } from '../../base/index.ts';
import { type Entry, type LogImage, stateBehind } from '../../core/raft/index.ts';
import { type RaftCommand, raftCommandCodec } from '../../model/index.ts';
import type { ReplicatedPinset } from './ports.ts';

/**
 * Makes the state whole before anyone sees it. What it says that it has applied is committed: a state that was applied further than
 * the log reaches is left for the engine to refuse. Rejects with `raft/state-behind` when the log does not reach back to the last
 * sync, and with failures of the store.
 */
export async function replay(state: ReplicatedPinset, { base, entries }: LogImage, logger: Logger): Promise<void> {
  const { synced, applied, mustReplay } = state;
  if (!mustReplay || applied > base.index + entries.length) return;
  if (synced === applied) {
    logger.info('noting which pins expire, once');
    await state.replay([]);
    return;
  }
  if (synced < base.index) throw stateBehind(synced, base.index);
  logger.info('applying again what the state had not synced', { from: synced + 1, to: applied });
  await state.replay(commandsOf(entries.slice(synced - base.index, applied - base.index), logger));
}

/** Of the entries that have one. What cannot be read is skipped: all peers skip it alike. */
export function* commandsOf(entries: Iterable<Entry>, logger: Logger): Generator<RaftCommand, void, undefined> {
  for (const { index, ...entry } of entries) {
    if (entry.type !== 'command') continue;
    try {
      yield raftCommandCodec.decode(entry.data);
    } catch (error) {
      logger.error('skipped a committed command that cannot be read', { index, error: errorMessage(error) });
    }
  }
}
