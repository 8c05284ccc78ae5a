/** What a peer of one's own can be told, and how it becomes the configuration of a peer. */
import { errorCode, errorMessage, type Logger } from '../base/index.ts';
import {
  defaultsOf,
  embeddedSection,
  initialService,
  type RaftConfig,
  readService,
  type ServiceConfig,
  writeService,
} from '../model/config/index.ts';
import { type Multiaddr, parseMultiaddr, peerIdOfMultiaddr } from '../model/index.ts';
import { badOption, badOptions } from './errors.ts';
import {
  aboveZero,
  check,
  flag,
  listOf,
  mapOf,
  oneShapeOf,
  type Rule,
  shape,
  text,
  textLike,
  wholeNumber,
} from './rules.ts';

/** Nodes of our own have no peers but those of other members: nothing is won by the 30 s that a Kubo is given to find some. */
const embeddedIntroductionMs = 1000;

/** An IPFS node inside this process, with its blocks in the folder of the peer. */
export interface EmbeddedIpfs {
  readonly type: 'embedded';
  /** Where it serves the Kubo RPC, which has no authentication. Default `/ip4/127.0.0.1/tcp/0`: any free port of loopback. */
  readonly rpcListen?: Multiaddr;
  /** Where it speaks to other IPFS nodes. Default `/ip4/0.0.0.0/tcp/0`: any free port; members introduce their nodes themselves. */
  readonly swarmListen?: readonly Multiaddr[];
  /** IPFS nodes to stay connected to, each ending with `/p2p/<id>`. Default none. */
  readonly swarmPeers?: readonly Multiaddr[];
  /** Bytes. Default 10 GB. */
  readonly storageMaxBytes?: number;
}

/** A Kubo, or anything that speaks its RPC, beside this process. */
export interface KuboIpfs {
  readonly type: 'kubo';
  /** Default `/ip4/127.0.0.1/tcp/5001`. */
  readonly address?: Multiaddr;
}

/** Times and sizes of Raft. All peers of a cluster should have the same. Names and defaults are those of `consensus.raft`. */
export type RaftTuning = Partial<Omit<RaftConfig, 'dataFolder' | 'initPeerset'>>;

/** The HTTP API that `ipfs-cluster-ctl` and `createClient` speak. */
export interface HttpDoor {
  /** Default `/ip4/127.0.0.1/tcp/9094`. */
  readonly listen?: readonly Multiaddr[];
  /** Passwords by user. Default: everybody who reaches it may do everything. */
  readonly credentials?: Readonly<Record<string, string>>;
}

/** The IPFS Pinning Service API. */
export interface PinningServiceDoor {
  /** Default `/ip4/127.0.0.1/tcp/9097`. */
  readonly listen?: readonly Multiaddr[];
  /** Passwords by user, to whom it gives access tokens. Default: everybody who reaches it may do everything. */
  readonly credentials?: Readonly<Record<string, string>>;
}

/** A Kubo RPC whose pins go through the cluster. */
export interface ProxyDoor {
  /** Default `/ip4/127.0.0.1/tcp/9095`. */
  readonly listen?: readonly Multiaddr[];
}

/** How to run a peer. Only `folder` must be given. */
export interface ClusterOptions {
  /** Identity, Raft log, pinset, repo of the embedded IPFS node. Made when absent; one peer at a time. */
  readonly folder: string;
  /** A name for people. Default: the host name. */
  readonly peername?: string;
  /**
   * 64 hexadecimal digits, the same for all peers of a cluster; empty: whoever reaches a peer can join. Default: made at the
   * first start, kept in the folder, and told by `Cluster.secret`.
   */
  readonly secret?: string;
  /** TCP addresses for other peers; port 0 is any free one. Default `/ip4/0.0.0.0/tcp/9096`. */
  readonly listen?: readonly Multiaddr[];
  /** Told to others in place of the listening addresses. Default none. */
  readonly announce?: readonly Multiaddr[];
  /**
   * Members of a running cluster to join, each ending with `/p2p/<id>`. Default none: the peer begins a cluster of its own. A
   * peer that is a member already goes on as one; when nobody confirms that, it asks these to join again, for it may have been removed
   * while it was away.
   */
  readonly bootstrap?: readonly Multiaddr[];
  /** Default: `{ type: 'embedded' }`. */
  readonly ipfs?: EmbeddedIpfs | KuboIpfs;
  /** On how many peers a pin is kept that does not say so; -1 for both: on all. Default -1 and -1. */
  readonly replication?: { readonly min: number; readonly max: number };
  /** Allocations spread over the values of `group`. Default `{ group: 'default' }`. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Move the pins of a lost peer to others when they would have too few. Default false. */
  readonly repinning?: boolean;
  /** Leave the cluster with `stop`. Default false. */
  readonly leaveOnStop?: boolean;
  /** Pins that the IPFS node works on at once. Default 10. */
  readonly concurrentPins?: number;
  readonly raft?: RaftTuning;
  /** Default: off. */
  readonly http?: HttpDoor;
  /** Default: off. */
  readonly pinningService?: PinningServiceDoor;
  /** Default: off. */
  readonly proxy?: ProxyDoor;
  /** Where log lines go. Default: nowhere. */
  readonly log?: Logger;
}

/** What `createCluster` goes on with. */
export interface CheckedOptions {
  readonly folder: string;
  /** `undefined`: the one of the folder. */
  readonly secret: string | undefined;
  readonly bootstrap: readonly Multiaddr[];
  /** Without the secret. */
  readonly config: ServiceConfig & { readonly raft: RaftConfig };
}

/** Throws `embed/bad-option`. `options` is what a program without types may have given. */
export function checkOptions(options: ClusterOptions, hostname: string): CheckedOptions {
  check(optionsRule, options);
  const { folder, bootstrap = [], secret } = options;
  return {
    folder,
    secret: secret?.toLowerCase(),
    bootstrap: bootstrap.map(parseMultiaddr),
    config: configOf(options, hostname),
  };
}

function configOf(options: ClusterOptions, hostname: string): CheckedOptions['config'] {
  const { peername, listen, announce, replication, tags, repinning, leaveOnStop, concurrentPins } = options;
  const { http, pinningService, proxy, ipfs = { type: 'embedded' } } = options;
  const initial = initialService({ hostname, secret: '' });
  const raft = { ...raftOf(initial), ...defined(options.raft ?? {}) };
  const config: ServiceConfig = {
    ...initial,
    cluster: {
      ...initial.cluster,
      listenMultiaddress: ['/ip4/0.0.0.0/tcp/9096'],
      ...defined({
        peername,
        listenMultiaddress: listen,
        announceMultiaddress: announce,
        leaveOnShutdown: leaveOnStop,
      }),
      ...(replication && { replicationFactorMin: replication.min, replicationFactorMax: replication.max }),
      disableRepinning: repinning !== true,
    },
    raft,
    restapi: http && initial.restapi && { ...initial.restapi, ...doorOf(http) },
    pinsvcapi: pinningService && initial.pinsvcapi && { ...initial.pinsvcapi, ...doorOf(pinningService) },
    ipfsproxy: proxy &&
      initial.ipfsproxy && {
        ...initial.ipfsproxy,
        ...defined({
          listenMultiaddress: proxy.listen,
          nodeMultiaddress: ipfs.type === 'kubo' ? ipfs.address : undefined,
        }),
      },
    embedded: ipfs.type === 'embedded' ? embeddedOf(ipfs) : undefined,
    ipfshttp: {
      ...initial.ipfshttp,
      ...(ipfs.type === 'kubo'
        ? defined({ nodeMultiaddress: ipfs.address })
        : { connectSwarmsDelayMs: embeddedIntroductionMs }),
    },
    stateless: { ...initial.stateless, ...defined({ concurrentPins }) },
    tags: initial.tags && { ...initial.tags, ...defined({ tags }) },
  };
  return { ...checked(config), raft };
}

function raftOf({ raft }: ServiceConfig): RaftConfig {
  // The table of the configuration is one of a Raft peer.
  if (raft === undefined) throw badOption('raft', undefined, 'a peer with Raft');
  return raft;
}

function doorOf({ listen, credentials }: HttpDoor | PinningServiceDoor) {
  return defined({ httpListenMultiaddress: listen, basicAuthCredentials: credentials });
}

function embeddedOf({ rpcListen, swarmListen, swarmPeers, storageMaxBytes }: EmbeddedIpfs) {
  return {
    ...defaultsOf(embeddedSection),
    rpcListenMultiaddress: rpcListen ?? '/ip4/127.0.0.1/tcp/0',
    swarmListenMultiaddress: swarmListen ?? ['/ip4/0.0.0.0/tcp/0'],
    ...defined({ swarmPeers, storageMaxBytes }),
  };
}

/** Through the form of the file and back, which knows every limit. */
function checked(config: ServiceConfig): ServiceConfig {
  try {
    return readService(writeService(config, { form: 'file' }), () => {});
  } catch (error) {
    if (errorCode(error) !== 'config/bad-value') throw error;
    throw badOptions(errorMessage(error), error);
  }
}

/** Without what was not given. */
function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  // Proof: what is undefined is left out.
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof defined<T>
  >;
}

// ---------------------------------------------------------------------------------------------------- rules

const address: Rule = textLike('a multiaddr such as "/ip4/0.0.0.0/tcp/9096"', (value) => {
  parseMultiaddr(value);
  return true;
});
const peerAddress: Rule = textLike(
  'an address that ends with /p2p/<peer id>',
  (value) => peerIdOfMultiaddr(parseMultiaddr(value)) !== undefined,
);
const addresses = listOf(address, 'multiaddrs', 1);
const factor: Rule = wholeNumber('-1 (on all peers) or a whole number above 0', (value) => value === -1 || value > 0);
const time = aboveZero('milliseconds, more than 0');
const count = wholeNumber('a whole number, 0 or more', (value) => value >= 0);

const raftRows: { readonly [K in keyof RaftTuning]-?: Rule } = {
  waitForLeaderTimeoutMs: time,
  networkTimeoutMs: time,
  commitRetries: count,
  commitRetryDelayMs: time,
  backupsRotate: aboveZero('a whole number above 0'),
  heartbeatTimeoutMs: time,
  electionTimeoutMs: time,
  commitTimeoutMs: time,
  maxAppendEntries: aboveZero('a whole number above 0'),
  trailingLogs: count,
  snapshotIntervalMs: time,
  snapshotThreshold: count,
  leaderLeaseTimeoutMs: time,
};

const rows: { readonly [K in keyof ClusterOptions]-?: Rule } = {
  folder: textLike('the path of a folder', (value) => value !== ''),
  peername: textLike('a name', (value) => value !== ''),
  secret: textLike('64 hexadecimal digits', (value) => /^([0-9a-fA-F]{64})?$/.test(value), 'hidden'),
  listen: addresses,
  announce: listOf(address, 'multiaddrs', 0),
  bootstrap: listOf(peerAddress, 'addresses of peers', 0),
  ipfs: oneShapeOf('type', {
    embedded: {
      rpcListen: address,
      swarmListen: addresses,
      swarmPeers: listOf(peerAddress, 'addresses of IPFS nodes', 0),
      storageMaxBytes: aboveZero('bytes, more than 0'),
    },
    kubo: { address },
  }),
  replication: shape({ min: factor, max: factor }, ['min', 'max']),
  tags: mapOf(text),
  repinning: flag,
  leaveOnStop: flag,
  concurrentPins: aboveZero('a whole number above 0'),
  raft: shape(raftRows),
  http: shape({ listen: addresses, credentials: mapOf(text, 'hidden') }),
  pinningService: shape({ listen: addresses, credentials: mapOf(text, 'hidden') }),
  proxy: shape({ listen: addresses }),
  log: logger,
};
const optionsRule = shape(rows, ['folder']);

function logger(value: unknown, where: string): void {
  const names = ['error', 'warn', 'info', 'debug', 'scope'];
  const isLogger = names.every((name) => typeof Object(value)[name] === 'function');
  if (!isLogger) throw badOption(where, value, `an object with the functions ${names.join(', ')}`);
}
