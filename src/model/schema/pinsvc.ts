/** The IPFS Pinning Service API in JSON. Only JSON is spoken there; the keys of the wire form are the same. */
import type { PinsvcFailure, PinsvcPin, PinsvcResults, PinsvcState, PinsvcStatus } from '../pinsvc.ts';
import { field, listType, presentMapType, structType } from './containers.ts';
import { metadataType, multiaddrsType } from './pin.ts';
import { cidType, enumType, textType, timeType, uintType } from './scalars.ts';
import type { Type } from './type.ts';

// What the specification says of the values is in the descriptions only: requests are checked where they come in.
const nameType: Type<string> = { ...textType, schema: { ...textType.schema, maxLength: 255 } };
const addressesType: typeof multiaddrsType = {
  ...multiaddrsType,
  schema: { ...multiaddrsType.schema, type: 'array', maxItems: 20 },
};
const metaType: typeof metadataType = {
  ...metadataType,
  schema: { ...metadataType.schema, type: 'object', maxProperties: 1000 },
};

const stateType: Type<PinsvcState> = enumType<PinsvcState>(
  { queued: 0, pinning: 1, pinned: 2, failed: 3 },
  { fallback: 'failed', zero: 'queued' },
);

const pin = field<PinsvcPin>();

const pinStruct: Type<PinsvcPin> = structType<PinsvcPin>([
  pin('cid', 'cid', 'cid', cidType),
  pin('name', 'name?', 'name?', nameType),
  pin('origins', 'origins?', 'origins?', addressesType),
  pin('meta', 'meta?', 'meta?', metaType),
]);

export const pinsvcPinType: Type<PinsvcPin> = {
  ...pinStruct,
  schema: {
    ...pinStruct.schema,
    examples: [
      {
        cid: 'bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e',
        name: 'PreciousData.pdf',
        meta: { app_id: 'UUID' },
      },
    ],
  },
};

const status = field<PinsvcStatus>();

export const pinsvcStatusType: Type<PinsvcStatus> = structType<PinsvcStatus>([
  status('requestid', 'requestid', 'requestid', textType),
  status('status', 'status', 'status', stateType),
  status('created', 'created', 'created', timeType),
  status('pin', 'pin', 'pin', pinsvcPinType),
  status('delegates', 'delegates', 'delegates', addressesType),
  status('info', 'info', 'info?', presentMapType(textType)),
]);

const statuses = listType(pinsvcStatusType);
const statusesType: typeof statuses = { ...statuses, schema: { ...statuses.schema, type: 'array', maxItems: 1000 } };

const results = field<PinsvcResults>();

export const pinsvcResultsType: Type<PinsvcResults> = structType<PinsvcResults>([
  results('count', 'count', 'count', uintType),
  results('results', 'results', 'results', statusesType),
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
