/**
 * Files to blocks, with the CIDs that Kubo's `add` makes of the same files and options.
 *
 * What Kubo does and the importer library does by default differ in small ways; the options below are the ones that were
 * compared with Kubo CID by CID (`test/conformance/kubo-rpc.ts`).
 */
import { type ImportCandidate, type ImporterOptions, type ImportResult, importer } from 'ipfs-unixfs-importer';
import { balanced, trickle } from 'ipfs-unixfs-importer/layout';
import { CID } from 'multiformats/cid';
import { parseChunker } from './chunker.ts';
import { unixfsError } from './errors.ts';
import { writableStorage } from './storage.ts';

/** Links a node of a file has at most; boxo `helpers.DefaultLinksPerBlock`. */
const linksPerNodeMax = 174;
/** Bytes handed to the importer at once: smaller pieces halve its speed. */
const pieceSize = 1024 * 1024;
/** Bytes between two progress reports; Kubo `progressReaderIncrement`. */
const progressStepBytes = 256 * 1024;

/** A folder with nothing in it, `0a 02 08 01`. */
const emptyFolder = CID.parse('QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn');
const emptyFolderSize = 4n;

/** How content is cut and linked; the CID depends on all of it. */
export interface AddOptions {
  readonly cidVersion: 0 | 1;
  /** Default: with version 1. */
  readonly rawLeaves?: boolean;
  /** See `parseChunker`; default `size-262144`. */
  readonly chunker: string;
  readonly trickle: boolean;
  readonly wrapWithDirectory: boolean;
}

/** One file, folder or link of an upload; what is inside a folder follows it or names it in its path. */
export interface AddEntry {
  /** Relative, `/` between the names; empty for content without a name. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink';
  /** Of a symlink: the target. Of a directory: nothing. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** Something finished: a file, or after all files a folder. */
export interface Added {
  /** As in the upload; of the wrapping folder empty; of content without a name its CID. */
  readonly path: string;
  readonly cid: CID;
  /** Cumulative size of the DAG. */
  readonly sizeBytes: bigint;
  /** Nothing of this upload contains it: this is what a client pins. */
  readonly isRoot: boolean;
}

/** Where blocks go, and who is told. */
export interface AddDeps {
  readonly put: (cid: CID, bytes: Uint8Array) => Promise<void>;
  /** Told at every 256 KiB of a file and at its end. */
  readonly onProgress?: (path: string, bytes: number) => Promise<void>;
}

/** Checks all options. Throws `unixfs/bad-option`. */
export function importerOptions(options: AddOptions): ImporterOptions {
  return {
    cidVersion: options.cidVersion,
    rawLeaves: options.rawLeaves ?? options.cidVersion === 1,
    chunker: parseChunker(options.chunker),
    layout: options.trickle
      ? trickle({ maxChildrenPerNode: linksPerNodeMax })
      : balanced({ maxChildrenPerNode: linksPerNodeMax }),
    // In a trickle DAG even a single leaf gets a root, and leaves are of unixfs type raw.
    leafType: options.trickle ? 'raw' : 'file',
    reduceSingleLeafToSelf: !options.trickle,
    shardSplitStrategy: 'links-bytes',
    fieldOrder: 'links-first',
    // Parts of one upload come one after the other.
    fileImportConcurrency: 1,
    wrapWithDirectory: options.wrapWithDirectory,
  };
}

/**
 * Imports the entries; yields what is finished, files in their order, then folders, inner ones first. Throws `unixfs/bad-name` and whatever the entries and `put` throw.
 */
export async function* addFiles(
  entries: AsyncIterable<AddEntry>,
  importOptions: ImporterOptions,
  deps: AddDeps,
): AsyncGenerator<Added> {
  const candidates = new Candidates(entries, importOptions.wrapWithDirectory === true, deps);
  const isWrapped = importOptions.wrapWithDirectory === true;
  let areFoldersNext = true;
  for await (const result of importer(candidates.all(), writableStorage(deps.put), importOptions)) {
    if (areFoldersNext && result.unixfs?.isDirectory() === true) {
      areFoldersNext = false;
      yield* candidates.innerEmptyFolders(importOptions.cidVersion === 1);
    }
    yield added(result, isWrapped);
  }
}

function added(result: ImportResult, isWrapped: boolean): Added {
  const path = result.path ?? '';
  const isRoot = isWrapped ? path === '' : !path.includes('/');
  return { path, cid: result.cid, sizeBytes: result.size, isRoot };
}

/** Turns entries into what the importer takes, and keeps folders that turn out empty for the end. */
class Candidates {
  readonly #entries: AsyncIterable<AddEntry>;
  readonly #wrap: boolean;
  readonly #deps: AddDeps;
  /** Folders named so far that nothing was put into. */
  readonly #emptyFolders = new Set<string>();

  constructor(entries: AsyncIterable<AddEntry>, wrap: boolean, deps: AddDeps) {
    this.#entries = entries;
    this.#wrap = wrap;
    this.#deps = deps;
  }

  async *all(): AsyncGenerator<ImportCandidate> {
    for await (const entry of this.#entries) {
      const path = cleanName(entry.path);
      if (path === '' && (this.#wrap || entry.type !== 'file')) {
        if (entry.type === 'directory') continue; // The root itself.
        throw unixfsError(
          'unixfs/bad-name',
          'cannot put content without a file name into a folder: expected a file name',
        );
      }
      this.#forgetParents(path);
      if (entry.type === 'directory') this.#emptyFolders.add(path);
      else if (entry.type === 'symlink') yield { path, link: await linkTarget(path, entry.content) };
      else if (path === '') yield { content: this.#pieces(path, entry.content) };
      else yield { path, content: this.#pieces(path, entry.content) };
    }
    // The importer would report a folder at once, and again with its content: so only those without any.
    for (const path of this.#emptyFolders) yield { path };
  }

  /** Those within others: the importer stores them and does not tell. */
  *innerEmptyFolders(isV1: boolean): Generator<Added> {
    const cid = isV1 ? emptyFolder.toV1() : emptyFolder;
    for (const path of this.#emptyFolders) {
      if (this.#wrap || path.includes('/')) yield { path, cid, sizeBytes: emptyFolderSize, isRoot: false };
    }
  }

  #forgetParents(path: string): void {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      this.#emptyFolders.delete(path.slice(0, end));
    }
  }

  async *#pieces(path: string, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const { onProgress } = this.#deps;
    let total = 0;
    let reported = 0;
    for await (const piece of joined(content)) {
      total += piece.length;
      for (; onProgress !== undefined && total - reported >= progressStepBytes; reported += progressStepBytes) {
        await onProgress(path, reported + progressStepBytes);
      }
      yield piece;
    }
    if (total > reported || total === 0) await onProgress?.(path, total);
  }
}

/** The same bytes in pieces of 1 MiB. */
async function* joined(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let pending: Uint8Array[] = [];
  let size = 0;
  for await (const bytes of content) {
    pending.push(bytes);
    size += bytes.length;
    if (size < pieceSize) continue;
    yield Buffer.concat(pending, size);
    pending = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(pending, size);
}

/** Longest target that Linux takes (PATH_MAX). */
const linkTargetMax = 4096;

async function linkTarget(path: string, content: AsyncIterable<Uint8Array>): Promise<string> {
  let target = Buffer.alloc(0);
  for await (const bytes of content) {
    target = Buffer.concat([target, bytes]);
    if (target.length > linkTargetMax) {
      throw unixfsError('unixfs/bad-name', `cannot add link "${path}": target longer than ${linkTargetMax} bytes`);
    }
  }
  return target.toString('utf8');
}

/** Names are cleaned as Go's `path.Clean("/" + name)`, so that no name leads outside. */
function cleanName(path: string): string {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    if (name === '..') names.pop();
    else names.push(name);
  }
  // The importer takes "\/" as part of a name; a slash in a name is a folder that nobody can enter.
  if (names.slice(0, -1).some((name) => name.endsWith('\\'))) {
    throw unixfsError('unixfs/bad-name', `cannot add "${path}": folder names ending in a backslash are not supported`);
  }
  return names.join('/');
}
