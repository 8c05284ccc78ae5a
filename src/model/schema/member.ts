/** States of members on the wire and in JSON. */
import {
  type CordonMode,
  type CordonRequest,
  cordonModes,
  type MemberCondition,
  type MemberState,
  memberConditions,
} from '../member.ts';
import { field, structType } from './containers.ts';
import { enumType, peerIdType, textType, timeType, uintType } from './scalars.ts';
import type { Type } from './type.ts';

const cordonModeType: Type<CordonMode> = enumType(
  // Object.fromEntries widens the keys to string.
  Object.fromEntries(cordonModes.map((mode, index) => [mode, index])) as Record<CordonMode, number>,
  { fallback: 'none', zero: 'none' },
);

const conditionType: Type<MemberCondition> = enumType(memberConditions, { fallback: 'missing', zero: 'alive' });

const member = field<MemberState>();

export const memberStateType: Type<MemberState> = structType<MemberState>([
  member('peer', 'p', 'peer', peerIdType),
  member('peername', 'pn', 'peername', textType),
  member('state', 's', 'state', conditionType),
  member('cordon', 'c', 'cordon', cordonModeType),
  member('since', 't', 'since?', timeType),
  member('pins', 'n', 'pins', uintType),
]);

export const cordonRequestType: Type<CordonRequest> = structType<CordonRequest>([
  field<CordonRequest>()('mode', 'mode', 'mode', textType),
]);
