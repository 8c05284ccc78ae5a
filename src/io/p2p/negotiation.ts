/**
 * The lines by which two sides of a stream agree on a protocol.
 * Source: libp2p spec `connections/README.md`, "multistream-select"; a line is a varint length, text and a newline.
 */

/** Lines longer than this are nothing that this peer speaks. */
const lineBytesMax = 512;

/** The first line of both sides, in wire form. */
export const multistreamHeader: Uint8Array = encodeLine('/multistream/1.0.0');

/** The answer to a protocol that is not spoken. */
const refusal = encodeLine('na');

/** Header and protocol line: what a dialer sends first, and what a listener that agrees answers. */
export function agreementOf(protocol: string): Uint8Array {
  let agreement = agreements.get(protocol);
  if (agreement === undefined) {
    agreement = Buffer.concat([multistreamHeader, encodeLine(protocol)]);
    agreements.set(protocol, agreement);
  }
  return agreement;
}

/** Made once for each of the few protocols of this peer; never asked for a protocol that a remote names. */
const agreements = new Map<string, Uint8Array>();

/** Whether a listener's answer says that it does not speak the protocol. */
export function isRefusal(answer: Uint8Array): boolean {
  return Buffer.from(answer.subarray(0, multistreamHeader.length + refusal.length)).equals(
    Buffer.concat([multistreamHeader, refusal]),
  );
}

/**
 * What a dialer has sent so far.
 * `header-only`: it waits for an answer to the header; `other`: nothing that this module reads.
 */
export type Proposal =
  | { readonly kind: 'incomplete' | 'header-only' | 'other' }
  | { readonly kind: 'protocol'; readonly protocol: string; readonly end: number };

export function readProposal(bytes: Uint8Array): Proposal {
  const compared = Math.min(bytes.length, multistreamHeader.length);
  for (let i = 0; i < compared; i++) if (bytes[i] !== multistreamHeader[i]) return { kind: 'other' };
  if (bytes.length < multistreamHeader.length) return { kind: 'incomplete' };
  if (bytes.length === multistreamHeader.length) return { kind: 'header-only' };
  const start = multistreamHeader.length;
  const first = bytes[start] ?? 0;
  const second = bytes[start + 1];
  if (first >= 0x80 && second === undefined) return { kind: 'incomplete' };
  const length = first < 0x80 ? first : (first & 0x7f) | ((second ?? 0) << 7);
  const textStart = start + (first < 0x80 ? 1 : 2);
  if (length < 2 || length > lineBytesMax) return { kind: 'other' };
  const end = textStart + length;
  if (bytes.length < end) return { kind: 'incomplete' };
  if (bytes[end - 1] !== 0x0a) return { kind: 'other' };
  return { kind: 'protocol', protocol: Buffer.from(bytes.subarray(textStart, end - 1)).toString('utf8'), end };
}

function encodeLine(text: string): Uint8Array {
  const body = Buffer.from(`${text}\n`);
  const length = body.length < 0x80 ? [body.length] : [(body.length & 0x7f) | 0x80, body.length >>> 7];
  return Uint8Array.from([...length, ...body]);
}
