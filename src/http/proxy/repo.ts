/** `repo/stat` and `repo/gc` over all members. */
import { errorMessage } from '../../base/index.ts';
import { drained } from '../kit/index.ts';
import { beginLines, endLines, type Hijacked, sendJson } from './hijacked.ts';
import { booleanOption } from './options.ts';

/** Counting blocks takes a large node minutes, and the sizes are what is asked for mostly. */
const countTimeoutMs = 2_000;

/** What only a node has; empty as in Kubo's answer with `size-only`. */
interface NodeStat {
  readonly NumObjects: number;
  readonly RepoPath: string;
  readonly Version: string;
}

const noStat: NodeStat = { NumObjects: 0, RepoPath: '', Version: '' };

/** `repo/stat`: sums over all members that answer. What makes no sum is this peer's node's, if it tells in time. */
export async function repoStat(call: Hijacked): Promise<void> {
  const isSizeOnly = booleanOption(call.query, false, 'size-only');
  booleanOption(call.query, false, 'human', 'H');
  const [{ repoSize, storageMax }, stat] = await Promise.all([
    call.cluster.repoStat(),
    isSizeOnly ? noStat : nodeStat(call),
  ]);
  sendJson(call, 200, JSON.stringify({ RepoSize: repoSize, StorageMax: storageMax, ...stat }));
}

async function nodeStat(call: Hijacked): Promise<NodeStat> {
  try {
    const { body, status } = await call.upstream.send({
      method: 'POST',
      path: '/api/v0/repo/stat',
      headers: [],
      body: null,
      signal: AbortSignal.any([call.signal, AbortSignal.timeout(countTimeoutMs)]),
    });
    if (status !== 200) {
      await body.dump();
      return noStat;
    }
    const { NumObjects, RepoPath, Version } = (await body.json()) as Partial<Record<keyof NodeStat, unknown>>;
    return {
      NumObjects: Number.isSafeInteger(NumObjects) ? Number(NumObjects) : 0,
      RepoPath: typeof RepoPath === 'string' ? RepoPath : '',
      Version: typeof Version === 'string' ? Version : '',
    };
  } catch (error) {
    call.log.debug('objects of the IPFS node not counted', { error: errorMessage(error) });
    return noStat;
  }
}

/** `repo/gc`: what was freed anywhere, then what failed. */
export async function repoGc(call: Hijacked): Promise<void> {
  const { query, response } = call;
  const areErrorsStreamed = booleanOption(query, false, 'stream-errors');
  const isSilent = booleanOption(query, false, 'silent');
  const { peerMap } = await call.cluster.repoGc();
  const errors: string[] = [];
  beginLines(call);
  const write = async (line: string): Promise<void> => {
    if (!response.destroyed && !response.write(`${line}\n`)) await drained(response);
  };
  const tell = async (error: string): Promise<void> => {
    if (areErrorsStreamed) await write(JSON.stringify({ Error: error }));
    else errors.push(error);
  };
  for (const { keys, error } of Object.values(peerMap)) {
    for (const freed of keys ?? []) {
      if (freed.error !== '') await tell(freed.error);
      else if (freed.key !== null && !isSilent) await write(`{"Key":{"/":"${freed.key}"}}`);
    }
    if (error !== '') await tell(error);
  }
  endLines(call, errors.map((error) => `${error}; `).join(''));
}
