/** Unfinished pins and unpins. No such thing in the reference. */
import { operationInfoJson } from '../../model/index.ts';
import type { Context } from './context.ts';
import { readCid } from './pins.ts';
import { readFlag, sendItems } from './reply.ts';

export function getOperations(context: Context): Promise<unknown> {
  const { cluster, query, signal } = context;
  const text = query.get('cid');
  const cid = text === '' ? undefined : readCid(text);
  const isLocal = readFlag(context, 'local');
  const operations = isLocal ? cluster.operationsLocal(cid, { signal }) : cluster.operations(cid, { signal });
  return sendItems(context, operations, operationInfoJson.print);
}
