/** How a file is cut into leaves, from the text of the `chunker` option. */
import { type Chunker, fixedSize } from 'ipfs-unixfs-importer/chunker';
import { unixfsError } from './errors.ts';

/** Bytes; boxo `chunk.ChunkSizeLimit`: 2 MiB less room for the wrapping. */
const chunkSizeMax = 2 * 1024 * 1024 - 256;
const chunkSizeDefault = 256 * 1024;

/**
 * `size-<bytes>`, `default` or nothing. Throws `unixfs/bad-option`, also for `rabin` and `buzhash`: a cut that is not
 * exactly Kubo's would give other CIDs without a word.
 */
export function parseChunker(text: string): Chunker {
  if (text === '' || text === 'default') return fixedSize({ chunkSize: chunkSizeDefault });
  const size = /^size-(.*)$/.exec(text)?.[1];
  if (size === undefined) {
    const known = /^(rabin|buzhash)/.test(text);
    throw unixfsError(
      'unixfs/bad-option',
      known
        ? `chunker ${text} is not supported by this node: expected size-<bytes>`
        : `unrecognized chunker option: ${text}`,
    );
  }
  if (!/^[+-]?\d{1,18}$/.test(size)) {
    throw unixfsError('unixfs/bad-option', `strconv.Atoi: parsing ${JSON.stringify(size)}: invalid syntax`);
  }
  const chunkSize = Number(size);
  if (chunkSize <= 0) throw unixfsError('unixfs/bad-option', 'chunker size must be greater than 0');
  if (chunkSize > chunkSizeMax) {
    throw unixfsError(
      'unixfs/bad-option',
      `chunker parameters may not exceed the maximum chunk size of ${chunkSizeMax}`,
    );
  }
  return fixedSize({ chunkSize });
}
