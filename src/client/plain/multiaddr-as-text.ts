/**
 * In place of `@multiformats/multiaddr` in the bundle of the client, of which it would be a fifth: a client passes addresses on as text,
 * and only peers need their bytes. What is none is refused by the peer that gets it.
 */
import { utf8Decode, utf8Encode } from '../../base/index.ts';

/** What the model needs of a multiaddr; the bytes are those of its text. */
export interface TextMultiaddr {
  readonly bytes: Uint8Array;
  toString(): string;
}

/** Of text, or of its bytes. */
export function multiaddr(value: string | Uint8Array): TextMultiaddr {
  const text = typeof value === 'string' ? value : utf8Decode(value);
  return { bytes: utf8Encode(text), toString: () => text };
}
