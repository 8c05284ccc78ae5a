/** Section `cluster`. Source: Go `cluster_config.go`. */

import type { Problem, Section } from './field.ts';
import { above0, atLeast0, between, field, group, notEmptyList } from './field.ts';
import {
  addressListKind,
  booleanKind,
  durationKind,
  integerKind,
  multiaddrListKind,
  secretKind,
  textKind,
} from './kind.ts';
import type { ClusterConfig, ConnectionManagerConfig } from './types.ts';

const secondMs = 1000;
const minuteMs = 60 * secondMs;

export const clusterSection: Section<ClusterConfig> = {
  path: 'cluster',
  envPrefix: 'CLUSTER',
  fields: {
    id: field('id', textKind, { initial: '', missing: 'zero', isOmitted: true }),
    peername: field('peername', textKind, { initial: '', missing: 'default' }),
    privateKey: field('private_key', textKind, { initial: '', missing: 'zero', isOmitted: true, isHidden: true }),
    secret: field('secret', secretKind, { initial: '', missing: 'zero', isHidden: true }),
    leaveOnShutdown: field('leave_on_shutdown', booleanKind, { initial: false, missing: 'zero' }),
    listenMultiaddress: field('listen_multiaddress', multiaddrListKind, {
      // Nobody listens on the QUIC address, neither here nor in the Go peer; it is part of every default file.
      initial: ['/ip4/0.0.0.0/tcp/9096', '/ip4/0.0.0.0/udp/9096/quic'],
      missing: 'zero',
      limit: notEmptyList,
    }),
    announceMultiaddress: field('announce_multiaddress', multiaddrListKind, { initial: [], missing: 'zero' }),
    noAnnounceMultiaddress: field('no_announce_multiaddress', multiaddrListKind, { initial: [], missing: 'zero' }),
    enableRelayHop: field('enable_relay_hop', booleanKind, { initial: true, missing: 'zero' }),
    connectionManager: group(
      'connection_manager',
      {
        highWater: field('high_water', integerKind, { initial: 400, missing: 'zero', limit: above0 }),
        lowWater: field('low_water', integerKind, { initial: 100, missing: 'zero', limit: above0 }),
        gracePeriodMs: field('grace_period', durationKind, {
          initial: 2 * minuteMs,
          missing: 'zero',
          limit: { words: 'a duration other than 0', holds: (value) => value !== 0 },
        }),
      },
      checkWaters,
    ),
    resourceManager: group('resource_manager', {
      enabled: field('enabled', booleanKind, { initial: true, missing: 'zero' }),
      memoryLimitBytes: field('memory_limit_bytes', integerKind, { initial: 0, missing: 'zero', limit: atLeast0 }),
      fileDescriptorsLimit: field('file_descriptors_limit', integerKind, {
        initial: 0,
        missing: 'zero',
        limit: atLeast0,
      }),
    }),
    pubsub: group('pubsub', {
      seenMessagesTtlMs: field('seen_messages_ttl', durationKind, {
        initial: 30 * minuteMs,
        missing: 'unset',
        limit: above0,
      }),
      heartbeatIntervalMs: field('heartbeat_interval', durationKind, {
        initial: 10 * secondMs,
        missing: 'unset',
        limit: above0,
      }),
      dFactor: field('d_factor', integerKind, { initial: 4, missing: 'zero', limit: above0 }),
      historyGossip: field('history_gossip', integerKind, { initial: 2, missing: 'zero', limit: above0 }),
      historyLength: field('history_length', integerKind, { initial: 6, missing: 'zero', limit: above0 }),
      floodPublish: field('flood_publish', booleanKind, { initial: false, missing: 'zero' }),
    }),
    dialPeerTimeoutMs: field('dial_peer_timeout', durationKind, {
      initial: 3 * secondMs,
      missing: 'unset',
      limit: above0,
    }),
    stateSyncIntervalMs: field('state_sync_interval', durationKind, {
      initial: 5 * minuteMs,
      missing: 'unset',
      limit: above0,
    }),
    pinRecoverIntervalMs: field('pin_recover_interval', durationKind, {
      initial: 12 * minuteMs,
      missing: 'unset',
      limit: above0,
    }),
    replicationFactorMin: field('replication_factor_min', integerKind, { initial: -1, missing: 'default' }),
    replicationFactorMax: field('replication_factor_max', integerKind, { initial: -1, missing: 'default' }),
    monitorPingIntervalMs: field('monitor_ping_interval', durationKind, {
      initial: 15 * secondMs,
      missing: 'unset',
      limit: above0,
    }),
    peerWatchIntervalMs: field('peer_watch_interval', durationKind, {
      initial: 5 * secondMs,
      missing: 'unset',
      limit: above0,
    }),
    mdnsIntervalMs: field('mdns_interval', durationKind, { initial: 10 * secondMs, missing: 'unset' }),
    pinOnlyOnTrustedPeers: field('pin_only_on_trusted_peers', booleanKind, { initial: false, missing: 'zero' }),
    pinOnlyOnUntrustedPeers: field('pin_only_on_untrusted_peers', booleanKind, { initial: false, missing: 'zero' }),
    disableRepinning: field('disable_repinning', booleanKind, { initial: true, missing: 'zero' }),
    // Not known to the Go peer, and so not written while they have their defaults.
    repinGracePeriodMs: field('repin_grace_period', durationKind, {
      initial: 2 * minuteMs,
      missing: 'unset',
      limit: above0,
      isOmitted: true,
    }),
    repinMaxPerSecond: field('repin_max_per_second', integerKind, {
      initial: 100,
      missing: 'default',
      limit: above0,
      isOmitted: true,
    }),
    followerMode: field('follower_mode', booleanKind, { initial: false, missing: 'zero', isOmitted: true }),
    peerstoreFile: field('peerstore_file', textKind, { initial: 'peerstore', missing: 'default', isOmitted: true }),
    peerAddresses: field('peer_addresses', addressListKind, { initial: [], missing: 'zero' }),
  },
  check: (value) => checkFactors(value) ?? checkTrust(value),
};

function checkWaters({ lowWater, highWater }: ConnectionManagerConfig): Problem | undefined {
  if (lowWater <= highWater) return undefined;
  return { key: 'low_water', found: lowWater, expected: `at most high_water, which is ${highWater}` };
}

/** Source: Go `cluster_config.go` `isReplicationFactorValid`. */
function checkFactors({ replicationFactorMin: min, replicationFactorMax: max }: ClusterConfig): Problem | undefined {
  const allowed = between(-1, Number.POSITIVE_INFINITY);
  for (const [key, found] of [
    ['replication_factor_min', min],
    ['replication_factor_max', max],
  ] as const) {
    if (!allowed.holds(found) || found === 0) return { key, found, expected: '-1 (everywhere) or more than 0' };
  }
  if ((min === -1) !== (max === -1)) {
    return min === -1
      ? { key: 'replication_factor_min', found: min, expected: 'more than 0, because replication_factor_max is' }
      : { key: 'replication_factor_max', found: max, expected: 'at least replication_factor_min, or -1 for both' };
  }
  if (min <= max) return undefined;
  return { key: 'replication_factor_min', found: min, expected: `at most replication_factor_max, which is ${max}` };
}

function checkTrust({ pinOnlyOnTrustedPeers, pinOnlyOnUntrustedPeers }: ClusterConfig): Problem | undefined {
  if (!pinOnlyOnTrustedPeers || !pinOnlyOnUntrustedPeers) return undefined;
  return {
    key: 'pin_only_on_untrusted_peers',
    found: true,
    expected: 'false, because pin_only_on_trusted_peers is true',
  };
}
