/**
 * Base58 with the Bitcoin alphabet: the text of version 0 CIDs and of peer ids.
 * Digits are worked on in limbs, which makes short inputs about ten times faster than digit by digit.
 */
import { OperatingError } from './errors.ts';

const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const values = new Int8Array(128).fill(-1);
for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i;

/** 58^5: five digits in one limb, so that `limb * 2^16 + carry` stays an exact integer. */
const encodeLimb = 656_356_768;
/** 58^4: with limbs of 24 bits, `limb * 58^4 + carry` stays an exact integer. */
const decodeFactors = [1, 58, 3364, 195_112, 11_316_496] as const;

/**
 * The work grows with the square of the length, so text from outside is refused beyond this many letters:
 * the longest CIDs and peer ids in use (RSA keys, SHA-512 digests) stay below 100.
 */
const textLengthMax = 512;

/** Base58 text. */
export function base58Encode(bytes: Uint8Array): string {
  let zeros = 0;
  while (zeros < bytes.length && bytes[zeros] === 0) zeros++;
  const limbs: number[] = [];
  let i = zeros;
  // An odd count starts with a single byte; then two at a time.
  if ((bytes.length - zeros) % 2 === 1) multiplyAdd(limbs, 256, bytes[i++] ?? 0, encodeLimb);
  for (; i < bytes.length; i += 2) {
    multiplyAdd(limbs, 65_536, ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0), encodeLimb);
  }
  let text = '';
  for (let at = limbs.length - 1; at >= 0; at--) {
    let rest = limbs[at] ?? 0;
    let part = '';
    for (let digit = 0; digit < 5; digit++) {
      part = (alphabet[rest % 58] ?? '') + part;
      rest = Math.floor(rest / 58);
    }
    text += part;
  }
  let leading = 0;
  while (leading < text.length && text[leading] === '1') leading++;
  return '1'.repeat(zeros) + text.slice(leading);
}

/** Bytes of base58 text. Throws `OperatingError` `base/bad-base58`. */
export function base58Decode(text: string): Uint8Array {
  if (text.length > textLengthMax) {
    throw new OperatingError(
      'base/bad-base58',
      `Cannot decode base58 text of ${text.length} letters: at most ${textLengthMax}`,
    );
  }
  let zeros = 0;
  while (zeros < text.length && text[zeros] === '1') zeros++;
  const limbs: number[] = [];
  for (let i = zeros; i < text.length; ) {
    let part = 0;
    let count = 0;
    for (; count < 4 && i < text.length; count++, i++) {
      const code = text.charCodeAt(i);
      const value = code < 128 ? (values[code] ?? -1) : -1;
      if (value < 0) {
        throw new OperatingError('base/bad-base58', `Cannot decode base58 text: "${text[i]}" at position ${i}`);
      }
      part = part * 58 + value;
    }
    multiplyAdd(limbs, decodeFactors[count] ?? 1, part, 16_777_216);
  }
  const top = limbs.at(-1) ?? 0;
  const topBytes = limbs.length === 0 ? 0 : top > 0xffff ? 3 : top > 0xff ? 2 : 1;
  const length = limbs.length === 0 ? 0 : (limbs.length - 1) * 3 + topBytes;
  const bytes = new Uint8Array(zeros + length);
  for (let i = 0; i < length; i++) {
    bytes[bytes.length - 1 - i] = ((limbs[Math.floor(i / 3)] ?? 0) >>> ((i % 3) * 8)) & 0xff;
  }
  return bytes;
}

/** `number = number * factor + addend`, where `limbs` are its digits to the given base, lowest first. */
function multiplyAdd(limbs: number[], factor: number, addend: number, base: number): void {
  let carry = addend;
  for (let i = 0; i < limbs.length; i++) {
    const sum = (limbs[i] ?? 0) * factor + carry;
    carry = Math.floor(sum / base);
    limbs[i] = sum - carry * base;
  }
  while (carry > 0) {
    limbs.push(carry % base);
    carry = Math.floor(carry / base);
  }
}
