/**
 * Files, folders and links to blocks, with the CIDs that Kubo's `add` makes of the same upload and options.
 *
 * Blocks leave in the order in which the reference makes them, since the shards of sharded adding are cut by it. Content flows
 * through; of a folder its names and CIDs are kept until it is complete.
 * Source: Kubo `core/coreunix/add.go`, Go ipfs-cluster `adder/ipfsadd/add.go`, boxo `files/multipartfile.go`.
 */
import type { CID } from 'multiformats/cid';
import { type Cut, chunksOf, parseChunker } from './chunker.ts';
import { importError } from './errors.ts';
import { layOutFile } from './file-layout.ts';
import { storeFolder } from './folder.ts';
import { type Block, type CidFormat, checkCidFormat, folderNode, symlinkNode } from './nodes.ts';

/** Bytes between two progress reports; Kubo `progressReaderIncrement`. */
const progressStepBytes = 256 * 1024;
/** Longest target of a link that Linux takes (PATH_MAX). */
const linkTargetMax = 4096;
/** Folders within folders: each level takes a call. */
const depthMax = 1_000;

/** How content is cut and linked; the CIDs depend on all of it. */
export interface ImportOptions {
  readonly format: CidFormat;
  readonly rawLeaves: boolean;
  /** See `parseChunker`. */
  readonly chunker: string;
  readonly isTrickle: boolean;
  /** Everything goes into one folder without a name. */
  readonly wraps: boolean;
  /**
   * Stores, as the reference does, the empty folder that it begins with and the folder that it keeps a single file in: of no use but
   * for the same shards. Default false.
   */
  readonly storesWorkFolders?: boolean;
}

/** One file, folder or link of an upload; what is inside a folder follows it or names it in its path. */
export interface ImportEntry {
  /** Relative, cleaned, `/` between the names; empty for content without a name. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink';
  /** Of a symlink: the target. Of a directory: nothing. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** Something finished: a file, or after all files of a topmost folder the folders in it, inner ones first. */
export interface Imported {
  /** As in the upload; empty for the wrapping folder, and for content without a name. */
  readonly path: string;
  readonly cid: CID;
  /** Cumulative size of the DAG. */
  readonly totalBytes: number;
  /** Nothing of this upload contains it. */
  readonly isRoot: boolean;
}

/** Where blocks go, and who is told. */
export interface ImportDeps {
  /** Waits as long as there is no room for more. */
  readonly put: (block: Block) => Promise<void>;
  /** Told at every 256 KiB of a file and at its end. */
  readonly onProgress?: (path: string, bytes: number) => Promise<void> | void;
}

/**
 * Imports the entries. Throws `unixfs/bad-option` before it reads any, `unixfs/bad-name`, `unixfs/too-deep`, and whatever entries and
 * `put` throw.
 */
export async function* importEntries(
  entries: AsyncIterable<ImportEntry>,
  options: ImportOptions,
  deps: ImportDeps,
): AsyncGenerator<Imported> {
  checkCidFormat(options.format);
  const maker = new Maker(options, deps);
  // A topmost folder that is not complete, or the folder that wraps all.
  let open: OpenFolder | undefined = options.wraps ? { name: '', root: newFolder() } : undefined;
  for await (const entry of entries) {
    const [top = '', ...inner] = entry.path.split('/');
    if (!options.wraps && open !== undefined && open.name !== '' && open.name !== top) {
      yield* maker.finishTop(open);
      open = undefined;
    }
    if (open === undefined && (inner.length > 0 || entry.type === 'directory')) {
      open = { name: top, root: newFolder() };
      if (inner.length === 0) continue;
    }
    if (open === undefined) yield await maker.single(entry);
    else yield* maker.into(open, entry);
  }
  if (open !== undefined) yield* maker.finishTop(open);
}

interface FileEntry {
  readonly cid: CID;
  readonly totalBytes: number;
}

/** Children by name; a folder is told by its own `children`. */
interface OpenNode {
  readonly children: Map<string, OpenNode | FileEntry>;
}

interface OpenFolder {
  /** Empty for one that holds everything. */
  readonly name: string;
  readonly root: OpenNode;
}

function newFolder(): OpenNode {
  return { children: new Map() };
}

class Maker {
  readonly #options: ImportOptions;
  readonly #deps: ImportDeps;
  readonly #cut: Cut;
  #hasBegun = false;

  constructor(options: ImportOptions, deps: ImportDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#cut = parseChunker(options.chunker);
  }

  /** Content outside any folder. */
  async single(entry: ImportEntry): Promise<Imported> {
    const made = await this.#make(entry);
    if (this.#options.storesWorkFolders === true) {
      await this.#begin();
      await this.#deps.put(folderNode(this.#options.format, [{ name: made.cid.toString(), ...made }]));
    }
    return { path: entry.path, ...made, isRoot: true };
  }

  /** Content of a folder. Nothing is told of a folder before all is there. */
  async *into(open: OpenFolder, entry: ImportEntry): AsyncGenerator<Imported> {
    const path = open.name === '' ? entry.path : entry.path.slice(open.name.length + 1);
    const names = path === '' ? [] : path.split('/');
    const name = names.pop();
    if (entry.type === 'directory') {
      await this.#begin();
      if (name !== undefined) folderAt(open.root, [...names, name], entry.path);
      return;
    }
    const parent = folderAt(open.root, names, entry.path);
    const made = await this.#make(entry);
    // Content without a name goes by its CID there.
    const key = name ?? made.cid.toString();
    if (isFolder(parent.children.get(key))) throw badName(entry.path, 'directory already has entry by that name');
    parent.children.set(key, made);
    await this.#begin();
    yield { path: entry.path, ...made, isRoot: false };
  }

  /** Stores the folders and tells of them. */
  async *finishTop({ name, root }: OpenFolder): AsyncGenerator<Imported> {
    await this.#begin();
    const told: Imported[] = [];
    await this.#storeTree(root, name, told, true);
    yield* told;
  }

  async #storeTree(node: OpenNode, path: string, told: Imported[], isRoot: boolean): Promise<FileEntry> {
    const children: { name: string; cid: CID; totalBytes: number }[] = [];
    const inner = new Map<string, Imported[]>();
    // The order of blocks among the folders of a folder is nobody's promise; that of the lines is.
    for (const [name, child] of [...node.children].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const childPath = path === '' ? name : `${path}/${name}`;
      const below: Imported[] = [];
      const { cid, totalBytes } = isFolder(child) ? await this.#storeTree(child, childPath, below, false) : child;
      if (below.length > 0) inner.set(name, below);
      children.push({ name, cid, totalBytes });
    }
    const { root, names } = await storeFolder(children, this.#options.format, this.#deps.put);
    if (inner.size > 0) for (const name of names) told.push(...(inner.get(name) ?? []));
    const { cid, totalBytes } = root;
    told.push({ path, cid, totalBytes, isRoot });
    return { cid, totalBytes };
  }

  /** The reference begins its tree after the first content, with an empty folder. */
  async #begin(): Promise<void> {
    if (this.#hasBegun || this.#options.storesWorkFolders !== true) return;
    this.#hasBegun = true;
    await this.#deps.put(folderNode(this.#options.format, []));
  }

  async #make(entry: ImportEntry): Promise<FileEntry> {
    const { format, rawLeaves, isTrickle } = this.#options;
    const { put } = this.#deps;
    if (entry.type === 'symlink') {
      const block = symlinkNode(format, await linkTarget(entry));
      await put(block);
      return { cid: block.cid, totalBytes: block.totalBytes };
    }
    const chunks = chunksOf(this.#watched(entry.path, entry.content), this.#cut);
    try {
      const { cid, totalBytes } = await layOutFile(chunks, { format, rawLeaves, isTrickle }, put);
      return { cid, totalBytes };
    } finally {
      await chunks.return(undefined);
    }
  }

  async *#watched(path: string, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const { onProgress } = this.#deps;
    if (onProgress === undefined) {
      yield* content;
      return;
    }
    let total = 0;
    let reported = 0;
    for await (const bytes of content) {
      total += bytes.length;
      for (; total - reported >= progressStepBytes; reported += progressStepBytes) {
        await onProgress(path, reported + progressStepBytes);
      }
      yield bytes;
    }
    if (total > reported || total === 0) await onProgress(path, total);
  }
}

function isFolder(node: OpenNode | FileEntry | undefined): node is OpenNode {
  return node !== undefined && 'children' in node;
}

/** The folder at a path, made where it is not there. */
function folderAt(root: OpenNode, names: readonly string[], path: string): OpenNode {
  if (names.length > depthMax) throw badName(path, `more than ${depthMax} folders deep`);
  let node = root;
  for (const name of names) {
    const found = node.children.get(name);
    if (found !== undefined && !isFolder(found)) throw badName(path, `"${name}" is a file`);
    const next = found ?? newFolder();
    if (found === undefined) node.children.set(name, next);
    node = next;
  }
  return node;
}

async function linkTarget(entry: ImportEntry): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const bytes of entry.content) {
    size += bytes.length;
    if (size > linkTargetMax) throw badName(entry.path, `target of the link longer than ${linkTargetMax} bytes`);
    pieces.push(bytes);
  }
  return Buffer.concat(pieces, size);
}

function badName(path: string, reason: string): Error {
  return importError('unixfs/bad-name', `cannot add ${JSON.stringify(path)}: ${reason}`);
}
