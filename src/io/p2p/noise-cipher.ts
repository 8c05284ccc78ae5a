/**
 * The cipher of noise connections (RFC 8439), as quick as Node has it.
 *
 * OpenSSL is quicker than WebAssembly from some hundred bytes on, but only with a prepared key: preparing one for each message, as the
 * stock way does, costs three times as much as the rest. So each key is prepared once; it lives as long as its connection.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import type { ICryptoInterface } from '@chainsafe/libp2p-noise';
import { defaultCrypto } from '@chainsafe/libp2p-noise/crypto';

/** Noise has a version of lists of its own. */
type Bytes = Parameters<ICryptoInterface['chaCha20Poly1305Encrypt']>[0];

const algorithm = 'chacha20-poly1305';
const tagBytes = 16;
/** Shorter messages are quicker in WebAssembly. Measured. */
const nativeBytesMin = 500;

const prepared = new WeakMap<Uint8Array, KeyObject>();

function keyOf(bytes: Uint8Array): KeyObject {
  let key = prepared.get(bytes);
  if (key === undefined) {
    key = createSecretKey(bytes);
    prepared.set(bytes, key);
  }
  return key;
}

function encrypt(plain: Bytes, nonce: Uint8Array, extra: Uint8Array, key: Uint8Array): Bytes {
  if (plain.byteLength < nativeBytesMin) return defaultCrypto.chaCha20Poly1305Encrypt(plain, nonce, extra, key);
  const cipher = createCipheriv(algorithm, keyOf(key), nonce, { authTagLength: tagBytes });
  if (extra.length > 0) cipher.setAAD(extra, { plaintextLength: plain.byteLength });
  const encrypted = cipher.update(plain.subarray());
  // It is a stream cipher: nothing is left for the end.
  cipher.final();
  return Buffer.concat([encrypted, cipher.getAuthTag()], encrypted.length + tagBytes);
}

/** Throws when the message is not what was encrypted. */
function decrypt(received: Bytes, nonce: Uint8Array, extra: Uint8Array, key: Uint8Array, target?: Uint8Array): Bytes {
  if (received.byteLength < nativeBytesMin) {
    return defaultCrypto.chaCha20Poly1305Decrypt(received, nonce, extra, key, target);
  }
  const bytes = received.subarray();
  const end = bytes.length - tagBytes;
  const decipher = createDecipheriv(algorithm, keyOf(key), nonce, { authTagLength: tagBytes });
  if (extra.length > 0) decipher.setAAD(extra, { plaintextLength: end });
  decipher.setAuthTag(bytes.subarray(end));
  const plain = decipher.update(bytes.subarray(0, end));
  decipher.final();
  return plain;
}

/** What noise takes for its cryptography. */
export const noiseCrypto: ICryptoInterface = {
  ...defaultCrypto,
  chaCha20Poly1305Encrypt: encrypt,
  chaCha20Poly1305Decrypt: decrypt,
};
