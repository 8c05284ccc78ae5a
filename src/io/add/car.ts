/**
 * Blocks of a CAR file, checked and with everything bounded that the file claims of itself.
 *
 * Version 1 is a header and sections, each behind its length: a CID and its block. Version 2 puts a version 1 into a frame that says
 * where it is, and may have an index behind it, which is not looked at.
 * Source: Go `adder/adder.go` `carAdder`, go-car v1, https://ipld.io/specs/transport/car/.
 */
import * as dagCbor from '@ipld/dag-cbor';
import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { CID } from 'multiformats/cid';
import { bytesEqual, errorMessage } from '../../base/index.ts';
import { Cid } from '../../model/index.ts';
import { digestOf } from '../../multihash/index.ts';
import type { AddedBlock } from './block-sink.ts';
import { addError } from './errors.ts';

/** Bytes of a header: one root is allowed, a few dozen bytes. */
const headerBytesMax = 64 * 1024;
/** Bytes of a section. What bitswap carries is 2 MiB; nodes store more if they must. */
const sectionBytesMax = 8 * 1024 * 1024;
/** Bytes of a number; nothing longer is a length. */
const varintBytesMax = 8;
/** Frame of version 2: the pragma, then characteristics, and place and size of the version 1 in it. */
const frameBytes = 40;
const pragmaBytes = 11;

const rawCode = 0x55;
const codecs: ReadonlySet<number> = new Set([rawCode, dagPb.code, dagCbor.code]);

/** An open CAR file. */
export interface CarFile {
  readonly root: Cid;
  /** The blocks, in their order. To be read once. Throws `add/bad-car`. */
  blocks(): AsyncIterable<CarBlock>;
}

/** A block of a CAR file. */
export interface CarBlock extends AddedBlock {
  /** Bytes of content below it, where it is the root and a file. */
  readonly contentBytes: number;
}

/** Reads the header. Throws `add/bad-car`. */
export async function openCar(content: AsyncIterable<Uint8Array>): Promise<CarFile> {
  const reader = new ByteReader(content[Symbol.asyncIterator]());
  let header = await readHeader(reader);
  if (header.version === 2) {
    const { offset, size } = await readFrame(reader);
    await reader.skip(offset - pragmaBytes - frameBytes);
    reader.endIn(size);
    header = await readHeader(reader);
  }
  if (header.version !== 1) throw badCar(`invalid car version: ${header.version}`);
  const [root, ...others] = header.roots;
  if (root === undefined || others.length > 0) throw badCar('only CAR files with a single root are supported');
  return { root, blocks: () => readBlocks(reader, root) };
}

async function* readBlocks(reader: ByteReader, root: Cid): AsyncGenerator<CarBlock> {
  for (let size = await reader.length(); size !== undefined; size = await reader.length()) {
    if (size > sectionBytesMax)
      throw badCar(`malformed car; a section of ${size} bytes, at most ${sectionBytesMax} expected`);
    yield blockOf(await reader.take(size), root);
  }
}

const identityCode = 0;
const digestBytesMin = 20;

function blockOf(section: Uint8Array, root: Cid): CarBlock {
  const [made, bytes] = read('malformed car', () => CID.decodeFirst(section));
  const { code, digest } = made.multihash;
  const full = digestOf(code, bytes);
  if (full === undefined) throw badCar(`unknown multihash code ${code} (0x${code.toString(16)}) of ${made}`);
  if (digest.length === 0 || !bytesEqual(full.subarray(0, digest.length), digest)) {
    throw badCar(`mismatch in content integrity, expected: ${made}`);
  }
  // Kubo takes none of these. Source: boxo `verifcid`.
  if (code !== identityCode && digest.length < digestBytesMin) {
    throw badCar(`digest of ${made} has ${digest.length} bytes, expected at least ${digestBytesMin}`);
  }
  if (!codecs.has(made.code)) {
    throw badCar(`no decoder registered for multicodec code ${made.code} (0x${made.code.toString(16)}) of ${made}`);
  }
  const cid = read('malformed car', () => Cid.decode(made.bytes));
  const isRoot = cid.equals(root);
  if (made.code !== dagPb.code) {
    return { cid, bytes, totalBytes: bytes.length, contentBytes: isRoot && made.code === rawCode ? bytes.length : 0 };
  }
  const { Links: links, Data: data } = read(`cannot decode ${made}`, () => dagPb.decode(bytes));
  const totalBytes = links.reduce((sum, { Tsize: size }) => sum + (size ?? 0), bytes.length);
  return { cid, bytes, totalBytes, contentBytes: isRoot ? contentBytesOf(data) : 0 };
}

/** Nothing of what is no unixfs, or no file. */
function contentBytesOf(data: Uint8Array | undefined): number {
  try {
    return data === undefined ? 0 : Number(UnixFS.unmarshal(data).fileSize());
  } catch {
    return 0;
  }
}

interface Header {
  readonly version: unknown;
  readonly roots: readonly Cid[];
}

async function readHeader(reader: ByteReader): Promise<Header> {
  const size = await reader.length();
  if (size === undefined) throw badCar('unexpected EOF');
  if (size > headerBytesMax) {
    throw badCar(`malformed car; a header of ${size} bytes, at most ${headerBytesMax} expected`);
  }
  const bytes = await reader.take(size);
  const value: unknown = read('invalid car header', () => dagCbor.decode(bytes));
  if (typeof value !== 'object' || value === null || !('version' in value))
    throw badCar('invalid car header: no version');
  const roots: unknown = 'roots' in value ? value.roots : [];
  if (!Array.isArray(roots)) throw badCar('invalid car header: roots are no list');
  return {
    version: value.version,
    roots: roots.map((root: unknown) => {
      const cid = CID.asCID(root);
      if (cid === null) throw badCar('invalid car header: a root is no CID');
      return read('invalid car header', () => Cid.decode(cid.bytes));
    }),
  };
}

async function readFrame(reader: ByteReader): Promise<{ readonly offset: number; readonly size: number }> {
  const frame = Buffer.from(await reader.take(frameBytes));
  const offset = Number(frame.readBigUInt64LE(16));
  const size = Number(frame.readBigUInt64LE(24));
  if (offset < pragmaBytes + frameBytes || !Number.isSafeInteger(offset + size)) {
    throw badCar(`invalid car header: data at ${offset}`);
  }
  return { offset, size };
}

/** Takes bytes from pieces; holds a piece and what is being taken. */
class ByteReader {
  readonly #source: AsyncIterator<Uint8Array, unknown>;
  #piece: Uint8Array = new Uint8Array();
  /** Bytes until the end that was set. */
  #left: number = Number.POSITIVE_INFINITY;

  constructor(source: AsyncIterator<Uint8Array, unknown>) {
    this.#source = source;
  }

  /** What follows so many bytes is not read. */
  endIn(bytes: number): void {
    this.#left = bytes;
  }

  /** A length in front of what it is of; `undefined` at the end. */
  async length(): Promise<number | undefined> {
    let value = 0;
    for (let i = 0; i < varintBytesMax; i++) {
      if (!(await this.#hasMore())) {
        if (i === 0) return undefined;
        throw badCar('unexpected EOF');
      }
      const [byte = 0] = this.#pull(1);
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw badCar('malformed car; a length is no number');
  }

  /** A copy: a piece may be far larger, and live as long. */
  async take(size: number): Promise<Uint8Array> {
    const taken = Buffer.allocUnsafe(size);
    for (let filled = 0; filled < size; ) {
      if (!(await this.#hasMore())) throw badCar('unexpected EOF');
      const bytes = this.#pull(size - filled);
      taken.set(bytes, filled);
      filled += bytes.length;
    }
    return taken;
  }

  async skip(size: number): Promise<void> {
    for (let left = size; left > 0; ) {
      if (!(await this.#hasMore())) throw badCar('unexpected EOF');
      left -= this.#pull(left).length;
    }
  }

  /** At most so many bytes of the piece. */
  #pull(size: number): Uint8Array {
    const bytes = this.#piece.subarray(0, Math.min(size, this.#left));
    this.#piece = this.#piece.subarray(bytes.length);
    this.#left -= bytes.length;
    return bytes;
  }

  async #hasMore(): Promise<boolean> {
    while (this.#piece.length === 0 && this.#left > 0) {
      const next = await this.#source.next();
      if (next.done === true) return false;
      this.#piece = next.value;
    }
    return this.#left > 0;
  }
}

function read<T>(what: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw badCar(`${what}: ${errorMessage(error)}`, error);
  }
}

function badCar(message: string, cause?: unknown): Error {
  return addError('add/bad-car', message, { cause });
}
