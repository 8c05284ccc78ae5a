/**
 * Peer ids between their text and their bytes, a multihash of (or around) the public key.
 * Members are few and appear in every message, so both directions remember what they converted.
 */
import {
  base58Decode,
  base58Encode,
  bytesEqual,
  copyBytes,
  errorMessage,
  OperatingError,
  varintRead,
} from '../base/index.ts';
import { Cid } from './cid.ts';
import type { PeerId } from './peer.ts';

const libp2pKeyCodec = 0x72;
const bytesMax = 128;
/** Of the base58 of so many bytes. */
const textLengthMax = 176;
/** Ids remembered in each direction; all are forgotten when more come, which bounds what strangers can make us keep. */
const rememberedMax = 4096;

const bytesOfText = new Map<string, Uint8Array>();
/** By the last four bytes, which are random in every kind of id; a collision only costs a conversion. */
const textOfBytes = new Map<number, { readonly bytes: Uint8Array; readonly text: PeerId }>();

/**
 * Canonical form of a peer id given as base58 (`12D3KooW…`, `Qm…`) or as a CID with codec libp2p-key.
 * Throws `OperatingError` `model/bad-peer-id`.
 * Source: go-libp2p `peer.Decode`.
 */
export function parsePeerId(text: string): PeerId {
  if (text.startsWith('Qm') || text.startsWith('1')) {
    peerIdToBytes(text);
    return text;
  }
  let cid: Cid;
  try {
    cid = Cid.parse(text);
  } catch (error) {
    throw bad(`failed to parse peer ID: ${errorMessage(error)}`, error);
  }
  if (cid.codec !== libp2pKeyCodec) {
    throw bad(`failed to convert CID of type '0x${cid.codec.toString(16)}' to a peer ID`);
  }
  return peerIdFromBytes(cid.multihash);
}

/** The multihash of a peer id in base58. Do not change the bytes. Throws `OperatingError` `model/bad-peer-id`. */
export function peerIdToBytes(text: PeerId): Uint8Array {
  const known = bytesOfText.get(text);
  if (known !== undefined) return known;
  // Decoding takes quadratic time.
  if (text.length > textLengthMax)
    throw bad(`failed to parse peer ID: ${text.length} letters, at most ${textLengthMax}`);
  let bytes: Uint8Array;
  try {
    bytes = base58Decode(text);
  } catch (error) {
    throw bad(`failed to parse peer ID: invalid base58 digit in "${text.slice(0, 64)}"`, error);
  }
  checkMultihash(bytes);
  if (bytesOfText.size >= rememberedMax) bytesOfText.clear();
  bytesOfText.set(text, bytes);
  return bytes;
}

/** The text of a peer id given as its multihash. Throws `OperatingError` `model/bad-peer-id`. */
export function peerIdFromBytes(bytes: Uint8Array): PeerId {
  const end = bytes.length - 4;
  const key =
    ((bytes[end] ?? 0) << 24) | ((bytes[end + 1] ?? 0) << 16) | ((bytes[end + 2] ?? 0) << 8) | (bytes[end + 3] ?? 0);
  const known = textOfBytes.get(key);
  if (known !== undefined && bytesEqual(known.bytes, bytes)) return known.text;
  checkMultihash(bytes);
  const text = base58Encode(bytes);
  if (textOfBytes.size >= rememberedMax) textOfBytes.clear();
  textOfBytes.set(key, { bytes: copyBytes(bytes), text });
  return text;
}

function checkMultihash(bytes: Uint8Array): void {
  if (bytes.length < 2) throw bad('failed to parse peer ID: multihash too short. must be >= 2 bytes');
  if (bytes.length > bytesMax) throw bad(`failed to parse peer ID: ${bytes.length} bytes, at most ${bytesMax}`);
  const code = varintRead(bytes, 0);
  const length = code && varintRead(bytes, code.end);
  if (length === undefined || length.end + length.value !== bytes.length) {
    throw bad('failed to parse peer ID: length greater than remaining number of bytes in buffer');
  }
}

function bad(reason: string, cause?: unknown): OperatingError {
  return new OperatingError('model/bad-peer-id', reason, { cause });
}
