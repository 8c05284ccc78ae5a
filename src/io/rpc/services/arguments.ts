/** What the services have in common in taking arguments. */
import type { Cid } from '../../../model/index.ts';
import { rpcError } from '../errors.ts';

/** Refuses Go's undefined CID: a Go peer accepts it and keeps a key in its state that nobody can remove. */
export function definedCid(cid: Cid): Cid {
  if (cid.bytes.length === 0) throw rpcError('bad-argument', 'Cannot use the CID: it is undefined');
  return cid;
}

/** The one argument of a streaming method that takes one; a Go server reads a missing one as the zero value. */
export async function firstOr<T>(args: AsyncIterable<T | null>, missing: T): Promise<T> {
  for await (const argument of args) return argument ?? missing;
  return missing;
}

/** The items of pages, one by one. */
export async function* flat<T>(pages: AsyncIterable<readonly T[]>): AsyncGenerator<T, void, undefined> {
  for await (const page of pages) yield* page;
}

/** The answer to methods of parts that this peer does not have yet. */
export function notSupported(method: string): never {
  throw rpcError('not-supported', `${method} is not supported by this peer yet`);
}
