/** Section `consensus.raft`. Source: Go `consensus/raft/config.go`, hashicorp/raft `ValidateConfig`. */
import { formatGoDuration } from '../index.ts';
import type { Limit, Problem, Section } from './field.ts';
import { above0, atLeast0, between, field } from './field.ts';
import { durationKind, integerKind, peerListKind, textKind } from './kind.ts';
import type { RaftConfig } from './types.ts';

const unlimited = Number.POSITIVE_INFINITY;
const atLeast5ms: Limit<number> = between(5, unlimited, formatGoDuration);

export const raftSection: Section<RaftConfig> = {
  path: 'consensus.raft',
  envPrefix: 'CLUSTER_RAFT',
  fields: {
    dataFolder: field('data_folder', textKind, { initial: '', missing: 'default', isOmitted: true }),
    initPeerset: field('init_peerset', peerListKind, { initial: [], missing: 'zero' }),
    waitForLeaderTimeoutMs: field('wait_for_leader_timeout', durationKind, {
      initial: 15_000,
      missing: 'default',
      limit: above0,
    }),
    networkTimeoutMs: field('network_timeout', durationKind, { initial: 10_000, missing: 'default', limit: above0 }),
    commitRetries: field('commit_retries', integerKind, { initial: 1, missing: 'zero', limit: atLeast0 }),
    commitRetryDelayMs: field('commit_retry_delay', durationKind, { initial: 200, missing: 'default', limit: above0 }),
    backupsRotate: field('backups_rotate', integerKind, { initial: 6, missing: 'default', limit: above0 }),
    heartbeatTimeoutMs: field('heartbeat_timeout', durationKind, {
      initial: 1000,
      missing: 'default',
      limit: atLeast5ms,
    }),
    electionTimeoutMs: field('election_timeout', durationKind, {
      initial: 1000,
      missing: 'default',
      limit: atLeast5ms,
    }),
    commitTimeoutMs: field('commit_timeout', durationKind, {
      initial: 50,
      missing: 'default',
      limit: between(1, unlimited, formatGoDuration),
    }),
    maxAppendEntries: field('max_append_entries', integerKind, {
      initial: 64,
      missing: 'default',
      limit: between(1, 1024),
    }),
    trailingLogs: field('trailing_logs', integerKind, { initial: 10_240, missing: 'default', limit: atLeast0 }),
    snapshotIntervalMs: field('snapshot_interval', durationKind, {
      initial: 120_000,
      missing: 'default',
      limit: atLeast5ms,
    }),
    snapshotThreshold: field('snapshot_threshold', integerKind, { initial: 8192, missing: 'default', limit: atLeast0 }),
    leaderLeaseTimeoutMs: field('leader_lease_timeout', durationKind, {
      initial: 500,
      missing: 'default',
      limit: atLeast5ms,
    }),
  },
  check: checkTimeouts,
};

function checkTimeouts(value: RaftConfig): Problem | undefined {
  const heartbeat = formatGoDuration(value.heartbeatTimeoutMs);
  if (value.electionTimeoutMs < value.heartbeatTimeoutMs) {
    const found = formatGoDuration(value.electionTimeoutMs);
    return { key: 'election_timeout', found, expected: `at least heartbeat_timeout, which is "${heartbeat}"` };
  }
  if (value.leaderLeaseTimeoutMs <= value.heartbeatTimeoutMs) return undefined;
  const found = formatGoDuration(value.leaderLeaseTimeoutMs);
  return { key: 'leader_lease_timeout', found, expected: `at most heartbeat_timeout, which is "${heartbeat}"` };
}
