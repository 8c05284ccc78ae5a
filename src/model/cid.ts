/**
 * Content identifiers, kept as their bytes; text is made late and only once.
 *
 * Two CIDs are the same pin only when their bytes are equal: version and codec count (Go compares `cid.Cid` values).
 * Never compare with `===`; use `equals`, or `key` as a map key.
 */
import { CID } from 'multiformats/cid';

export class Cid {
  readonly bytes: Uint8Array;
  #text: string | undefined;

  private constructor(bytes: Uint8Array, text?: string) {
    this.bytes = bytes;
    this.#text = text;
  }

  /** From binary form, validated. Throws `OperatingError` `model/bad-cid`. */
  static decode(bytes: Uint8Array): Cid {
    return new Cid(CID.decode(bytes).bytes);
  }

  /** From text in any multibase, or base58 for version 0. Throws `OperatingError` `model/bad-cid`. */
  static parse(text: string): Cid {
    return new Cid(CID.parse(text).bytes);
  }

  get version(): 0 | 1 {
    return this.bytes[0] === 0x12 && this.bytes[1] === 0x20 && this.bytes.length === 34 ? 0 : 1;
  }

  equals(other: Cid): boolean {
    return this.key === other.key;
  }

  /** A map key: equal for equal bytes. */
  get key(): string {
    return this.toString();
  }

  /** Canonical text: base58 for version 0, lower-case base32 for version 1. */
  toString(): string {
    this.#text ??= CID.decode(this.bytes).toString();
    return this.#text;
  }

  toJSON(): { '/': string } {
    return { '/': this.toString() };
  }
}
