/** Explained allocations; JSON only, the wire keys are never used. */
import type {
  AllocationClass,
  AllocationExplanation,
  AllocationOutcome,
  JudgedMetric,
  JudgedPeer,
} from '../allocation.ts';
import { field, listType, structType } from './containers.ts';
import { peerIdsType } from './pin.ts';
import { boolType, cidType, enumType, int64Type, intType, peerIdType, textType } from './scalars.ts';
import type { Type } from './type.ts';

const metric = field<JudgedMetric>();

const judgedMetricType: Type<JudgedMetric> = structType<JudgedMetric>([
  metric('name', 'name', 'name', textType),
  metric('value', 'value', 'value', textType),
  metric('weight', 'weight', 'weight', int64Type),
  metric('expire', 'expire', 'expire', int64Type),
  metric('receivedAt', 'received_at', 'received_at', int64Type),
  metric('isStale', 'stale', 'stale', boolType),
]);

const classType: Type<AllocationClass> = enumType<AllocationClass>(
  { current: 0, priority: 1, candidate: 2, dropped: 3 },
  { fallback: 'dropped', zero: 'dropped' },
);

const peer = field<JudgedPeer>();

const judgedPeerType: Type<JudgedPeer> = structType<JudgedPeer>([
  peer('peer', 'peer', 'peer', peerIdType),
  peer('peername', 'peername', 'peername', textType),
  peer('class', 'class', 'class', classType),
  peer('isChosen', 'chosen', 'chosen', boolType),
  peer('reason', 'reason', 'reason', textType),
  peer('metrics', 'metrics', 'metrics', listType(judgedMetricType)),
]);

const outcomeType: Type<AllocationOutcome> = enumType<AllocationOutcome>(
  { chosen: 0, unchanged: 1, trimmed: 2, everywhere: 3, 'taken-over': 4, failed: 5 },
  { fallback: 'failed', zero: 'failed' },
);

const explanation = field<AllocationExplanation>();

export const allocationExplanationType: Type<AllocationExplanation> = structType<AllocationExplanation>([
  explanation('cid', 'cid', 'cid', cidType),
  explanation('isPinned', 'pinned', 'pinned', boolType),
  explanation('replicationFactorMin', 'rn', 'replication_factor_min', intType),
  explanation('replicationFactorMax', 'rx', 'replication_factor_max', intType),
  explanation('allocateBy', 'by', 'allocate_by', listType(textType)),
  explanation('current', 'current', 'current', peerIdsType),
  explanation('outcome', 'outcome', 'outcome', outcomeType),
  explanation('reason', 'reason', 'reason', textType),
  explanation('allocations', 'allocations', 'allocations', peerIdsType),
  explanation('error', 'error', 'error', textType),
  explanation('decidedAt', 'decided_at', 'decided_at', int64Type),
  explanation('peers', 'peers', 'peers', listType(judgedPeerType)),
]);
