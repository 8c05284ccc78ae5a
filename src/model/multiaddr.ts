/**
 * Multiaddrs between text and bytes. A protocol that the library does not know never makes a message unreadable:
 * such an address becomes `/x-unparsed/<hex of its bytes>` and turns back into the same bytes.
 */
import { multiaddr } from '@multiformats/multiaddr';
import {
  bytesEqual,
  concatBytes,
  copyBytes,
  errorMessage,
  hexDecode,
  hexEncode,
  OperatingError,
  utf8Decode,
  utf8Encode,
  varintEncode,
  varintRead,
} from '../base/index.ts';
import type { Multiaddr } from './peer.ts';

/** The library takes one segment of the path only. */
const unixPrefix = '/unix';
const unixCode = 400;
const unparsedPrefix = '/x-unparsed/';
const textLengthMax = 4096;
/** Longer ones are not looked into: printing the base58 of a long peer id takes quadratic time. Real ones have a few dozen. */
const parsedBytesMax = 1024;
/** Addresses remembered in each direction; all are forgotten when more come. */
const rememberedMax = 2048;

const bytesOfText = new Map<string, Uint8Array>();
const textOfBytes = new Map<number, { readonly bytes: Uint8Array; readonly text: Multiaddr }>();

/**
 * Canonical form of a multiaddr given as text (`/ipfs/<id>` becomes `/p2p/<id>`).
 * Throws `OperatingError` `model/bad-multiaddr` with the text of the Go library where a recording fixes it.
 */
export function parseMultiaddr(text: string): Multiaddr {
  return multiaddrFromBytes(multiaddrToBytes(text));
}

/** Binary form. Do not change the bytes. Throws `OperatingError` `model/bad-multiaddr`. */
export function multiaddrToBytes(text: Multiaddr): Uint8Array {
  const known = bytesOfText.get(text);
  if (known !== undefined) return known;
  const bytes = convert(text);
  if (bytes.length > parsedBytesMax) return bytes;
  if (bytesOfText.size >= rememberedMax) bytesOfText.clear();
  bytesOfText.set(text, bytes);
  return bytes;
}

/** Text of a binary multiaddr; never fails, see above. */
export function multiaddrFromBytes(bytes: Uint8Array): Multiaddr {
  if (bytes.length > parsedBytesMax) return unparsedPrefix + hexEncode(bytes);
  // FNV-1a: enough to find an address again, the comparison decides.
  let key = 0x811c9dc5;
  for (const byte of bytes) key = Math.imul(key ^ byte, 0x01000193);
  const known = textOfBytes.get(key);
  if (known !== undefined && bytesEqual(known.bytes, bytes)) return known.text;
  const text = print(bytes);
  if (textOfBytes.size >= rememberedMax) textOfBytes.clear();
  textOfBytes.set(key, { bytes: copyBytes(bytes), text });
  return text;
}

/** The value behind the last `/p2p/` of an address, or `undefined`. */
export function peerIdOfMultiaddr(address: Multiaddr): string | undefined {
  const parts = address.split('/');
  const at = Math.max(parts.lastIndexOf('p2p'), parts.lastIndexOf('ipfs'));
  return at > 0 ? parts[at + 1] : undefined;
}

function print(bytes: Uint8Array): string {
  try {
    const path = unixPathOf(bytes);
    if (path !== undefined) return unixPrefix + path;
    const copy = copyBytes(bytes);
    const text = multiaddr(copy).toString();
    // Text that would not lead back to the bytes must not stand for them.
    if (bytesEqual(multiaddr(text).bytes, copy)) return text;
  } catch {
    // An unknown protocol or a damaged address: printed as bytes below.
  }
  return unparsedPrefix + hexEncode(bytes);
}

function convert(text: string): Uint8Array {
  const shown = text.length > 256 ? `${text.slice(0, 256)}…` : text;
  if (text === '') throw bad('empty multiaddr');
  if (!text.startsWith('/')) throw bad(`failed to parse multiaddr "${shown}": must begin with /`);
  const isUnparsed = text.startsWith(unparsedPrefix);
  if (text.length > textLengthMax && !isUnparsed) {
    throw bad(`failed to parse multiaddr "${shown}": longer than ${textLengthMax} letters`);
  }
  try {
    if (text.startsWith(`${unixPrefix}/`)) return unixBytes(text.slice(unixPrefix.length));
    return isUnparsed ? hexDecode(text.slice(unparsedPrefix.length)) : multiaddr(text).bytes;
  } catch (error) {
    throw bad(`failed to parse multiaddr "${shown}": ${errorMessage(error)}`, error);
  }
}

/** Code, length, and the path with its slash, which is the rest of the address. Source: go-multiaddr `unixValidate`. */
function unixBytes(path: string): Uint8Array {
  if (!isUnixPath(path)) throw bad('expected the path of a unix socket');
  const bytes = utf8Encode(path);
  return concatBytes([varintEncode(unixCode), varintEncode(bytes.length), bytes]);
}

/** `undefined` when the bytes are not such an address and nothing else. */
function unixPathOf(bytes: Uint8Array): string | undefined {
  const code = varintRead(bytes, 0);
  const length = code?.value === unixCode ? varintRead(bytes, code.end) : undefined;
  if (length === undefined) return undefined;
  const path = utf8Decode(bytes.subarray(length.end));
  return isUnixPath(path) && bytesEqual(unixBytes(path), bytes) ? path : undefined;
}

function isUnixPath(path: string): boolean {
  return path.length >= 2 && path.startsWith('/') && !path.endsWith('/');
}

function bad(reason: string, cause?: unknown): OperatingError {
  return new OperatingError('model/bad-multiaddr', reason, { cause });
}
