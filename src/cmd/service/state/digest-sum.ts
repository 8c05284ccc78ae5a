/**
 * A number that tells whether two peers hold the same pinset, whatever order they list it in: the sum of the SHA-256 digests of the
 * snapshot records of all pins, modulo 2^256.
 */
import { createHash } from 'node:crypto';
import { utf8Encode } from '../../../base/index.ts';
import { encodePin, type Pin, snapshotRecordCodec, stateKey } from '../../../model/index.ts';

const modulus = 1n << 256n;

/** Of the pins that were added so far. */
export class DigestSum {
  count = 0;
  #sum = 0n;

  add(pin: Pin): void {
    const record = { key: utf8Encode(stateKey(pin.cid)), value: encodePin(pin) };
    const hash = createHash('sha256').update(snapshotRecordCodec.encode(record)).digest('hex');
    this.#sum = (this.#sum + BigInt(`0x${hash}`)) % modulus;
    this.count++;
  }

  /** 64 hexadecimal digits. */
  toString(): string {
    return this.#sum.toString(16).padStart(64, '0');
  }
}
