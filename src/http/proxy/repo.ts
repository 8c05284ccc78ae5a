/** `repo/stat` and `repo/gc` over all members. */
import { beginLines, endLines, type Hijacked, sendJson } from './hijacked.ts';

/** `repo/stat`: sums over all members that answer. */
export async function repoStat(call: Hijacked): Promise<void> {
  const { repoSize, storageMax } = await call.cluster.repoStat();
  sendJson(call, 200, JSON.stringify({ RepoSize: repoSize, StorageMax: storageMax }));
}

/** `repo/gc`: what was freed anywhere, then what failed. */
export async function repoGc(call: Hijacked): Promise<void> {
  const areErrorsStreamed = call.query.get('stream-errors') === 'true';
  const { peerMap } = await call.cluster.repoGc();
  const errors: string[] = [];
  beginLines(call);
  const tell = (error: string): void => {
    if (areErrorsStreamed) call.response.write(`${JSON.stringify({ Error: error })}\n`);
    else errors.push(error);
  };
  for (const { keys, error } of Object.values(peerMap)) {
    for (const freed of keys ?? []) {
      if (freed.error !== '') tell(freed.error);
      else if (freed.key !== null) call.response.write(`{"Key":{"/":"${freed.key}"}}\n`);
    }
    if (error !== '') tell(error);
  }
  endLines(call, errors.map((error) => `${error}; `).join(''));
}
