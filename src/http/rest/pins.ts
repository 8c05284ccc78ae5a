/** Pins: status, pin, unpin, recover, allocations. Source: Go `api/rest/restapi.go`. */
import { errorCode, errorMessage, utf8Encode } from '../../base/index.ts';
import type { PinPage, PinPageRequest } from '../../cluster/ports.ts';
import {
  allocationExplanationJson,
  Cid,
  formatCursor,
  type GlobalPinInfo,
  type GlobalStatusRow,
  globalOfOne,
  globalPinInfoJson,
  type PinInfo,
  PinLines,
  type PinOptions,
  parsePinOptions,
  parsePinTypeFilter,
  parseStatusFilter,
  pinJson,
  pinTypeBits,
  type StatusFilter,
  StatusLines,
  type StoredPin,
  stateKey,
} from '../../model/index.ts';
import type { Context } from './context.ts';
import { asRefusal, readPage, readPlace, readSearch } from './page.ts';
import { type ListEnd, RequestError, readFlag, sendChunks, sendItems, sendJson } from './reply.ts';
import type { ListPart, ListSource } from './shared-lists.ts';

/** `GET /pins`: of all peers or this one, filtered by status, or just the given CIDs. */
export function getPins(context: Context): Promise<unknown> {
  const isLocal = readLocal(context);
  const cids = context.query.get('cids');
  const page = readPage(context, false);
  if (cids !== '' && page !== undefined) throw new RequestError(400, 'cids are listed whole: no limit, no cursor');
  if (cids !== '')
    return sendItems(context, statusOfEach(context, cids.split(',').map(readCid), isLocal), globalPinInfoJson.print);
  const filter = readStatusFilter(context.query.get('filter'));
  const call = { signal: context.signal };
  const { cluster } = context;
  if (page === undefined) {
    const pages = isLocal ? cluster.statusPagesLocal(filter, call) : cluster.statusPages(filter, call);
    return sendChunks(context, (end) => printStatuses(pages, end));
  }
  const list = `status ${isLocal} ${filter}`;
  const after = readPlace(page.cursor, list);
  const place = after === undefined ? call : { ...call, after };
  const pages = isLocal ? cluster.statusPagesLocal(filter, place) : cluster.statusPages(filter, place);
  return sendChunks(context, (end) => printStatuses(firstOf(pages, page.limit, list, end), end), true);
}

/** So many rows, if there are; then the place of the last one is told. */
async function* firstOf(
  pages: AsyncIterable<readonly GlobalStatusRow[]>,
  limit: number,
  list: string,
  end: ListEnd,
): AsyncGenerator<readonly GlobalStatusRow[], void> {
  let left = limit;
  for await (const page of pages) {
    const rows = page.slice(0, left);
    yield rows;
    left -= rows.length;
    const last = rows.at(-1);
    if (left > 0 || last === undefined) continue;
    end.next = formatCursor(utf8Encode(stateKey(last.pin.cid)), list);
    return;
  }
}

async function* printStatuses(
  pages: AsyncIterable<readonly GlobalStatusRow[]>,
  end: ListEnd,
): AsyncIterable<Uint8Array> {
  const lines = new StatusLines();
  for await (const page of pages) {
    for (const row of page) {
      lines.add(row);
      end.items += 1;
      if (lines.isFull) yield lines.take();
    }
    yield lines.take();
  }
}

async function* statusOfEach(context: Context, cids: readonly Cid[], isLocal: boolean): AsyncIterable<GlobalPinInfo> {
  for (const cid of cids) yield await statusOf(context, cid, isLocal);
}

async function statusOf(context: Context, cid: Cid, isLocal: boolean): Promise<GlobalPinInfo> {
  const call = { signal: context.signal };
  return isLocal ? globalOfOne(await context.cluster.statusLocal(cid, call)) : context.cluster.status(cid, call);
}

export async function getPin(context: Context): Promise<unknown> {
  const { cid } = readCidAndOptions(context);
  return sendJson(context, globalPinInfoJson.print(await statusOf(context, cid, readLocal(context))));
}

/** Not in the reference. Refused with what pinning would be refused with; an allocation that fails is explained. */
export async function getPinAllocation(context: Context): Promise<unknown> {
  const { cid, options } = readCidAndOptions(context);
  const explanation = await context.cluster.explainAllocation(cid, options, { signal: context.signal });
  return sendJson(context, allocationExplanationJson.print(explanation));
}

/** Unlike in the reference, `mode=direct` is honoured here too; there only the path form does. */
export async function postPin(context: Context): Promise<unknown> {
  const { cid, options } = readCidAndOptions(context);
  return sendJson(context, pinJson.print(await context.cluster.pin(cid, options)));
}

export async function postPinPath(context: Context): Promise<unknown> {
  const path = readPath(context);
  const options = readOptions(context);
  return sendJson(context, pinJson.print(await context.cluster.pinPath({ ...options, path })));
}

export async function deletePin(context: Context): Promise<unknown> {
  const { cid } = readCidAndOptions(context);
  return sendJson(context, pinJson.print(await context.cluster.unpin(cid)));
}

export async function deletePinPath(context: Context): Promise<unknown> {
  const path = readPath(context);
  readOptions(context);
  return sendJson(context, pinJson.print(await context.cluster.unpinPath(path)));
}

export async function postRecover(context: Context): Promise<unknown> {
  const { cid } = readCidAndOptions(context);
  const call = { signal: context.signal };
  const info = readLocal(context)
    ? globalOfOne(await context.cluster.recoverLocal(cid, call))
    : await context.cluster.recover(cid, call);
  return sendJson(context, globalPinInfoJson.print(info));
}

export function postRecoverAll(context: Context): Promise<unknown> {
  const call = { signal: context.signal };
  return readLocal(context)
    ? sendItems(context, context.cluster.recoverAllLocal(call), printLocal)
    : sendItems(context, context.cluster.recoverAll(call), globalPinInfoJson.print);
}

export function getAllocations(context: Context): Promise<unknown> {
  const types = readTypeFilter(context.query.get('filter'));
  const isLinearizable = readFlag(context, 'linearizable');
  const search = readSearch(context);
  const page = readPage(context, search !== undefined);
  if (page !== undefined) {
    const request = { ...page, types, ...(search === undefined ? {} : { search }) };
    return sendChunks(context, (end) => printPage(context, request, isLinearizable, end), true);
  }
  return sendChunks(context, (end) => printPins(context, types, isLinearizable, end));
}

async function* printPins(
  context: Context,
  types: number,
  isLinearizable: boolean,
  end: ListEnd,
): AsyncIterable<Uint8Array> {
  if (isLinearizable) await confirm(context);
  const { cluster, lists, signal } = context;
  const source: ListSource = (place) => printStored(cluster.storedPins(place), types);
  for await (const { bytes, items } of lists.read(`allocations ${types}`, cluster.pinsetRevision(), source, signal)) {
    end.items += items;
    yield bytes;
  }
}

async function* printStored(pages: AsyncIterable<readonly StoredPin[]>, types: number): AsyncGenerator<ListPart, void> {
  const lines = new PinLines();
  for await (const page of pages) {
    let items = 0;
    for (const pin of page) {
      if ((types & pinTypeBits[pin.type]) === 0) continue;
      lines.add(pin);
      items += 1;
      if (!lines.isFull) continue;
      yield { bytes: lines.take(), items, last: pin.key };
      items = 0;
    }
    const last = page.at(-1);
    if (items > 0 && last !== undefined) yield { bytes: lines.take(), items, last: last.key };
  }
}

async function* printPage(
  context: Context,
  request: PinPageRequest,
  isLinearizable: boolean,
  end: ListEnd,
): AsyncIterable<Uint8Array> {
  if (isLinearizable) await confirm(context);
  const lines = new PinLines();
  const { pins, next } = await pageOf(context, request);
  for (const pin of pins) {
    lines.add(pin);
    if (lines.isFull) yield lines.take();
  }
  end.items = pins.length;
  end.next = next;
  yield lines.take();
}

async function pageOf({ cluster, signal }: Context, request: PinPageRequest): Promise<PinPage> {
  try {
    return await cluster.pinPage(request, { signal });
  } catch (error) {
    throw asRefusal(error);
  }
}

export async function getAllocation(context: Context): Promise<unknown> {
  const { cid } = readCidAndOptions(context);
  if (readFlag(context, 'linearizable')) await confirm(context);
  return sendJson(context, pinJson.print(context.cluster.pinGet(cid)));
}

/** Until what is read here is all that was acknowledged. Refused while that cannot be known: a client can try again, or elsewhere. */
async function confirm({ cluster, signal }: Context): Promise<void> {
  try {
    await cluster.readBarrier({ signal });
  } catch (error) {
    throw new RequestError(errorCode(error) === 'consensus/timeout' ? 504 : 503, errorMessage(error));
  }
}

function printLocal(info: PinInfo): string {
  return globalPinInfoJson.print(globalOfOne(info));
}

/** Only the exact word counts, as in the reference. */
function readLocal(context: Context): boolean {
  return context.query.get('local') === 'true';
}

export function readCid(text: string): Cid {
  try {
    return Cid.parse(text);
  } catch (error) {
    throw new RequestError(400, `error decoding Cid: ${errorMessage(error)}`);
  }
}

function readOptions(context: Context): PinOptions {
  try {
    return parsePinOptions(context.query, context.now());
  } catch (error) {
    throw new RequestError(400, errorMessage(error));
  }
}

/** Both are checked before anything is done, on every route with a CID. */
function readCidAndOptions(context: Context): { readonly cid: Cid; readonly options: PinOptions } {
  const cid = readCid(context.param('hash'));
  return { cid, options: readOptions(context) };
}

function readPath(context: Context): string {
  const path = `/${context.param('keyType')}/${context.param('path')}`;
  const root = context.param('path').split('/')[0] ?? '';
  // Names under /ipns/ are resolved by the IPFS node; elsewhere the first segment must be a CID.
  if (context.param('keyType') === 'ipns') return path;
  try {
    Cid.parse(root);
  } catch (error) {
    throw new RequestError(400, `error parsing path: invalid path ${JSON.stringify(path)}: ${errorMessage(error)}`);
  }
  return path;
}

function readStatusFilter(text: string): StatusFilter {
  const filter = parseStatusFilter(text);
  if (filter === 0 && text !== '') throw new RequestError(400, 'invalid filter value');
  return filter;
}

function readTypeFilter(text: string): number {
  const types = text === '' ? pinTypeBits.all : parsePinTypeFilter(text);
  if (types === pinTypeBits.bad) throw new RequestError(400, 'invalid filter value');
  return types;
}
