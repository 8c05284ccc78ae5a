/**
 * What garbage collections have freed, as far as an answer has room for it: a collection frees whatever there is, and its list is held in
 * memory on the way from node to user. What has no room is counted, in an entry of its own at the end.
 */
import { errorMessage } from '../base/index.ts';
import type { IpfsRepoGc, RepoGc } from '../model/index.ts';
import type { CallOptions, IpfsConnector } from './ports.ts';

/** Entries of one peer at most: some 50 MB of memory. */
export const gcEntriesOfPeerMax = 200_000;
/** Entries of all peers in one answer at most: its text stays far below what a text can be long. */
export const gcEntriesMax = 500_000;

/** Collects the garbage of a node to its end. What was freed is told also when it fails. */
export async function garbageOf(
  ipfs: Pick<IpfsConnector, 'repoGc'>,
  call: CallOptions,
): Promise<Pick<RepoGc, 'keys' | 'error'>> {
  const entries: IpfsRepoGc[] = [];
  let left = 0;
  let error = '';
  try {
    for await (const freed of ipfs.repoGc(call)) {
      if (entries.length < gcEntriesOfPeerMax) entries.push(freed);
      else left += 1;
    }
  } catch (cause) {
    error = errorMessage(cause);
  }
  return { keys: left === 0 ? entries : [...entries, leftOut(left)], error };
}

/** The same with so many entries at most, beside the one that counts those that are left out. */
export function withinRoom(gc: RepoGc, room: number): RepoGc {
  const { keys } = gc;
  if (keys === null || keys.length <= room) return gc;
  return { ...gc, keys: [...keys.slice(0, room), leftOut(keys.length - room)] };
}

function leftOut(count: number): IpfsRepoGc {
  const what = count === 1 ? 'entry has' : 'entries have';
  return { key: null, error: `${count} more ${what} no room in this answer` };
}
