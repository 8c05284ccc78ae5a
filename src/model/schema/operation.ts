/** Unfinished operations on the wire and in JSON. */
import {
  type OperationCause,
  type OperationInfo,
  type OperationPhase,
  type OperationQueue,
  type OperationType,
  operationCauses,
  operationPhases,
  operationQueues,
  operationTypes,
} from '../operation.ts';
import { field, structType } from './containers.ts';
import { enumType, optionalCidType, peerIdType, textType, timeType, uintType } from './scalars.ts';
import type { Type } from './type.ts';

/** The position is the wire value; the first name is also what an unknown one is read as, unless said. */
function listed<N extends string>(names: readonly [N, ...N[]], fallback: N = names[0]): Type<N> {
  // Object.fromEntries widens the keys to string.
  const values = Object.fromEntries(names.map((name, index) => [name, index])) as Record<N, number>;
  return enumType(values, { fallback, zero: names[0] });
}

const causeType: Type<OperationCause> = listed(operationCauses, 'internal');
const typeType: Type<OperationType> = listed(operationTypes);
const phaseType: Type<OperationPhase> = listed(operationPhases);
const queueType: Type<OperationQueue> = listed(operationQueues);

const operation = field<OperationInfo>();

export const operationInfoType: Type<OperationInfo> = structType<OperationInfo>([
  operation('peer', 'p', 'peer', peerIdType),
  operation('peername', 'pn?', 'peername', textType),
  operation('cid', 'c?', 'cid', optionalCidType),
  operation('name', 'm?', 'name', textType),
  operation('type', 'y?', 'type', typeType),
  operation('phase', 'h?', 'phase', phaseType),
  operation('cause', 'k?', 'cause', causeType),
  operation('error', 'e?', 'error', textType),
  operation('since', 's?', 'since?', timeType),
  operation('phaseSince', 'ps?', 'phase_since?', timeType),
  operation('attempts', 'a?', 'attempts', uintType),
  operation('nextTry', 'nt?', 'next_try?', timeType),
  operation('queue', 'q?', 'queue', queueType),
  operation('position', 'po?', 'position', uintType),
]);
