/** Readers that always close. */
import type { CID } from 'multiformats/cid';
import type { BlockReader, Operation } from '../ports.ts';
import { resolvePath } from '../unixfs/index.ts';
import type { Call } from './command.ts';

/** Runs with a reader on the node's blocks and, unless the request says `offline=true`, on the network. */
export async function withReader<T>(
  call: Call,
  act: (reader: BlockReader) => Promise<T>,
  operation?: Operation,
): Promise<T> {
  const offline = call.query.boolean('offline', false);
  const reader = call.node.reader({
    signal: call.signal,
    offline,
    ...(operation === undefined ? {} : { operation }),
  });
  try {
    return await act(reader);
  } finally {
    reader.close();
  }
}

/** Runs with an operation, whose blocks gc leaves alone until it ends. */
export async function withOperation<T>(call: Call, act: (operation: Operation) => Promise<T>): Promise<T> {
  const operation = call.node.begin();
  try {
    return await act(operation);
  } finally {
    operation.end();
  }
}

/** The CIDs that paths name; a remainder inside a block names the block. */
export async function resolveAll(call: Call, reader: BlockReader, paths: readonly string[]): Promise<CID[]> {
  const cids: CID[] = [];
  for (const path of paths) cids.push((await resolvePath(path, reader, { signal: call.signal })).cid);
  return cids;
}
