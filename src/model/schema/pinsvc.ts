/** The IPFS Pinning Service API in JSON. Only JSON is spoken there; the keys of the wire form are the same. */
import type { PinsvcFailure, PinsvcPin, PinsvcResults, PinsvcState, PinsvcStatus } from '../pinsvc.ts';
import { field, listType, presentMapType, structType } from './containers.ts';
import { metadataType, multiaddrsType } from './pin.ts';
import { cidType, enumType, textType, timeType, uintType } from './scalars.ts';
import type { Type } from './type.ts';

const stateType: Type<PinsvcState> = enumType<PinsvcState>(
  { queued: 0, pinning: 1, pinned: 2, failed: 3 },
  { fallback: 'failed', zero: 'queued' },
);

const pin = field<PinsvcPin>();

export const pinsvcPinType: Type<PinsvcPin> = structType<PinsvcPin>([
  pin('cid', 'cid', 'cid', cidType),
  pin('name', 'name?', 'name?', textType),
  pin('origins', 'origins?', 'origins?', multiaddrsType),
  pin('meta', 'meta?', 'meta?', metadataType),
]);

const status = field<PinsvcStatus>();

export const pinsvcStatusType: Type<PinsvcStatus> = structType<PinsvcStatus>([
  status('requestid', 'requestid', 'requestid', textType),
  status('status', 'status', 'status', stateType),
  status('created', 'created', 'created', timeType),
  status('pin', 'pin', 'pin', pinsvcPinType),
  status('delegates', 'delegates', 'delegates', multiaddrsType),
  status('info', 'info', 'info?', presentMapType(textType)),
]);

const results = field<PinsvcResults>();

export const pinsvcResultsType: Type<PinsvcResults> = structType<PinsvcResults>([
  results('count', 'count', 'count', uintType),
  results('results', 'results', 'results', listType(pinsvcStatusType)),
]);

const cause = field<PinsvcFailure['error']>();
const failure = field<PinsvcFailure>();

export const pinsvcFailureType: Type<PinsvcFailure> = structType<PinsvcFailure>([
  failure(
    'error',
    'error',
    'error',
    structType<PinsvcFailure['error']>([
      cause('reason', 'reason', 'reason', textType),
      cause('details', 'details', 'details?', textType),
    ]),
  ),
]);
