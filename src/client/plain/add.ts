/** What users add, as entries of an upload. */
import { defaultPinOptions } from '../../model/index.ts';
import { pinOptionsOf } from '../../plain/index.ts';
import { type AddOptions, type Client, type Content, createUpload, RequestError, type UploadEntry } from '../index.ts';
import { type Added, addedOf } from './data.ts';
import { badArgument } from './errors.ts';
import type { AddDirectoryRequest, AddFileRequest, AddRequest, DirectoryContent } from './types.ts';

/** Go peers do without a default. Source: Go `api/add.go` `DefaultShardSize`. */
const shardSizeDefault = 104_857_600;

export function addFile(client: Client, content: Content, request: AddFileRequest = {}): Promise<Added> {
  const name = request.fileName ?? (isFile(content) ? content.name : '');
  return add(client, [{ path: name.replaceAll('/', '_'), content }], request);
}

export function addCar(client: Client, content: Content, request: AddRequest = {}): Promise<Added> {
  return add(client, [{ path: isFile(content) ? content.name : 'content.car', content }], request, { format: 'car' });
}

export function addDirectory(
  client: Client,
  content: DirectoryContent,
  request: AddDirectoryRequest = {},
): Promise<Added> {
  const entries = Array.from(content, entryOf);
  const { wrap = true } = request;
  const tops = new Set(entries.map(({ path }) => path.split('/').find((name) => name !== '' && name !== '.')));
  if (!wrap && tops.size !== 1) {
    throw badArgument('the directory', [...tops], 'entries below one directory, or wrap: true');
  }
  return add(client, entries, request, { wrapWithDirectory: wrap });
}

/** A browser gives the path below the folder that was picked. */
function entryOf(item: UploadEntry | File): UploadEntry {
  if (!isFile(item)) return item;
  const path = 'webkitRelativePath' in item && item.webkitRelativePath ? String(item.webkitRelativePath) : item.name;
  return { path, content: item };
}

function isFile(value: unknown): value is File {
  return value instanceof Blob && 'name' in value && typeof value.name === 'string';
}

async function add(
  client: Client,
  entries: readonly UploadEntry[],
  request: AddRequest,
  form: AddOptions = {},
): Promise<Added> {
  const { cidVersion, rawLeaves, chunker, layout, hash, local, shard, noPin, onProgress, onAdded, signal } = request;
  const pin = {
    ...defaultPinOptions,
    ...pinOptionsOf(badArgument, request),
    shardSize: request.shardSize ?? (shard === true ? shardSizeDefault : 0),
  };
  const upload = createUpload(entries, onProgress === undefined ? {} : { onProgress });
  const asked = { cidVersion, rawLeaves, chunker, layout, hash, local, shard, noPin, pin };
  let root: Added | undefined;
  for await (const line of client.add(upload, { ...given(asked), ...form }, signal === undefined ? {} : { signal })) {
    const added = addedOf(line);
    if (added === undefined) continue;
    root = added;
    onAdded?.(added);
  }
  if (root === undefined)
    throw new RequestError('client/bad-answer', 'The peer names nothing it has added', { status: 200 });
  return root;
}

/** Without what is `undefined`. */
function given<T extends object>(values: { readonly [K in keyof T]: T[K] | undefined }): T {
  // Proof of the cast: what is left out is what `T` may not have.
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}
