/**
 * The DAG of a file. Blocks come in the order of the reference: a child when it is added to its parent, the root last.
 * Source: boxo `ipld/unixfs/importer/balanced`, `…/trickle`, `…/helpers`.
 */
import { type Block, type Child, type CidFormat, fileNode, pbLeaf, rawLeaf } from './nodes.ts';

/** Links that a node of a file has at most; boxo `helpers.DefaultLinksPerBlock`. */
const childrenMax = 174;
/** Subtrees of one depth in a trickle DAG; boxo `trickle.depthRepeat`. */
const depthRepeat = 4;

export interface FileLayoutOptions {
  readonly format: CidFormat;
  readonly rawLeaves: boolean;
  readonly isTrickle: boolean;
}

/** Stores the file whose content these chunks are; gives its root. */
export async function layOutFile(
  chunks: AsyncIterator<Uint8Array, unknown>,
  options: FileLayoutOptions,
  put: (block: Block) => Promise<void>,
): Promise<Child> {
  const source = new ChunkSource(chunks);
  await source.advance();
  const layout = new Layout(source, options, put);
  return options.isTrickle ? await layout.trickle() : await layout.balanced();
}

/** One chunk ahead, so that the end is known before a node is begun. */
class ChunkSource {
  readonly #chunks: AsyncIterator<Uint8Array, unknown>;
  /** The next chunk; `undefined` at the end. */
  next: Uint8Array | undefined;

  constructor(chunks: AsyncIterator<Uint8Array, unknown>) {
    this.#chunks = chunks;
  }

  async advance(): Promise<void> {
    const result = await this.#chunks.next();
    this.next = result.done === true ? undefined : result.value;
  }
}

/** A block that is not stored yet: its parent does that. */
interface Made extends Child {
  readonly block: Block;
}

class Layout {
  readonly #source: ChunkSource;
  readonly #options: FileLayoutOptions;
  readonly #put: (block: Block) => Promise<void>;

  constructor(source: ChunkSource, options: FileLayoutOptions, put: (block: Block) => Promise<void>) {
    this.#source = source;
    this.#options = options;
    this.#put = put;
  }

  /** A tree of one depth everywhere, which becomes the first child of a deeper one when it is full. */
  async balanced(): Promise<Child> {
    let root = await this.#leaf('file');
    for (let depth = 1; this.#source.next !== undefined; depth++) root = await this.#filled(root, depth);
    return await this.#stored(root);
  }

  /** Leaves first, then four subtrees of depth 1, four of depth 2, and so on. */
  async trickle(): Promise<Child> {
    return await this.#stored(await this.#trickled(Number.POSITIVE_INFINITY));
  }

  async #filled(first: Made | undefined, depth: number): Promise<Made> {
    const children: Child[] = first === undefined ? [] : [await this.#stored(first)];
    while (children.length < childrenMax && this.#source.next !== undefined) {
      const child = depth === 1 ? await this.#leaf('file') : await this.#filled(undefined, depth - 1);
      children.push(await this.#stored(child));
    }
    return this.#parent(children);
  }

  async #trickled(depthMax: number): Promise<Made> {
    const children: Child[] = [];
    while (children.length < childrenMax && this.#source.next !== undefined) {
      children.push(await this.#stored(await this.#leaf('raw')));
    }
    for (let depth = 1; depth < depthMax && this.#source.next !== undefined; depth++) {
      for (let i = 0; i < depthRepeat && this.#source.next !== undefined; i++) {
        children.push(await this.#stored(await this.#trickled(depth)));
      }
    }
    return this.#parent(children);
  }

  async #leaf(type: 'file' | 'raw'): Promise<Made> {
    const { format, rawLeaves } = this.#options;
    const content = this.#source.next ?? new Uint8Array();
    if (this.#source.next !== undefined) await this.#source.advance();
    const block = rawLeaves ? rawLeaf(format, content) : pbLeaf(format, type, content);
    return { ...block, block, contentBytes: content.length };
  }

  #parent(children: readonly Child[]): Made {
    const block = fileNode(this.#options.format, children);
    return { ...block, block, contentBytes: children.reduce((sum, { contentBytes }) => sum + contentBytes, 0) };
  }

  async #stored({ block, cid, totalBytes, contentBytes }: Made): Promise<Child> {
    await this.#put(block);
    return { cid, totalBytes, contentBytes };
  }
}
