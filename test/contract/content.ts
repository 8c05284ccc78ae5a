/** The pinset that was there when the exchanges were recorded, made again by the recorded uploads. */
import assert from 'node:assert/strict';
import { pin, waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import { addText } from '../../src/cmd/service/demo/content.ts';
import { readExchanges, send } from '../support/rest-vectors.ts';
import { type Scene, type ScenePeer, waitLimitMs } from './peers.ts';

/** A pin in the recordings whose upload is not among them; another file takes its place. */
export const lostFile = 'QmbJznw54fiiVaHpP55MgbUYSPUUuQX5Yx685q7swj1g2o';

/** Adds what was added. Returns what took the place of the lost file. */
export async function makeContent({ first, second }: Scene): Promise<string> {
  const lost = await addText(first.ipfsUrl, 'in place of a file that is lost');
  await pin(first.apiUrl, lost, '');
  for (const { name, request, response } of await readExchanges('add')) {
    // Failed in the reference, where it had no default, and would not here.
    if (name === 'add-shard-no-size') continue;
    // The one replica went to the second peer.
    const chosen = request.path.includes('replication-max=1') ? `&user-allocations=${second.id}` : '';
    const answer = await send(first.apiUrl, { ...request, path: `${request.path}${chosen}` });
    assert.equal(answer.status, response.status, `${name}: ${answer.body}`);
  }
  await settled(first);
  return lost;
}

/** Waits until nothing is being pinned or unpinned anywhere. */
export async function settled(peer: ScenePeer): Promise<void> {
  await waitFor(
    async () => (await fetch(`${peer.apiUrl}/pins?filter=queued,pinning,unpinning`)).status,
    (status) => status === 204,
    () => 'pins are still being worked on',
    waitLimitMs,
  );
}
