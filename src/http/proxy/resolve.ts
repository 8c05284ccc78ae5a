/** Following paths, which the node does. */
import { Cid } from '../../model/index.ts';
import { ProxyError } from './errors.ts';
import type { Hijacked } from './hijacked.ts';
import type { CheckedPath } from './path.ts';

/** Time for the node to follow a path, which may need the network. */
const resolveTimeoutMs = 60_000;
/** Bytes of the node's answer: one path. */
const resolveSizeMax = 64 * 1024;

/** The CID at the end of a path. Throws `proxy/bad-request`. */
export async function resolvePath(call: Hijacked, { cid, text }: CheckedPath): Promise<Cid> {
  return cid ?? (await askNode(call, text));
}

async function askNode(call: Hijacked, path: string): Promise<Cid> {
  const answer = await call.upstream.send({
    method: 'POST',
    path: `/api/v0/resolve?arg=${encodeURIComponent(path)}`,
    headers: [],
    body: null,
    signal: AbortSignal.any([call.signal, AbortSignal.timeout(resolveTimeoutMs)]),
  });
  let text = '';
  for await (const chunk of answer.body) {
    text += String(chunk);
    if (text.length > resolveSizeMax) {
      throw new ProxyError(500, `cannot resolve ${path}: the node's answer is too long`);
    }
  }
  const cid = answer.status === 200 ? /"Path":"\/ip[fl][sd]\/([^"/]+)/.exec(text)?.[1] : undefined;
  if (cid === undefined) throw new ProxyError(500, `cannot resolve ${path}: ${text.trim().slice(0, 500)}`);
  return Cid.parse(cid);
}
