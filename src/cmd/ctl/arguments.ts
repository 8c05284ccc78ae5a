/**
 * Arguments that several commands take.
 */
import { getSystemErrorMessage } from 'node:util';
import { errorMessage } from '../../base/index.ts';
import { Cid, type PeerId, parsePeerId } from '../../model/index.ts';
import { LocalFailure } from './command.ts';

/** Throws `LocalFailure`. */
export function readCid(text: string, doing: string = 'parsing cid'): Cid {
  try {
    return Cid.parse(text);
  } catch (error) {
    throw new LocalFailure(doing, errorMessage(error));
  }
}

/** Throws `LocalFailure`. */
export function readPeerId(text: string): PeerId {
  try {
    return parsePeerId(text);
  } catch (error) {
    throw new LocalFailure('parsing peer ID', errorMessage(error));
  }
}

/** An IPFS path; what is none is taken as the rest of one under `/ipfs/`. Throws `LocalFailure`. */
export function readPath(text: string): string {
  const whole = problemOf(text);
  if (whole === undefined) return text;
  const path = `/ipfs/${text}`;
  const problem = problemOf(path);
  if (problem !== undefined) {
    const expected = 'expected a CID, or a path under /ipfs, /ipns or /ipld';
    throw new LocalFailure('', `invalid path ${JSON.stringify(path)}: ${problem}; ${expected}`);
  }
  return path;
}

/** What the disk says of a path, as Go's `os.PathError` prints it. */
export function pathFailure(doing: string, path: string, error: unknown): LocalFailure {
  const number = error instanceof Error && 'errno' in error ? error.errno : undefined;
  const problem = typeof number === 'number' ? getSystemErrorMessage(number) : errorMessage(error);
  return new LocalFailure('', `${doing} ${path}: ${problem}`);
}

/** Why the text is no IPFS path; `undefined` when it is one. Source: boxo `path.NewPath`. */
function problemOf(text: string): string | undefined {
  const [, namespace, root = ''] = /^\/(ipfs|ipns|ipld)(?:\/+([^/]*).*)?$/s.exec(text) ?? [];
  if (namespace === undefined) return 'unknown namespace';
  if (root === '') return 'path does not have enough components';
  if (namespace === 'ipns') return undefined;
  try {
    Cid.parse(root);
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}
