/** Counts of replicas in JSON. */
import type { PeerReplicas, ReplicaCounts, Replication } from '../replication.ts';
import { field, type JsonField, presentMapType, structType } from './containers.ts';
import { boolType, textType, uintType } from './scalars.ts';
import type { Type } from './type.ts';

const count = field<ReplicaCounts>();

const countFields: readonly JsonField<ReplicaCounts>[] = [
  count('pins', 'pins', 'pins', uintType),
  count('belowMin', 'below_min', 'below_min', uintType),
  count('atMin', 'at_min', 'at_min', uintType),
  count('aboveMin', 'above_min', 'above_min', uintType),
  count('full', 'full', 'full', uintType),
  count('overMax', 'over_max', 'over_max', uintType),
];

const replicaCountsType: Type<ReplicaCounts> = structType<ReplicaCounts>(countFields);

const peer = field<PeerReplicas>();

const peerReplicasType: Type<PeerReplicas> = structType<PeerReplicas>([
  peer('allocated', 'allocated', 'allocated', uintType),
  peer('pinned', 'pinned', 'pinned', uintType),
  peer('isMember', 'member', 'member', boolType),
  peer('isAlive', 'alive', 'alive', boolType),
]);

const whole = field<Replication>();

/** JSON only. */
export const replicationType: Type<Replication> = structType<Replication>([
  ...countFields,
  whole('allocated', 'allocated', 'allocated', replicaCountsType),
  whole('everywhere', 'everywhere', 'everywhere', replicaCountsType),
  whole('shards', 'shards', 'shards', replicaCountsType),
  whole('meta', 'meta', 'meta', uintType),
  whole('peers', 'peers', 'peers', presentMapType(peerReplicasType)),
  whole('isVerified', 'verified', 'verified', boolType),
  whole('unanswered', 'unanswered', 'unanswered', presentMapType(textType)),
]);
