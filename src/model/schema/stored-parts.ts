/** Parts of a stored pin that several kinds of lines have. */
import { utf8Encode } from '../../base/index.ts';
import type { PeerId } from '../peer.ts';
import type { StoredPin } from '../stored-pin.ts';
import { jsonText } from './json-text.ts';
import type { LineBuffer } from './line-buffer.ts';

const letterB = utf8Encode('b');
const comma = utf8Encode(',');
/** Texts of peers remembered; all are forgotten when more come. */
const peersMax = 1024;
const peerTexts = new Map<PeerId, Uint8Array>();

/** The inside of the JSON string. */
export function writeCid(lines: LineBuffer, pin: StoredPin): void {
  if (isVersionZero(pin.key)) {
    lines.text(pin.cid.toString());
    return;
  }
  lines.copy(letterB);
  lines.lowerCase(pin.key);
}

export function writeName(lines: LineBuffer, pin: StoredPin): void {
  lines.quoted(pin.value, pin.nameStart, pin.nameEnd, () => pin.name);
}

/** The inside of the JSON list. */
export function writePeers(lines: LineBuffer, peers: readonly PeerId[]): void {
  for (let i = 0; i < peers.length; i++) {
    if (i > 0) lines.copy(comma);
    // The index is below the length.
    lines.copy(peerText(peers[i] as PeerId));
  }
}

function peerText(peer: PeerId): Uint8Array {
  let text = peerTexts.get(peer);
  if (text === undefined) {
    text = utf8Encode(jsonText(peer));
    if (peerTexts.size >= peersMax) peerTexts.clear();
    peerTexts.set(peer, text);
  }
  return text;
}

/** 34 bytes that begin with 0x12 and 0x20, in base32. */
function isVersionZero(key: string): boolean {
  return key.length === 55 && key.startsWith('CIQ');
}
