/** The peer itself and the other members. Source: Go `api/rest/restapi.go`. */
import { errorCode, errorMessage } from '../../base/index.ts';
import { type CordonMode, idJson, type PeerId, parsePeerId, versionJson } from '../../model/index.ts';
import type { Context } from './context.ts';
import { RequestError, sendItems, sendJson, sendNothing } from './reply.ts';

export async function getId(context: Context): Promise<unknown> {
  return sendJson(context, idJson.print(await context.cluster.id({ signal: context.signal })));
}

export function getVersion(context: Context): Promise<unknown> {
  return sendJson(context, versionJson.print(context.cluster.version()));
}

export function getPeers(context: Context): Promise<unknown> {
  return sendItems(context, context.cluster.peers({ signal: context.signal }), idJson.print);
}

export async function postPeer(context: Context): Promise<unknown> {
  return sendJson(context, idJson.print(await context.cluster.peerAdd(readPeerOfBody(await context.text()))));
}

export async function deletePeer(context: Context): Promise<unknown> {
  await context.cluster.peerRemove(peerOfPath(context));
  return sendNothing(context);
}

export async function postCordon(context: Context): Promise<unknown> {
  const peer = peerOfPath(context);
  const mode = modeOfAct[context.param('act')];
  // The route has no other acts.
  if (mode === undefined) throw new RequestError(404, 'not found');
  try {
    await context.cluster.cordonPeer(peer, mode);
  } catch (error) {
    if (errorCode(error) === 'cluster/no-member') throw new RequestError(404, errorMessage(error));
    throw error;
  }
  return sendNothing(context);
}

const modeOfAct: Readonly<Record<string, CordonMode>> = { cordon: 'cordoned', drain: 'draining', uncordon: 'none' };

function peerOfPath(context: Context): PeerId {
  try {
    return parsePeerId(context.param('peer'));
  } catch (error) {
    throw new RequestError(400, `error decoding Peer ID: ${errorMessage(error)}`);
  }
}

/** Like Go's decoder: the first JSON value counts, keys in any case, what follows is ignored. */
function readPeerOfBody(body: string): PeerId {
  let peer: unknown;
  try {
    const value: unknown = JSON.parse(firstObject(body));
    const entry = Object.entries(value as object).find(([key]) => key.toLowerCase() === 'peer_id');
    peer = entry?.[1] ?? '';
  } catch {
    throw new RequestError(400, 'error decoding request body');
  }
  try {
    return parsePeerId(typeof peer === 'string' ? peer : '');
  } catch {
    throw new RequestError(400, 'error decoding peer_id');
  }
}

/** The text of the object that `text` begins with; all of it when that is not one. */
function firstObject(text: string): string {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (inString) {
      if (character === '\\') i++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{') depth++;
    else if (character === '}' && --depth === 0) return text.slice(0, i + 1);
  }
  return text;
}
