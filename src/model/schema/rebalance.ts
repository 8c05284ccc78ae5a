/** Lines of a rebalance; JSON only, the wire keys are never used. */
import type {
  MoveReason,
  MoveState,
  RebalanceEvent,
  RebalanceMove,
  RebalanceShare,
  RebalanceSummary,
} from '../rebalance.ts';
import { field, listType, nullableType, structType } from './containers.ts';
import { boolType, cidType, enumType, intType, peerIdType, textType } from './scalars.ts';
import type { Type } from './type.ts';

const reasonType: Type<MoveReason> = enumType<MoveReason>(
  { balance: 0, spread: 1 },
  { fallback: 'balance', zero: 'balance' },
);

const stateType: Type<MoveState> = enumType<MoveState>(
  { planned: 0, moved: 1, skipped: 2, failed: 3 },
  { fallback: 'failed', zero: 'planned' },
);

const move = field<RebalanceMove>();

const moveType: Type<RebalanceMove> = structType<RebalanceMove>([
  move('cid', 'cid', 'cid', cidType),
  move('from', 'from', 'from', peerIdType),
  move('to', 'to', 'to', peerIdType),
  move('why', 'why', 'why', reasonType),
  move('state', 'state', 'state', stateType),
]);

const share = field<RebalanceShare>();

const shareType: Type<RebalanceShare> = structType<RebalanceShare>([
  share('peer', 'peer', 'peer', peerIdType),
  share('peername', 'peername', 'peername', textType),
  share('takesPart', 'part', 'takes_part', boolType),
  share('before', 'before', 'before', intType),
  share('after', 'after', 'after', intType),
]);

const summary = field<RebalanceSummary>();

const summaryType: Type<RebalanceSummary> = structType<RebalanceSummary>([
  summary('isDryRun', 'dry', 'dry_run', boolType),
  summary('planned', 'planned', 'planned', intType),
  summary('moved', 'moved', 'moved', intType),
  summary('skipped', 'skipped', 'skipped', intType),
  summary('failed', 'failed', 'failed', intType),
  summary('isCut', 'cut', 'cut', boolType),
  summary('shares', 'shares', 'shares', listType(shareType)),
]);

const event = field<RebalanceEvent>();

export const rebalanceEventType: Type<RebalanceEvent> = structType<RebalanceEvent>([
  event('move', 'move', 'move?', nullableType(moveType)),
  event('summary', 'summary', 'summary?', nullableType(summaryType)),
]);
