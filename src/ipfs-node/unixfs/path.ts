/**
 * Paths: `/ipfs/<cid>/a/b`, `<cid>/a/b`, `ipfs://<cid>/a/b`.
 *
 * Text is read as Kubo does (boxo `path.NewPath`, Kubo `cmdutils.PathOrCidPath`): empty and `.` segments vanish, `..`
 * goes up; mutable names (`/ipns/…`) are refused, since this node resolves no names.
 */
import { CID } from 'multiformats/cid';
import { errorMessage } from '../../base/index.ts';
import { Cid } from '../../model/index.ts';
import { unixfsError } from './errors.ts';

/** A path whose root is known: the root and the names below it. */
export interface IpfsPath {
  readonly root: CID;
  readonly segments: readonly string[];
}

/** Bytes of text; Kubo itself is bounded by Go's header limit. */
const pathLengthMax = 64 * 1024;

/** Reads a path or a bare CID. Throws `unixfs/bad-path`, `unixfs/unsupported-path` for `/ipns/`. */
export function parsePath(text: string): IpfsPath {
  if (text.length > pathLengthMax) {
    throw unixfsError('unixfs/bad-path', `invalid path: ${text.length} characters, at most ${pathLengthMax} expected`);
  }
  const absolute = absoluteForm(text);
  if (!absolute.startsWith('/')) {
    throw badPath(text, 'path does not have enough components');
  }
  const [namespace, root, ...segments] = cleanSegments(absolute);
  if (namespace === undefined || root === undefined) throw badPath(text, 'path does not have enough components');
  if (namespace === 'ipns') {
    throw unixfsError(
      'unixfs/unsupported-path',
      `cannot resolve ${quote(text)}: this node does not resolve IPNS names, expected /ipfs/<cid>`,
    );
  }
  if (namespace !== 'ipfs' && namespace !== 'ipld') throw badPath(text, `unknown namespace: ${quote(namespace)}`);
  return { root: parseRoot(text, root), segments };
}

/** Go's `%q` for the texts that occur in paths. */
export function quote(text: string): string {
  return JSON.stringify(text).replace(/\\u00([0-9a-f]{2})/g, '\\x$1');
}

function absoluteForm(text: string): string {
  const scheme = /^(ipfs|ipns):\/\//.exec(text);
  if (scheme !== null) return `/${scheme[1]}/${text.slice(scheme[0].length)}`;
  if (text.startsWith('/')) return text;
  const [first = ''] = text.split('/', 1);
  return isCid(first) ? `/ipfs/${text}` : text;
}

function cleanSegments(absolute: string): string[] {
  const segments: string[] = [];
  for (const segment of absolute.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') segments.pop();
    else segments.push(segment);
  }
  return segments;
}

function parseRoot(text: string, root: string): CID {
  try {
    return parseCid(root);
  } catch (error) {
    throw badPath(text, errorMessage(error));
  }
}

/** In every multibase that Kubo knows, with its texts. */
function parseCid(text: string): CID {
  return CID.decode(Cid.parse(text).bytes);
}

function isCid(text: string): boolean {
  try {
    parseCid(text);
    return true;
  } catch {
    return false;
  }
}

function badPath(text: string, reason: string): Error {
  return unixfsError('unixfs/bad-path', `invalid path ${quote(text)}: ${reason}`);
}
