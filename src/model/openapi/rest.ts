/** The description of the REST API: what its table of routes does not say. */
import type { JsonSchema } from '../json-schema.ts';
import { type RouteId, routes } from '../routes.ts';
import { allocationExplanationType } from '../schema/allocation.ts';
import { endOfStreamType } from '../schema/end-of-stream.ts';
import { memberStateType } from '../schema/member.ts';
import { operationInfoType } from '../schema/operation.ts';
import { alertType, connectGraphType, idType, ipfsIdType, metricType, versionType } from '../schema/peer.ts';
import { pinType } from '../schema/pin.ts';
import { rebalanceEventType } from '../schema/rebalance.ts';
import { replicationType } from '../schema/replication.ts';
import { globalPinInfoType, globalRepoGcType } from '../schema/status.ts';
import { addedOutputType, apiErrorType, bandwidthByProtocolType } from '../schema/transfer.ts';
import { trackerStatusBits, trackerStatusGroups } from '../status.ts';
import { type Described, type OpenApiDocument, openApiDocument } from './document.ts';
import { cid, flag, integer, peerId, sharedParameters, sharedRoutes, sharedSchemas, text, time } from './shared.ts';

const listOf = (items: JsonSchema): JsonSchema => ({ type: 'array', items });
const commas = (words: readonly string[]): JsonSchema => ({
  type: 'string',
  pattern: `^(${words.join('|')})(,(${words.join('|')}))*$`,
  examples: [words.slice(-2).join(',')],
});

const described: Readonly<Record<RouteId, Described>> = {
  ...sharedRoutes,
  getId: { tag: 'peers', answer: idType.schema },
  getVersion: { tag: 'peers', answer: versionType.schema },
  getPeers: { tag: 'peers', answer: idType.schema },
  postPeer: {
    tag: 'peers',
    answer: idType.schema,
    body: {
      contentType: 'application/json',
      schema: { type: 'object', properties: { peer_id: peerId }, required: ['peer_id'] },
    },
  },
  // Whoever is no member has been removed.
  deletePeer: { tag: 'peers', never: [404] },
  postCordon: { tag: 'peers' },
  postAdd: {
    tag: 'pins',
    answer: addedOutputType.schema,
    body: {
      contentType: 'multipart/form-data',
      schema: {
        type: 'object',
        properties: { file: { type: 'array', items: { type: 'string', format: 'binary' } } },
        required: ['file'],
      },
    },
  },
  getAllocations: { tag: 'pins', answer: pinType.schema },
  getAllocation: { tag: 'pins', answer: pinType.schema },
  getPins: { tag: 'pins', answer: globalPinInfoType.schema },
  postRecover: { tag: 'pins', answer: globalPinInfoType.schema },
  postRecoverAll: { tag: 'pins', answer: globalPinInfoType.schema },
  // What is not in the pinset has a status too.
  getPin: { tag: 'pins', answer: globalPinInfoType.schema, never: [404] },
  getPinAllocation: { tag: 'pins', answer: allocationExplanationType.schema, never: [404] },
  postPin: { tag: 'pins', answer: pinType.schema, never: [404] },
  postPinPath: { tag: 'pins', answer: pinType.schema, never: [404] },
  deletePin: { tag: 'pins', answer: pinType.schema },
  deletePinPath: { tag: 'pins', answer: pinType.schema },
  postRebalance: { tag: 'operations', answer: rebalanceEventType.schema },
  postGc: { tag: 'operations', answer: globalRepoGcType.schema, never: [400] },
  getOperations: { tag: 'operations', answer: operationInfoType.schema },
  getEvents: { tag: 'operations', contentType: 'text/event-stream', answer: { type: 'string' } },
  getGraph: { tag: 'health', answer: connectGraphType.schema },
  getAlerts: { tag: 'health', answer: listOf(alertType.schema) },
  getMemberStates: { tag: 'health', answer: listOf(memberStateType.schema) },
  getBandwidth: { tag: 'health', answer: bandwidthByProtocolType.schema },
  getReplication: { tag: 'health', answer: replicationType.schema },
  getMetrics: { tag: 'health', answer: listOf(metricType.schema), never: [400, 404] },
  getMetricNames: { tag: 'health', answer: listOf({ type: 'string' }) },
};

const pinTypes = ['pin', 'meta-pin', 'clusterdag-pin', 'shard-pin', 'all'];
const statuses = [...Object.keys(trackerStatusBits), ...Object.keys(trackerStatusGroups)].filter(
  // It is no filter.
  (name) => name !== 'undefined',
);
const replicationFactor: JsonSchema = { type: 'integer', minimum: -1, examples: [1] };

const parameters: Readonly<Record<string, JsonSchema>> = {
  ...sharedParameters,
  peer: peerId,
  hash: cid,
  path: {
    type: 'string',
    description: 'A CID, and what it leads to; slashes stay as they are',
    examples: [cid.examples[0]],
  },
  'getMetrics.name': { type: 'string', examples: ['ping'] },
  local: flag,
  linearizable: flag,
  name: text('a name'),
  mode: { type: 'string', enum: ['recursive', 'direct'], default: 'recursive' },
  replication: replicationFactor,
  'replication-min': replicationFactor,
  'replication-max': replicationFactor,
  'shard-size': integer(0),
  'user-allocations': { type: 'string', examples: [peerId.examples[0]] },
  'expire-at': { ...time, examples: ['2099-01-01T00:00:00Z'] },
  'expire-in': { type: 'string', examples: ['48h'] },
  'meta-*': { type: 'object', additionalProperties: { type: 'string' }, examples: [{ 'meta-key': 'value' }] },
  'pin-update': cid,
  origins: {
    type: 'string',
    examples: [`/ip4/203.0.113.142/tcp/4001/p2p/${peerId.examples[0]}`],
  },
  layout: { type: 'string', enum: ['balanced', 'trickle'], default: 'balanced' },
  chunker: { type: 'string', default: 'size-262144', examples: ['size-1024'] },
  'postAdd.hash': { type: 'string', default: 'sha2-256', examples: ['sha2-256'] },
  format: { type: 'string', enum: ['unixfs', 'car'], default: 'unixfs' },
  recursive: flag,
  hidden: flag,
  'wrap-with-directory': flag,
  shard: flag,
  progress: flag,
  'cid-version': { ...integer(0), maximum: 1, default: 0 },
  'raw-leaves': flag,
  'stream-channels': { ...flag, default: true },
  nocopy: flag,
  'no-pin': flag,
  'getAllocations.filter': commas(pinTypes),
  'getPins.filter': commas(statuses),
  cids: { type: 'string', examples: [cid.examples[0]] },
  cid,
  'dry-run': flag,
  'max-moves': { ...integer(1), maximum: 100_000, default: 1000 },
  verify: flag,
  types: commas(['pin', 'status', 'peer', 'alert']),
  'last-event-id': text('where to go on'),
  'end-record': flag,
  limit: { ...integer(1), maximum: 1000 },
  cursor: { type: 'string' },
  'name-prefix': text('a n'),
  'created-after': time,
  'created-before': { ...time, examples: ['2099-01-01T00:00:00Z'] },
};

/** The REST API in OpenAPI 3.1. */
export function restOpenApi(version: string): OpenApiDocument {
  return openApiDocument<RouteId>({
    title: 'IPFS Cluster REST API',
    description:
      'One peer of a cluster of IPFS nodes that agree on a set of pins. Every peer answers for the whole cluster. ' +
      'Lists come as one JSON document on each line, as long as they may be.',
    version,
    routes,
    described,
    parameters,
    tags: {
      peers: 'Who is in the cluster',
      pins: 'What is pinned, where, and how it goes',
      operations: 'What is done on the IPFS nodes',
      health: 'How the cluster is',
      access: 'Tokens, and this description',
    },
    schemas: {
      Id: idType.schema,
      IpfsId: ipfsIdType.schema,
      Version: versionType.schema,
      Pin: pinType.schema,
      GlobalPinInfo: globalPinInfoType.schema,
      GlobalRepoGc: globalRepoGcType.schema,
      AddedOutput: addedOutputType.schema,
      AllocationExplanation: allocationExplanationType.schema,
      RebalanceEvent: rebalanceEventType.schema,
      OperationInfo: operationInfoType.schema,
      ConnectGraph: connectGraphType.schema,
      Alert: alertType.schema,
      Metric: metricType.schema,
      MemberState: memberStateType.schema,
      Replication: replicationType.schema,
      BandwidthByProtocol: bandwidthByProtocolType.schema,
      EndOfStream: endOfStreamType.schema,
      ...sharedSchemas,
      Error: apiErrorType.schema,
    },
    error: apiErrorType.schema,
    lastLine: endOfStreamType.schema,
  });
}
