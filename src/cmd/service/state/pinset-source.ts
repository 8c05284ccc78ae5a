/** All pins of a peer, whether it runs or not. */
import { cp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorCode, errorMessage } from '../../../base/index.ts';
import { makeTemporaryFolder } from '../../../io/config/index.ts';
import { createRaftFolder, type RaftFolder } from '../../../io/store/index.ts';
import type { Pin } from '../../../model/index.ts';
import { attempt, Failure } from '../failure.ts';
import { type OfflineState, openOffline } from './offline.ts';
import { ownApi } from './own-api.ts';
import { type StateDeps, type StateFolder, withFolder } from './state-folder.ts';

/** A pinset that can be read once. */
export interface PinsetSource {
  /** Index of the last log entry that it shows; `undefined` when the running peer was asked. */
  readonly applied: number | undefined;
  readonly pages: AsyncIterable<readonly Pin[]>;
}

export interface SourceOptions {
  /** Also what is in the log of which it is not known whether the cluster has agreed on it. */
  readonly isWholeLog: boolean;
}

const pageLength = 1000;
/** A line for the user after so many pins. */
const progressCount = 100_000;

/** Opens the pinset for as long as `use` takes. Throws `Failure`, and what `use` throws. */
export async function withPinset<T>(
  options: SourceOptions,
  deps: StateDeps,
  use: (source: PinsetSource) => Promise<T>,
): Promise<T> {
  return await withFolder(deps, {
    ask: async (folder) => {
      if (options.isWholeLog) throw running('reading the log');
      return await use({ applied: undefined, pages: counted(askPeer(folder, deps), deps) });
    },
    read: async (folder) => {
      if (!(await folder.raftFolder.hasData())) return await use({ applied: 0, pages: counted([], deps) });
      const state = await open(folder, options, deps);
      try {
        return await use({ applied: state.applied, pages: counted(state.pages(), deps) });
      } finally {
        await state.close();
      }
    },
  });
}

/** The refusal of what needs the folder for itself. */
function running(doing: string): Failure {
  return new Failure(doing, new Error('the peer is running: stop it first'));
}

async function open(folder: StateFolder, { isWholeLog }: SourceOptions, { tell }: StateDeps): Promise<OfflineState> {
  const { raftFolder, loaded, log } = folder;
  const options = { self: loaded.identity.id, isWholeLog };
  const state = await attempt('opening the state', async () => {
    try {
      return await openOffline(raftFolder, options, log);
    } catch (error) {
      // Opening a store writes; damage and locks are what they are.
      if (errorCode(error) !== 'store/full' && errorCode(error) !== 'store/io') throw error;
      tell(`reading a copy below ${tmpdir()}, for the folder cannot be written: ${errorMessage(error)}`);
      return await openCopy(raftFolder.path, (copy) => openOffline(copy, options, log));
    }
  });
  if (state.openChanges > 0) {
    const what = `${state.openChanges} ${state.openChanges === 1 ? 'change' : 'changes'} in the log after entry ${state.applied}`;
    tell(`left out ${what}: this peer alone cannot tell whether the cluster has agreed; --whole-log takes all`);
  }
  return state;
}

/** Of a folder that is locked, or on a file system that is read-only. */
async function openCopy(path: string, openIt: (copy: RaftFolder) => Promise<OfflineState>): Promise<OfflineState> {
  const place = await makeTemporaryFolder('state');
  const remove = (): Promise<void> => rm(place, { recursive: true, force: true });
  try {
    const copy = join(place, 'raft');
    await cp(path, copy, { recursive: true });
    const state = await openIt(createRaftFolder(copy, { backupsRotate: 1 }));
    return { ...state, close: () => state.close().finally(remove) };
  } catch (error) {
    await remove();
    throw new Error(`a copy of "${path}" below ${tmpdir()} (TMPDIR chooses another place): ${errorMessage(error)}`);
  }
}

async function* askPeer({ loaded }: StateFolder, { tell }: StateDeps): AsyncGenerator<readonly Pin[], void, undefined> {
  const { restapi } = loaded.config;
  const doing = 'asking the running peer';
  if (restapi === undefined) {
    throw new Failure(doing, new Error(`${loaded.folder.configFile}: api.restapi: found nothing; stop the peer first`));
  }
  const client = await attempt(doing, () => ownApi(restapi, loaded.folder.path));
  tell('the peer is running, or another command uses its folder: asking its HTTP API');
  let page: Pin[] = [];
  try {
    for await (const pin of client.allocations()) {
      page.push(pin);
      if (page.length < pageLength) continue;
      yield page;
      page = [];
    }
  } catch (error) {
    throw new Failure(doing, new Error(`${errorMessage(error)}; stop the peer to read its folder instead`));
  }
  if (page.length > 0) yield page;
}

/** Says now and then how far it is. */
async function* counted(
  pages: AsyncIterable<readonly Pin[]> | Iterable<readonly Pin[]>,
  { tell }: StateDeps,
): AsyncGenerator<readonly Pin[], void, undefined> {
  let count = 0;
  for await (const page of pages) {
    const before = count;
    count += page.length;
    if (Math.floor(count / progressCount) > Math.floor(before / progressCount)) tell(`${count} pins so far`);
    yield page;
  }
}
