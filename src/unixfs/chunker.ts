/** How a file is cut into leaves, from the text of the `chunker` option. Source: boxo `chunker/parse.go`, with its texts. */
import { buzhash } from './buzhash.ts';
import { importError } from './errors.ts';
import { rabin } from './rabin.ts';

/** Bytes; boxo `chunk.ChunkSizeLimit`: 2 MiB less room for the wrapping. */
const chunkSizeMax = 2 * 1024 * 1024 - 256;
const chunkSizeDefault = 256 * 1024;
/** Bytes that a fingerprint is made of. */
const rabinSizeMin = 16;

/** Where the first chunk ends. */
export interface Cut {
  /** No chunk is longer. */
  readonly sizeMax: number;
  /** Of bytes that are as long as the longest chunk, or all that is left: `0 < length <= bytes.length`. */
  lengthOf(bytes: Uint8Array): number;
}

/** `size-<bytes>`, `rabin[-<average>|-<min>-<average>-<max>]`, `buzhash`, `default` or nothing. Throws `unixfs/bad-option`. */
export function parseChunker(text: string): Cut {
  if (text === '' || text === 'default') return fixed(chunkSizeDefault);
  const [name, ...sizes] = text.split('-');
  if (name === 'size') return parseFixed(sizes);
  if (name === 'rabin') return parseRabin(sizes);
  if (name === 'buzhash') return buzhash;
  throw bad(`unrecognized chunker option: ${text}`);
}

/** The chunks, each in memory of its own. */
export async function* chunksOf(source: AsyncIterable<Uint8Array>, cut: Cut): AsyncGenerator<Uint8Array> {
  let pieces: Uint8Array[] = [];
  let size = 0;
  for await (const bytes of source) {
    pieces.push(bytes);
    size += bytes.length;
    if (size < cut.sizeMax) continue;
    let rest: Uint8Array = Buffer.concat(pieces, size);
    while (rest.length >= cut.sizeMax) {
      const length = cut.lengthOf(rest.subarray(0, cut.sizeMax));
      yield copyOf(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
    pieces = [rest];
    size = rest.length;
  }
  let rest: Uint8Array = Buffer.concat(pieces, size);
  while (rest.length > 0) {
    const length = cut.lengthOf(rest);
    // The last one has its memory for itself already, unless others came before it.
    yield length === rest.buffer.byteLength ? rest : copyOf(rest.subarray(0, length));
    rest = rest.subarray(length);
  }
}

/** A part of a buffer would keep all of it. */
function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.allocUnsafe(bytes.length);
  copy.set(bytes);
  return copy;
}

function fixed(size: number): Cut {
  return { sizeMax: size, lengthOf: (bytes) => bytes.length };
}

function parseFixed(sizes: readonly string[]): Cut {
  if (sizes.length !== 1) throw bad('incorrect chunker string format (expected size-{size})');
  const size = parseSize(sizes[0] ?? '');
  if (size <= 0) throw bad('chunker size must be greater than 0');
  if (size > chunkSizeMax) throw tooLarge();
  return fixed(size);
}

function parseRabin(sizes: readonly string[]): Cut {
  if (sizes.length <= 1) {
    const average = sizes[0] === undefined ? chunkSizeDefault : parseSize(sizes[0]);
    const sizeMax = average + Math.floor(average / 2);
    if (sizeMax > chunkSizeMax) throw tooLarge();
    const sizeMin = Math.floor(average / 3);
    // The reference goes wrong below: it makes one chunk of everything.
    if (sizeMin < rabinSizeMin) throw bad('rabin min must be greater than 16');
    return rabin(sizeMin, average, sizeMax);
  }
  if (sizes.length !== 3) {
    throw bad("incorrect format (expected 'rabin' 'rabin-[avg]' or 'rabin-[min]-[avg]-[max]'");
  }
  const sizeMin = labelled(sizes[0], 'min', 'first label must be min');
  if (sizeMin < rabinSizeMin) throw bad('rabin min must be greater than 16');
  const average = labelled(sizes[1], 'avg', 'second label must be avg');
  const sizeMax = labelled(sizes[2], 'max', 'final label must be max');
  if (sizeMin >= average) throw bad('incorrect format: rabin-min must be smaller than rabin-avg');
  if (average >= sizeMax) throw bad('incorrect format: rabin-avg must be smaller than rabin-max');
  if (sizeMax > chunkSizeMax) throw tooLarge();
  return rabin(sizeMin, average, sizeMax);
}

/** `<size>` or `<label>:<size>`. */
function labelled(text = '', label: string, refusal: string): number {
  const parts = text.split(':');
  if (parts.length > 1 && parts[0] !== label) throw bad(refusal);
  return parseSize(parts.at(-1) ?? '');
}

function parseSize(text: string): number {
  if (/^[+-]?\d{1,18}$/.test(text)) return Number(text);
  throw bad(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function tooLarge(): Error {
  return bad(`chunker parameters may not exceed the maximum chunk size of ${chunkSizeMax}`);
}

function bad(message: string): Error {
  return importError('unixfs/bad-option', message);
}
