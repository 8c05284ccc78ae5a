/**
 * Adds files, folders, and what is behind URLs.
 * Source: Go `cmd/ipfs-cluster-ctl/main.go`, command `add`.
 */
import { errorMessage } from '../../../base/index.ts';
import {
  type AddOptions,
  type Client,
  createUpload,
  RequestError,
  type Upload,
  type UploadOptions,
} from '../../../client/index.ts';
import type { AddedOutput, Cid } from '../../../model/index.ts';
import { type Command, type CommandContext, LocalFailure, type OptionSpec, type OptionValues } from '../command.ts';
import { addedCidForm, addedForm, allAdded } from '../format/added.ts';
import {
  allocationsOption,
  expireInOption,
  metadataOption,
  nameOption,
  readPinOptions,
  replicationOptions,
} from '../pin/options.ts';
import { untilPinned } from '../pin/result.ts';
import { uploadProgress } from './progress.ts';
import { type Sources, sourcesOf } from './sources.ts';

const layouts = ['balanced', 'trickle'] as const;
const formats = ['unixfs', 'car'] as const;
const defaultHash = 'sha2-256';
/** Of the Go client; a peer goes by it when it shards. */
const shardSizeBytes = 104_857_600;

const addOptions: readonly OptionSpec[] = [
  { names: ['recursive', 'r'], kind: 'boolean', summary: 'Add folders with all that is in them' },
  { names: ['quiet', 'q'], kind: 'boolean', summary: 'Print CIDs only' },
  { names: ['quieter', 'Q'], kind: 'boolean', summary: 'Print the CID of the root only' },
  { names: ['no-stream'], kind: 'boolean', summary: 'Print when all is added; as JSON one array' },
  { names: ['local'], kind: 'boolean', summary: 'Store on the peer that is called; pin as always' },
  nameOption,
  ...replicationOptions,
  expireInOption,
  metadataOption,
  allocationsOption,
  { names: ['no-pin'], kind: 'boolean', summary: 'Add without pinning' },
  { names: ['wait'], kind: 'boolean', summary: 'Return when enough peers have pinned it' },
  { names: ['wait-timeout', 'wt'], kind: 'duration', summary: 'How long to wait, such as 30s; for ever if not given' },
  { names: ['wrap-with-directory', 'w'], kind: 'boolean', summary: 'Put everything into one folder' },
  {
    names: ['format'],
    kind: 'text',
    summary: 'unixfs, or car for a CAR file',
    fallback: 'unixfs',
    completion: formats,
  },
  { names: ['layout'], kind: 'text', summary: 'balanced or trickle', completion: layouts },
  { names: ['hidden', 'H'], kind: 'boolean', summary: 'Take what begins with a dot, in folders' },
  {
    names: ['chunker', 's'],
    kind: 'text',
    summary: 'How files are cut: size-<bytes>, rabin-<min>-<avg>-<max>',
    fallback: 'size-262144',
  },
  { names: ['raw-leaves'], kind: 'boolean', summary: 'Keep file data in raw blocks' },
  {
    names: ['cid-version'],
    kind: 'integer',
    summary: '0 or 1; 1 means raw leaves',
    fallback: '0',
    completion: ['0', '1'],
  },
  { names: ['hash'], kind: 'text', summary: 'Hash function; others mean CID version 1', fallback: defaultHash },
  {
    names: ['nocopy'],
    kind: 'boolean',
    summary: 'Refer to the URL instead of copying; needs the filestore of the IPFS node',
  },
];

export const add: Command = {
  words: ['add'],
  summary: 'Add files and folders, and pin them',
  usage: '<path|URL>...',
  argumentsMax: Number.POSITIVE_INFINITY,
  completion: 'files',
  details:
    'The peer makes blocks of the content, hands them to the peers that will hold the pin, and pins the root. Several paths get a folder ' +
    'around them. What is at an http or https URL is fetched by this program while it is sent.',
  options: addOptions,
  run: async (context, paths, options) => {
    if (paths.length === 0) throw new LocalFailure('', 'need at least one path');
    const wanted = readAddOptions(context, options, paths.length);
    const sources = await sourcesOf(paths, {
      folder: context.io.folder,
      isRecursive: options.flag('recursive'),
      hasHidden: options.flag('hidden'),
      isNoCopy: options.flag('nocopy'),
    });
    const root = await send(context, options, sources, wanted);
    if (root === undefined || !options.flag('wait')) return;
    await untilPinned(context, options, root, wanted.pin?.replicationFactorMin ?? 0);
  },
};

/** Throws `LocalFailure`, and `RequestError` with the peer's words for what it would refuse after the upload has begun. */
function readAddOptions({ io }: CommandContext, options: OptionValues, count: number): AddOptions {
  const isWrapped = options.flag('wrap-with-directory') || count > 1;
  const pin = { ...readPinOptions(options, io.now()), shardSize: shardSizeBytes };
  if (options.flag('no-pin') && options.flag('wait'))
    throw new LocalFailure('', '--wait needs a pin, and --no-pin makes none');
  const format = oneOf('format', options.text('format'), formats);
  const layout = oneOf('layout', options.text('layout'), layouts);
  if (format === 'car' && isWrapped) {
    throw new LocalFailure('', 'only a single CAR file can be added and wrap-with-directory is not supported');
  }
  const hash = options.text('hash');
  const cidVersion = hash === defaultHash ? options.integer('cid-version') : 1;
  return {
    pin,
    ...(format === undefined ? {} : { format }),
    ...(layout === undefined ? {} : { layout }),
    chunker: options.text('chunker'),
    hash,
    cidVersion,
    rawLeaves: options.flag('raw-leaves') || cidVersion > 0 || options.flag('nocopy'),
    wrapWithDirectory: isWrapped,
    local: options.flag('local'),
    recursive: options.flag('recursive'),
    hidden: options.flag('hidden'),
    shard: false,
    progress: false,
    noCopy: options.flag('nocopy'),
    noPin: options.flag('no-pin'),
    streamChannels: true,
  };
}

/** One of the words, or `undefined` for none: then the peer decides. */
function oneOf<T extends string>(name: string, text: string, words: readonly T[]): T | undefined {
  const found = words.find((word) => word === text);
  if (found === undefined && text !== '') {
    throw new RequestError('client/refused', `${name} parameter is invalid`, { status: 400 });
  }
  return found;
}

/** Sends, and prints what comes back. @returns the CID of the root, if anything was added */
async function send(
  context: CommandContext,
  options: OptionValues,
  sources: Sources,
  wanted: AddOptions,
): Promise<Cid | undefined> {
  const { client, print } = context;
  const isQuieter = options.flag('quieter');
  const isBuffered = options.flag('no-stream');
  const form = isQuieter || options.flag('quiet') ? addedCidForm : addedForm;
  const all: AddedOutput[] = [];
  let last: AddedOutput | undefined;
  for await (const added of sent(client, createUpload(sources.entries, progressOf(context, sources)), wanted)) {
    last = added;
    if (isBuffered && !isQuieter) all.push(added);
    else if (!isQuieter) print(form, added);
  }
  if (last === undefined) return undefined;
  if (isBuffered) print(allAdded(form), isQuieter ? [last] : all);
  else if (isQuieter) print(form, last);
  return last.cid ?? undefined;
}

/** What is added; fails with the reason when the content could not be read, of which the network only tells that it broke off. */
async function* sent(client: Client, upload: Upload, wanted: AddOptions): AsyncIterable<AddedOutput> {
  let failure: unknown;
  const watched: Upload = {
    ...upload,
    async *stream() {
      try {
        yield* upload.stream();
      } catch (error) {
        failure = error;
        throw error;
      }
    },
  };
  try {
    yield* client.add(watched, wanted);
  } catch (error) {
    if (failure instanceof LocalFailure) throw failure;
    if (failure === undefined || errorMessage(error).includes(errorMessage(failure))) throw error;
    throw new RequestError('client/unreachable', errorMessage(failure), { status: 0, cause: failure });
  }
}

function progressOf({ statusLine }: CommandContext, { totalBytes }: Sources): UploadOptions {
  if (!statusLine.isShown) return {};
  const lineFor = uploadProgress(totalBytes, () => performance.now());
  return { onProgress: ({ sentBytes }) => statusLine.show(lineFor(sentBytes)) };
}
