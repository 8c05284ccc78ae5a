/**
 * Guards the CAR reader: it gathers a section of whatever length the file claims, so lengths are checked before it sees
 * them. A section is a varint length, then a CID and a block (the first one: the header).
 */
import { rpcError } from './errors.ts';

/** Bytes of the header: roots of at most a few dozen bytes each. */
const headerSizeMax = 8 * 1024 * 1024;
/** Room for the CID before the block. */
const cidSizeMax = 512;
/** Seven bits a byte; nothing longer is a length. */
const varintSizeMax = 8;
/** The header of a version 2 file, `{version: 2}` in CBOR. */
const pragma2 = 'a16776657273696f6e02';

/** The same bytes. Throws `ipfs-rpc/bad-car` for a section that is too large, and for version 2 files. */
export async function* carSections(
  source: AsyncIterable<Uint8Array>,
  blockSizeMax: number,
): AsyncGenerator<Uint8Array> {
  let length = 0;
  let lengthSize = 0;
  let remaining = 0;
  let isHeader = true;
  let header = '';
  for await (const bytes of source) {
    let position = 0;
    while (position < bytes.length) {
      if (remaining > 0) {
        const taken = Math.min(remaining, bytes.length - position);
        if (isHeader && header.length < pragma2.length) {
          header += Buffer.from(bytes.subarray(position, position + taken)).toString('hex');
          checkVersion(header);
        }
        remaining -= taken;
        position += taken;
        if (remaining === 0) isHeader = false;
        continue;
      }
      const byte = bytes[position] ?? 0;
      position += 1;
      length += (byte & 0x7f) * 2 ** (7 * lengthSize);
      lengthSize += 1;
      if ((byte & 0x80) !== 0) {
        if (lengthSize >= varintSizeMax) throw rpcError('ipfs-rpc/bad-car', 'section length is not a varint');
        continue;
      }
      const sizeMax = isHeader ? headerSizeMax : blockSizeMax + cidSizeMax;
      if (length > sizeMax) {
        const what = isHeader ? 'header' : 'section';
        throw rpcError('ipfs-rpc/bad-car', `${what} of ${length} bytes, at most ${sizeMax} expected`);
      }
      remaining = length;
      length = 0;
      lengthSize = 0;
    }
    yield bytes;
  }
  if (remaining > 0 || lengthSize > 0 || isHeader) throw rpcError('ipfs-rpc/bad-car', 'unexpected EOF');
}

function checkVersion(header: string): void {
  if (header !== pragma2) return;
  throw rpcError('ipfs-rpc/bad-car', 'CAR version 2 is not supported by this node: expected version 1');
}
