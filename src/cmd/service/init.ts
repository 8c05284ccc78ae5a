/** `ipfs-cluster-service init`: makes the folder of a peer. Source: Go `cmd/ipfs-cluster-service/main.go`, `cmdutils`. */
import { randomBytes } from 'node:crypto';
import { access } from 'node:fs/promises';
import { hostname } from 'node:os';
import {
  createIdentity,
  lockFolder,
  makeFolder,
  overrideIdentity,
  type PeerFolder,
  peerFolder,
  writeConfig,
  writeIdentity,
  writePeerstore,
} from '../../io/config/index.ts';
import {
  defaultsOf,
  type Environment,
  embeddedSection,
  initialService,
  overrideService,
  type ServiceConfig,
} from '../../model/config/index.ts';
import { type Multiaddr, parseMultiaddr, peerIdOfMultiaddr } from '../../model/index.ts';
import { confirm, type Terminal } from './ask.ts';
import { attempt, Failure } from './failure.ts';
import { withRandomPorts } from './ports.ts';

export interface InitOptions {
  readonly consensus: string;
  readonly datastore: string;
  readonly isSecretAsked: boolean;
  /** Addresses with commas between. */
  readonly peers: string;
  readonly isForced: boolean;
  readonly hasRandomPorts: boolean;
  readonly hasEmbeddedIpfs: boolean;
  /** Place of a remote configuration. */
  readonly source?: string | undefined;
}

export interface InitDeps extends Terminal {
  readonly folderPath: string;
  readonly environment: Environment;
}

/** Does nothing when the user declines. Throws `Failure`. */
export async function init(options: InitOptions, deps: InitDeps): Promise<void> {
  checkChoices(options);
  const folder = peerFolder(deps.folderPath);
  const hasIdentity = await exists(folder.identityFile);
  const hasConfig = await exists(folder.configFile);
  await attempt('creating the folder', () => makeFolder(folder.path));
  const lock = hasIdentity || hasConfig ? await attempt('locking the folder', () => lockFolder(folder)) : undefined;
  try {
    if (hasConfig && !options.isForced && !(await confirm(`Overwrite ${folder.configFile}?`, deps))) return;
    await write(options, deps, folder, hasIdentity);
  } finally {
    await lock?.release();
  }
}

function checkChoices({ consensus, datastore, source }: InitOptions): void {
  if (source !== undefined) {
    throw new Failure('choosing the source', new Error('a configuration at a remote place is not available yet'));
  }
  if (consensus !== 'raft' && consensus !== 'crdt') {
    throw new Failure('choosing consensus', new Error(`found "${consensus}", expected "raft" or "crdt"`));
  }
  if (consensus === 'crdt') {
    throw new Failure('choosing consensus', new Error('CRDT consensus is not available yet; use "raft"'));
  }
  if (!['badger', 'badger3', 'leveldb', 'pebble'].includes(datastore)) {
    const expected = 'expected "badger", "badger3", "leveldb" or "pebble"; Raft needs none of them';
    throw new Failure('choosing datastore', new Error(`found "${datastore}", ${expected}`));
  }
}

async function write(options: InitOptions, deps: InitDeps, folder: PeerFolder, hasIdentity: boolean): Promise<void> {
  const peers = await attempt('parsing --peers', () => parsePeers(options.peers));
  const config = await makeConfig(options, deps, peers);
  const identity = hasIdentity
    ? undefined
    : await attempt('creating the identity', async () => overrideIdentity(await createIdentity(), deps.environment));
  await attempt('writing the configuration', () => writeConfig(folder, config));
  deps.tell(`configuration written to ${folder.configFile}.`);
  if (identity !== undefined) {
    await attempt('writing the identity', () => writeIdentity(folder.identityFile, identity));
    deps.tell(`new identity written to ${folder.identityFile}`);
  }
  const { peerstoreFile } = peerFolder(folder.path, config);
  await attempt('writing the peerstore', () => writePeerstore(peerstoreFile, peers));
  deps.tell(
    peers.length === 0
      ? `new empty peerstore written to ${peerstoreFile}.`
      : `peerstore written to ${peerstoreFile} with ${peers.length} ${peers.length === 1 ? 'entry' : 'entries'}.`,
  );
}

async function makeConfig(options: InitOptions, deps: InitDeps, peers: readonly Multiaddr[]): Promise<ServiceConfig> {
  const fresh = initialService({ hostname: hostname(), secret: randomBytes(32).toString('hex') });
  const embedded = options.hasEmbeddedIpfs ? defaultsOf(embeddedSection) : undefined;
  const listening = options.hasRandomPorts ? await withRandomPorts({ ...fresh, embedded }) : { ...fresh, embedded };
  const chosen = await attempt('applying the environment to the configuration', () =>
    overrideService(listening, deps.environment, deps.tell),
  );
  const asked = options.isSecretAsked ? (await deps.ask('Cluster secret (64 hexadecimal digits): ')).trim() : undefined;
  const secret = asked ?? chosen.cluster.secret;
  if (!/^([0-9a-fA-F]{64})?$/.test(secret)) {
    throw new Failure(
      'reading the secret',
      new Error(`found ${secret.length} characters, expected 64 hexadecimal digits`),
    );
  }
  const initPeerset = peers.length === 0 ? undefined : [...new Set(peers.map((peer) => peerIdOfMultiaddr(peer) ?? ''))];
  return {
    ...chosen,
    cluster: { ...chosen.cluster, secret: secret.toLowerCase() },
    raft: chosen.raft && { ...chosen.raft, initPeerset: initPeerset ?? chosen.raft.initPeerset },
  };
}

/** Addresses with commas between, each of one peer. */
export function parsePeers(text: string): Multiaddr[] {
  const items = text.split(',').map((item) => item.trim());
  return items
    .filter((item) => item !== '')
    .map((item) => {
      const address = parseMultiaddr(item);
      if (peerIdOfMultiaddr(address) !== undefined) return address;
      throw new Error(`found "${item}", expected an address that ends with /p2p/<peer id>`);
    });
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
