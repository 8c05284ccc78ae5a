/** `identity.json`: who the peer is. Source: Go `config/identity.go`. */
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { isJsonObject, type Json } from '../../model/config/index.ts';
import { type PeerId, parsePeerId } from '../../model/index.ts';
import { badFile, noFile } from './errors.ts';
import { readText, writeText } from './file.ts';
import { parseJson } from './json-file.ts';

/** The key of a peer and the id that follows from it. */
export interface Identity {
  readonly id: PeerId;
  readonly privateKey: PrivateKey;
}

const idForm = 'a peer id such as "12D3KooW…"';
const keyForm = 'the base64 of a libp2p private key';

/** A new one, with an Ed25519 key. */
export async function createIdentity(): Promise<Identity> {
  return identityOf(await generateKeyPair('Ed25519'));
}

/**
 * The identity of two texts, as the file or the environment has them. `where` names their source.
 * Throws `config/bad-file`. Texts of the key are never shown.
 */
export function parseIdentity(id: Json | undefined, key: Json | undefined, where: string): Identity {
  const privateKey = parseKey(key, where);
  const identity = identityOf(privateKey);
  if (parseId(id, where) !== identity.id) {
    throw badFile(where, `id: found ${JSON.stringify(id)}, expected the id of private_key, which is "${identity.id}"`);
  }
  return identity;
}

/** Reads the file, with `CLUSTER_ID` and `CLUSTER_PRIVATEKEY` on top. Throws `config/bad-file`, `config/no-file`. */
export async function readIdentity(
  path: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Identity> {
  const text = await readText(path);
  if (text === undefined) throw noFile(path, 'make one with "ipfs-cluster-service init"');
  const json = parseJson(path, text);
  if (!isJsonObject(json)) throw badFile(path, 'expected an object with id and private_key');
  return overrideIdentity(parseIdentity(json.id, json.private_key, path), environment);
}

/** The identity that the environment names, else the given one; both variables are needed to change it. */
export function overrideIdentity(
  identity: Identity,
  environment: Readonly<Record<string, string | undefined>>,
): Identity {
  const { CLUSTER_ID: id, CLUSTER_PRIVATEKEY: key } = environment;
  if (id === undefined && key === undefined) return identity;
  const where = 'environment (CLUSTER_ID, CLUSTER_PRIVATEKEY)';
  return parseIdentity(id ?? identity.id, key ?? encodeKey(identity.privateKey), where);
}

/** Writes the file in Go's form. */
export async function writeIdentity(path: string, identity: Identity): Promise<void> {
  const json = { id: identity.id, private_key: encodeKey(identity.privateKey) };
  await writeText(path, JSON.stringify(json, null, 4), 0o600);
}

function identityOf(privateKey: PrivateKey): Identity {
  return { id: peerIdFromPrivateKey(privateKey).toString(), privateKey };
}

function encodeKey(key: PrivateKey): string {
  return Buffer.from(privateKeyToProtobuf(key)).toString('base64');
}

function parseId(id: Json | undefined, where: string): PeerId {
  try {
    return parsePeerId(typeof id === 'string' ? id : '');
  } catch (error) {
    throw badFile(where, `id: found ${id === undefined ? 'nothing' : JSON.stringify(id)}, expected ${idForm}`, error);
  }
}

function parseKey(key: Json | undefined, where: string): PrivateKey {
  const isBase64 = typeof key === 'string' && /^[A-Za-z0-9+/]+={0,2}$/.test(key) && key.length % 4 === 0;
  const found = typeof key === 'string' ? `${key.length} characters` : key === undefined ? 'nothing' : 'no text';
  if (!isBase64) throw badFile(where, `private_key: found ${found}, expected ${keyForm}`);
  try {
    return privateKeyFromProtobuf(Buffer.from(key, 'base64'));
  } catch (error) {
    throw badFile(where, `private_key: found base64 of something else, expected ${keyForm}`, error);
  }
}
