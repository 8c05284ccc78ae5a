/**
 * Everything that a peer starts from: its configuration with the environment on top, its identity, the addresses it knows.
 * Source: Go `cmdutils/configs.go` `ConfigHelper`.
 */
import { errorCode } from '../../base/index.ts';
import {
  type Environment,
  isFlatService,
  isJsonObject,
  type Json,
  overrideService,
  readFlatService,
  readService,
  type ServiceConfig,
  type Warn,
  writeService,
} from '../../model/config/index.ts';
import type { Multiaddr } from '../../model/index.ts';
import { badFile, inFile, noFile } from './errors.ts';
import { readText, writeText } from './file.ts';
import { type PeerFolder, peerFolder } from './folder.ts';
import { type Identity, overrideIdentity, parseIdentity, readIdentity, writeIdentity } from './identity.ts';
import { parseJson } from './json-file.ts';
import { readPeerstore } from './peerstore.ts';

/** What the file does not hold. */
export interface LoadOptions {
  readonly environment: Environment;
  readonly hostname: string;
  /** Told of what has no effect, each with its file. */
  readonly warn: Warn;
}

/** What the configuration file says. */
export interface LoadedConfig {
  readonly config: ServiceConfig;
  /** With the places that the configuration moves. */
  readonly folder: PeerFolder;
  /** Addresses that the configuration itself names: `cluster.peer_addresses`, `cluster_peers` of 2017. */
  readonly configuredAddresses: readonly Multiaddr[];
}

/** All of the folder. */
export interface LoadedPeer extends LoadedConfig {
  readonly identity: Identity;
  /** The configured addresses, then those of the peerstore file. */
  readonly knownAddresses: readonly Multiaddr[];
}

/** Reads `service.json`, today's or that of 2017. Throws `config/no-file`, `config/bad-file`, `config/bad-value`. */
export async function loadConfig(path: string, options: LoadOptions): Promise<LoadedConfig> {
  const { configFile } = peerFolder(path);
  const text = await readText(configFile);
  if (text === undefined) throw noFile(configFile, 'make one with "ipfs-cluster-service init"');
  const json = parseJson(configFile, text);
  const { config, peerAddresses } = parseService(configFile, json, options);
  const named = { ...config, cluster: { ...config.cluster, peername: config.cluster.peername || options.hostname } };
  return {
    config: named,
    folder: peerFolder(path, named),
    configuredAddresses: [...named.cluster.peerAddresses, ...peerAddresses],
  };
}

/** Reads all of the folder. Throws `config/no-file`, `config/bad-file`, `config/bad-value`. */
export async function loadPeer(path: string, options: LoadOptions): Promise<LoadedPeer> {
  const loaded = await loadConfig(path, options);
  const { config, folder, configuredAddresses } = loaded;
  const identity = await loadIdentity(folder, config, options);
  const remembered = await readPeerstore(folder.peerstoreFile, options.warn);
  return { ...loaded, identity, knownAddresses: [...new Set([...configuredAddresses, ...remembered])] };
}

/** Writes `service.json` as Go's `init` does. */
export async function writeConfig(folder: PeerFolder, config: ServiceConfig): Promise<void> {
  await writeText(folder.configFile, JSON.stringify(writeService(config, { form: 'file' }), null, 2), 0o600);
}

interface ParsedService {
  readonly config: ServiceConfig;
  readonly peerAddresses: readonly Multiaddr[];
}

function parseService(file: string, json: Json, options: LoadOptions): ParsedService {
  if (isJsonObject(json) && typeof json.source === 'string' && json.source !== '') {
    throw badFile(
      file,
      'source: a configuration at a remote place is not available yet, expected the sections themselves',
    );
  }
  const warn = (message: string): void => options.warn(`${file}: ${message}`);
  const { config, peerAddresses } = inContext(file, () =>
    isFlatService(json)
      ? readFlatService(json, options.hostname, warn)
      : { config: readService(json, warn), peerAddresses: [] },
  );
  return {
    config: inContext('environment', () => overrideService(config, options.environment, options.warn)),
    peerAddresses,
  };
}

function inContext<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw errorCode(error) === 'config/bad-value' ? inFile(where, error) : error;
  }
}

/** `identity.json`; without one, what the configuration holds (its home until version 0.11) is moved there. */
async function loadIdentity(folder: PeerFolder, { cluster }: ServiceConfig, options: LoadOptions): Promise<Identity> {
  const isElsewhere = cluster.id !== '' && cluster.privateKey !== '';
  if (!isElsewhere || (await readText(folder.identityFile)) !== undefined) {
    return await readIdentity(folder.identityFile, options.environment);
  }
  const identity = parseIdentity(cluster.id, cluster.privateKey, folder.configFile);
  await writeIdentity(folder.identityFile, identity);
  options.warn(`identity information extracted from ${folder.configFile} and saved as ${folder.identityFile}`);
  return overrideIdentity(identity, options.environment);
}
