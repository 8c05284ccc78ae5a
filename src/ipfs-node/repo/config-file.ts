/** The node's `config` file, in Kubo's form: written in one step, the private key kept out of what is shown. */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, errorMessage } from '../../base/index.ts';
import { nodeError } from '../errors.ts';
import type { ConfigValue, NodeConfig } from '../ports.ts';
import { diskError } from './level.ts';
import { syncFolder } from './segment-files.ts';

type ConfigObject = { [key: string]: ConfigValue };

/** What a new config begins with. */
export interface ConfigDefaults {
  readonly peerId: string;
  /** Base64 of the protobuf of the private key. */
  readonly privateKey: string;
  readonly api: string;
  readonly swarm: readonly string[];
  /** As Kubo writes it, `10GB`. */
  readonly storageMax: string;
}

const fileName = 'config';

/** Reads, changes and writes the file; one per node. */
export class ConfigFile implements NodeConfig {
  readonly #folder: string;
  #values: ConfigObject;
  #writing: Promise<void> = Promise.resolve();

  private constructor(folder: string, values: ConfigObject) {
    this.#folder = folder;
    this.#values = values;
  }

  /** Makes the file when there is none. Throws `ipfs-node/config-file`. */
  static async open(folder: string, makeDefaults: () => Promise<ConfigDefaults>): Promise<ConfigFile> {
    await mkdir(folder, { recursive: true });
    const path = join(folder, fileName);
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw badFile(path, errorMessage(error), error);
      const config = new ConfigFile(folder, fromDefaults(await makeDefaults()));
      await config.#write(config.#values);
      return config;
    }
    const config = new ConfigFile(folder, parseConfig(path, text));
    parseSize(config.#text(path, 'Datastore', 'StorageMax'));
    config.#text(path, 'Identity', 'PeerID');
    config.#text(path, 'Identity', 'PrivKey');
    return config;
  }

  /** Base64, as in the file. */
  get privateKey(): string {
    return String(at(this.#values, ['Identity', 'PrivKey']));
  }

  get peerId(): string {
    return String(at(this.#values, ['Identity', 'PeerID']));
  }

  get storageMaxBytes(): number {
    return parseSize(at(this.#values, ['Datastore', 'StorageMax']));
  }

  show(): { readonly [key: string]: ConfigValue } {
    const shown = structuredClone(this.#values);
    if (isObject(shown.Identity)) shown.Identity = withoutKey(shown.Identity, 'PrivKey');
    return shown;
  }

  get(path: string): ConfigValue {
    const keys = parsePath(path);
    const value = isPrivateKey(keys) ? undefined : at(this.show(), keys);
    if (value === undefined) throw nodeError('ipfs-node/config-key', `key not found in configuration: "${path}"`);
    return value;
  }

  async set(path: string, value: ConfigValue): Promise<void> {
    const keys = parsePath(path);
    if (keys[0]?.toLowerCase() === 'identity') {
      throw nodeError('ipfs-node/config-key', `Cannot set "${path}": the identity is that of the repo`);
    }
    if (path === 'Datastore.StorageMax') parseSize(value);
    const values = structuredClone(this.#values);
    let parent: ConfigObject = values;
    for (const key of keys.slice(0, -1)) {
      const child = parent[key];
      if (child !== undefined && !isObject(child)) {
        throw nodeError('ipfs-node/config-key', `Cannot set "${path}": "${key}" is no section`);
      }
      const next: ConfigObject = child === undefined ? {} : { ...child };
      parent[key] = next;
      parent = next;
    }
    parent[keys.at(-1) ?? ''] = structuredClone(value);
    await this.#write(values);
    this.#values = values;
  }

  /** Changes what the program was started with; not written unless it differs. */
  async apply(changes: { readonly storageMax?: string | undefined }): Promise<void> {
    const { storageMax } = changes;
    if (storageMax !== undefined && this.get('Datastore.StorageMax') !== storageMax) {
      await this.set('Datastore.StorageMax', storageMax);
    }
  }

  #text(file: string, ...keys: string[]): string {
    const value = at(this.#values, keys);
    if (typeof value === 'string' && value !== '') return value;
    throw badFile(file, `${keys.join('.')} is ${JSON.stringify(value)}, a text expected`);
  }

  #write(values: ConfigObject): Promise<void> {
    const write = this.#writing.then(() => writeWhole(this.#folder, `${JSON.stringify(values, undefined, 2)}\n`));
    this.#writing = write.catch(() => {});
    return write;
  }
}

/** Bytes of a size such as `10GB`, `512MiB` or `1048576`. Throws `ipfs-node/config-value`. */
export function parseSize(value: unknown): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?)b?\s*$/i.exec(String(value));
  const [, digits = '', unit = '', binary = ''] = match ?? [];
  const power = ['', 'k', 'm', 'g', 't', 'p'].indexOf(unit.toLowerCase());
  const bytes = Number(digits) * (binary === '' ? 1000 : 1024) ** power;
  if (match === null || (unit === '' && binary !== '') || bytes > Number.MAX_SAFE_INTEGER) {
    const text = `Cannot use ${JSON.stringify(value)} as Datastore.StorageMax: a size such as "10GB" expected`;
    throw nodeError('ipfs-node/config-value', text);
  }
  return Math.floor(bytes);
}

function fromDefaults({ peerId, privateKey, api, swarm, storageMax }: ConfigDefaults): ConfigObject {
  parseSize(storageMax);
  return {
    Identity: { PeerID: peerId, PrivKey: privateKey },
    Datastore: { StorageMax: storageMax, StorageGCWatermark: 90, GCPeriod: '1h' },
    Addresses: { Swarm: [...swarm], Announce: [], NoAnnounce: [], API: api, Gateway: '' },
    Bootstrap: [],
  };
}

function parseConfig(path: string, text: string): ConfigObject {
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch (error) {
    throw badFile(path, errorMessage(error), error);
  }
  if (!isObject(values)) throw badFile(path, 'a JSON object expected');
  return values;
}

/** A new file beside the old one takes its place, so that a crash leaves one of the two. */
async function writeWhole(folder: string, text: string): Promise<void> {
  const path = join(folder, fileName);
  try {
    const file = await open(`${path}.new`, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
    await syncFolder(folder);
  } catch (error) {
    throw diskError(`write "${path}"`, error);
  }
}

function parsePath(path: string): string[] {
  const keys = path.split('.');
  if (keys.some((key) => key === '' || key === '__proto__')) {
    throw nodeError('ipfs-node/config-key', `Cannot use "${path}" as a config key: names with dots between expected`);
  }
  return keys;
}

function isPrivateKey(keys: readonly string[]): boolean {
  return keys[0] === 'Identity' && keys[1] === 'PrivKey';
}

function at(values: { readonly [key: string]: ConfigValue }, keys: readonly string[]): ConfigValue | undefined {
  let value: ConfigValue | undefined = values;
  for (const key of keys) value = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return value;
}

function isObject(value: unknown): value is ConfigObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withoutKey(object: ConfigObject, dropped: string): ConfigObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => key !== dropped));
}

function badFile(path: string, reason: string, cause?: unknown): Error {
  return nodeError('ipfs-node/config-file', `Cannot read "${path}": ${reason}`, cause);
}
