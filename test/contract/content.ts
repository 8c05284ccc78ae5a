/** The pinset that was there when the exchanges were recorded, made again from the recorded uploads. */
import assert from 'node:assert/strict';
import { pin, waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import { addText } from '../../src/cmd/service/demo/content.ts';
import { type Exchange, readExchanges } from '../support/rest-vectors.ts';
import { type Scene, type ScenePeer, waitLimitMs } from './peers.ts';

/** Options of adding that Kubo's `add` shares. */
const addParameters = ['cid-version', 'raw-leaves', 'layout', 'chunker', 'wrap-with-directory'];

/** A recorded file with a hash that the embedded node does not know; another file takes its place. */
export const foreignHashFile = 'bafk2bzaced4igfwujc35m6anupilbq6ywb4htesuzffqifb77s65xq4raxq2g';
/** A pin in the recordings whose upload is not among them; another file takes its place. */
export const lostFile = 'QmbJznw54fiiVaHpP55MgbUYSPUUuQX5Yx685q7swj1g2o';

/** Adds what was added, the same bytes with the same parameters, and pins what was pinned. Returns what took the places. */
export async function makeContent({ first, second }: Scene): Promise<{ foreignHash: string; lost: string }> {
  const standIn = await addText(first.ipfsUrl, 'in place of a file with another hash');
  const lost = await addText(first.ipfsUrl, 'in place of a file that is lost');
  await pin(first.apiUrl, lost, '');
  for (const exchange of await readExchanges('add')) {
    const added = rootOf(exchange);
    if (added === undefined) continue;
    const root = added === foreignHashFile ? standIn : added;
    const query = new URL(exchange.request.path, 'http://peer').searchParams;
    if (root === added) {
      for (const peer of [first, second]) assert.equal(await addTo(peer, exchange, query), root, exchange.name);
    }
    if (query.get('no-pin') === 'true') continue;
    // `mode` means nothing to adding.
    query.delete('mode');
    // The replica went to the second peer.
    if (query.has('replication-max')) query.set('user-allocations', second.id);
    const response = await fetch(`${first.apiUrl}/pins/${root}?${query}`, { method: 'POST' });
    assert.equal(response.status, 200, await response.text());
  }
  await settled(first);
  return { foreignHash: standIn, lost };
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

/** The CID that the reference answered last; `undefined` when it added nothing. */
function rootOf({ response }: Exchange): string | undefined {
  const trailers = JSON.stringify(response.trailers ?? {});
  if (response.status !== 200 || trailers !== '{}') return undefined;
  const last: unknown = JSON.parse(response.body.trim().split('\n').at(-1) ?? '');
  const added = (Array.isArray(last) ? last.at(-1) : last) as { readonly cid: string };
  return added.cid;
}

async function addTo(peer: ScenePeer, { request }: Exchange, query: URLSearchParams): Promise<string> {
  const kept = new URLSearchParams({ pin: 'false' });
  for (const name of addParameters) {
    const value = query.get(name);
    if (value === null) continue;
    if (name === 'layout') kept.set('trickle', String(value === 'trickle'));
    else kept.set(name, value === 'T' ? 'true' : value);
  }
  const response = await fetch(`${peer.ipfsUrl}/api/v0/add?${kept}`, {
    method: 'POST',
    // One of the uploads is `multipart/mixed`, which only the cluster's own endpoint takes.
    headers: { 'Content-Type': (request.headers?.['Content-Type'] ?? '').replace('mixed', 'form-data') },
    // Kubo takes no file without a name, which is no part of the CID.
    body: (request.body ?? '').replace('filename=""', 'filename="unnamed"'),
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return (JSON.parse(text.trim().split('\n').at(-1) ?? '') as { readonly Hash: string }).Hash;
}
