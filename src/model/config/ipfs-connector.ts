/**
 * Sections `ipfs_connector.ipfshttp` (Go `ipfsconn/ipfshttp/config.go`) and `ipfs_connector.embedded` (our own; the Go
 * peer ignores it).
 */

import type { Section } from './field.ts';
import { above0, atLeast0, between, field, notEmptyText } from './field.ts';
import {
  addressListKind,
  booleanKind,
  durationKind,
  integerKind,
  multiaddrKind,
  multiaddrListKind,
  numberKind,
  textKind,
} from './kind.ts';
import type { EmbeddedIpfsConfig, IpfsHttpConfig } from './types.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

export const ipfshttpSection: Section<IpfsHttpConfig> = {
  path: 'ipfs_connector.ipfshttp',
  envPrefix: 'CLUSTER_IPFSHTTP',
  fields: {
    nodeMultiaddress: field('node_multiaddress', multiaddrKind, {
      initial: '/ip4/127.0.0.1/tcp/5001',
      missing: 'zero',
      limit: notEmptyText,
    }),
    connectSwarmsDelayMs: field('connect_swarms_delay', durationKind, {
      initial: 30_000,
      missing: 'unset',
      limit: atLeast0,
    }),
    ipfsRequestTimeoutMs: field('ipfs_request_timeout', durationKind, {
      initial: 5 * minuteMs,
      missing: 'unset',
      limit: atLeast0,
    }),
    pinTimeoutMs: field('pin_timeout', durationKind, { initial: 2 * minuteMs, missing: 'unset', limit: atLeast0 }),
    unpinTimeoutMs: field('unpin_timeout', durationKind, { initial: 3 * hourMs, missing: 'unset', limit: atLeast0 }),
    repogcTimeoutMs: field('repogc_timeout', durationKind, { initial: 24 * hourMs, missing: 'unset', limit: atLeast0 }),
    informerTriggerInterval: field('informer_trigger_interval', integerKind, {
      initial: 0,
      missing: 'zero',
      limit: atLeast0,
    }),
    unpinDisable: field('unpin_disable', booleanKind, { initial: false, missing: 'zero', isOmitted: true }),
  },
};

/** Table of `ipfs_connector.embedded`. */
export const embeddedSection: Section<EmbeddedIpfsConfig> = {
  path: 'ipfs_connector.embedded',
  envPrefix: 'CLUSTER_EMBEDDED',
  fields: {
    repoFolder: field('repo_folder', textKind, { initial: 'ipfs', missing: 'default' }),
    rpcListenMultiaddress: field('rpc_listen_multiaddress', multiaddrKind, {
      initial: '/ip4/127.0.0.1/tcp/5001',
      missing: 'default',
    }),
    swarmListenMultiaddress: field('swarm_listen_multiaddress', multiaddrListKind, {
      initial: ['/ip4/0.0.0.0/tcp/4001'],
      missing: 'default',
    }),
    swarmPeers: field('swarm_peers', addressListKind, { initial: [], missing: 'zero' }),
    // Kubo's `Datastore.StorageMax`.
    storageMaxBytes: field('storage_max_bytes', integerKind, {
      initial: 10_000_000_000,
      missing: 'default',
      limit: above0,
    }),
    gcWatermark: field('gc_watermark', numberKind, { initial: 0.9, missing: 'zero', limit: between(0, 1) }),
  },
};
