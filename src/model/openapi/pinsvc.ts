/** The description of the pinning service, by its public specification and with what ours has besides. */
import type { JsonSchema } from '../json-schema.ts';
import { pinsvcStates } from '../pinsvc.ts';
import { type PinsvcRouteId, pinsvcRoutes } from '../pinsvc-routes.ts';
import { pinsvcFailureType, pinsvcPinType, pinsvcResultsType, pinsvcStatusType } from '../schema/pinsvc.ts';
import { type Described, type OpenApiDocument, openApiDocument } from './document.ts';
import { cid, integer, sharedParameters, sharedRoutes, sharedSchemas, time } from './shared.ts';

const jsonBody = { contentType: 'application/json', schema: pinsvcPinType.schema };

const described: Readonly<Record<PinsvcRouteId, Described>> = {
  ...sharedRoutes,
  listPins: { tag: 'pins', answer: pinsvcResultsType.schema },
  addPin: { tag: 'pins', answer: pinsvcStatusType.schema, status: 202, body: jsonBody },
  getPin: { tag: 'pins', answer: pinsvcStatusType.schema },
  replacePin: { tag: 'pins', answer: pinsvcStatusType.schema, status: 202, body: jsonBody },
  removePin: { tag: 'pins', status: 202 },
};

const parameters: Readonly<Record<string, JsonSchema>> = {
  ...sharedParameters,
  requestid: { ...cid, description: 'The request id of a pin, which is its CID' },
  cid: { type: 'string', description: 'CIDs with commas between', examples: cid.examples },
  name: { type: 'string', maxLength: 255, examples: ['PreciousData.pdf'] },
  match: { type: 'string', enum: ['exact', 'iexact', 'partial', 'ipartial'], default: 'exact' },
  status: {
    type: 'string',
    pattern: `^(${pinsvcStates.join('|')})(,(${pinsvcStates.join('|')}))*$`,
    examples: [pinsvcStates.join(',')],
  },
  before: time,
  after: time,
  limit: { ...integer(1), maximum: 1000, default: 10 },
  meta: { type: 'string', description: 'A JSON object whose values are texts', examples: ['{"app_id":"UUID"}'] },
};

/** The pinning service in OpenAPI 3.1. */
export function pinsvcOpenApi(version: string): OpenApiDocument {
  return openApiDocument<PinsvcRouteId>({
    title: 'IPFS Pinning Service API',
    description:
      'The [IPFS Pinning Service API](https://ipfs.github.io/pinning-services-api-spec/), version 1.0.0, over the pins of a ' +
      'cluster of IPFS nodes. A pin is `pinned` when as many nodes hold it as its replication factor demands.',
    version,
    routes: pinsvcRoutes,
    described,
    parameters,
    tags: {
      pins: 'What is pinned, and how it goes',
      health: 'Whether the peer runs',
      access: 'Tokens, and this description',
    },
    schemas: {
      PinResults: pinsvcResultsType.schema,
      PinStatus: pinsvcStatusType.schema,
      Pin: pinsvcPinType.schema,
      ...sharedSchemas,
      Failure: pinsvcFailureType.schema,
    },
    error: pinsvcFailureType.schema,
  });
}
