/**
 * Paths that clients name, checked before anything is done with them. Which CID a path means is for the cluster to find.
 * Texts: boxo `path.NewPath`.
 */
import { errorMessage } from '../../base/index.ts';
import { Cid } from '../../model/index.ts';
import { ProxyError } from './errors.ts';

export interface CheckedPath {
  /** `/ipfs/<cid>/…` or `/ipns/…`. */
  readonly text: string;
  /** The CID, when the path is nothing but one. */
  readonly cid: Cid | undefined;
}

/** Throws `proxy/bad-request`; the message is boxo's. */
export function checkPath(given: string): CheckedPath {
  const absolute = given.startsWith('/') ? given : isCid(given.split('/', 1)[0] ?? '') ? `/ipfs/${given}` : given;
  if (!absolute.startsWith('/')) throw bad(given, 'path does not have enough components');
  const [namespace, root, ...rest] = absolute.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (namespace === undefined || root === undefined) throw bad(given, 'path does not have enough components');
  if (namespace !== 'ipfs' && namespace !== 'ipns' && namespace !== 'ipld') {
    throw bad(given, `unknown namespace: ${JSON.stringify(namespace)}`);
  }
  const text = `/${[namespace, root, ...rest].join('/')}`;
  if (namespace === 'ipns') return { text, cid: undefined };
  try {
    const cid = Cid.parse(root);
    return { text, cid: rest.length === 0 ? cid : undefined };
  } catch (error) {
    throw bad(given, errorMessage(error));
  }
}

function isCid(text: string): boolean {
  try {
    Cid.parse(text);
    return true;
  } catch {
    return false;
  }
}

function bad(given: string, reason: string): ProxyError {
  return new ProxyError(500, `invalid path ${JSON.stringify(given)}: ${reason}`);
}
