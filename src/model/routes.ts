/**
 * The REST API, row by row, in the order in which requests are matched. Server, client and docs derive from it.
 * Source: Go `api/rest/restapi.go` `routes`.
 */

/** object: one JSON document; stream: one document per line; events: server-sent events without an end; none: no body. */
export type ReplyKind = 'object' | 'stream' | 'events' | 'none';

/** none: open to everybody; read: changes nothing; write: needs full credentials. */
export type RouteAccess = 'none' | 'read' | 'write';

/** A parameter in the query string. */
export interface RouteParameter {
  readonly name: string;
  readonly summary: string;
}

/** One row of the REST API. */
export interface Route {
  /** Names the handler. */
  readonly id: RouteId;
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Segments in braces are parameters: `{name}` is one segment, `{name:a|b}` one of the words, `{name:.*}` the rest. */
  readonly path: string;
  readonly reply: ReplyKind;
  /** What it takes to use it: nothing, any credentials, full ones. */
  readonly access: RouteAccess;
  /** What is read from the query string. */
  readonly query: readonly RouteParameter[];
  readonly summary: string;
}

/** The names of all routes. */
export type RouteId =
  | 'getId'
  | 'getVersion'
  | 'getPeers'
  | 'postPeer'
  | 'deletePeer'
  | 'postCordon'
  | 'postAdd'
  | 'getAllocations'
  | 'getAllocation'
  | 'getPins'
  | 'postRecover'
  | 'postRecoverAll'
  | 'getPin'
  | 'getPinAllocation'
  | 'postPin'
  | 'postPinPath'
  | 'deletePin'
  | 'deletePinPath'
  | 'postRebalance'
  | 'postGc'
  | 'getGraph'
  | 'getAlerts'
  | 'getMemberStates'
  | 'getBandwidth'
  | 'getOperations'
  | 'getEvents'
  | 'getReplication'
  | 'getMetrics'
  | 'getMetricNames'
  | 'postRevokeToken'
  | 'postToken'
  | 'getOpenApi'
  | 'getApiPage'
  | 'getApiAsset'
  | 'getHealth';

/** What the pinning service has as well. */
export type SharedRouteId = RouteId &
  ('postToken' | 'postRevokeToken' | 'getOpenApi' | 'getApiPage' | 'getApiAsset' | 'getHealth');

const local: RouteParameter = { name: 'local', summary: '`true`: ask only the peer that is called' };

const endRecord: RouteParameter = {
  name: 'end-record',
  summary:
    '`true`: the last line says how many there were and what has gone wrong, for readers that see no trailers; also of an empty list; ' +
    'not known to Go peers, which ignore it',
};

const page: readonly RouteParameter[] = [
  {
    name: 'limit',
    summary:
      'Items at most, 1 to 1000; implies `end-record`, whose `next` is the cursor of the next page; 100 when only `cursor` is given',
  },
  { name: 'cursor', summary: 'Goes on behind the page that has ended with this `next`' },
];

const search: readonly RouteParameter[] = [
  { name: 'name', summary: 'Only pins of this name; this and all that follow make pages, as `limit` does' },
  { name: 'name-prefix', summary: 'Only pins whose names begin so' },
  { name: 'meta-*', summary: 'Only pins with this metadata: what follows `meta-` is the key' },
  { name: 'created-after', summary: 'Only pins made at this RFC 3339 time or later' },
  { name: 'created-before', summary: 'Only pins made before this RFC 3339 time' },
];

const linearizable: RouteParameter = {
  name: 'linearizable',
  summary:
    '`true`: show all that any peer has acknowledged before, or answer 503 or 504 when no quorum or a Go leader confirms it; ' +
    'not known to Go peers, which ignore it',
};

const pinOptions: readonly RouteParameter[] = [
  { name: 'name', summary: 'A name for the pin' },
  { name: 'mode', summary: '`recursive` (default) or `direct`' },
  { name: 'replication', summary: 'Sets both replication factors' },
  { name: 'replication-min', summary: 'Fewest peers that must hold the pin; -1 all, 0 the default of the cluster' },
  { name: 'replication-max', summary: 'Most peers that hold the pin; -1 all, 0 the default of the cluster' },
  { name: 'shard-size', summary: 'Bytes per shard' },
  { name: 'user-allocations', summary: 'Peers to prefer, as ids with commas between' },
  { name: 'expire-at', summary: 'When to unpin, as an RFC 3339 time' },
  { name: 'expire-in', summary: 'When to unpin, as a duration from now, such as `48h`' },
  { name: 'meta-*', summary: 'Metadata: what follows `meta-` is the key' },
  { name: 'pin-update', summary: 'The pinned CID whose options to take and whose blocks to start from' },
  { name: 'origins', summary: 'Multiaddresses of peers that have the content, with commas between' },
];

const added: readonly RouteParameter[] = [
  { name: 'layout', summary: '`balanced` (default) or `trickle`' },
  { name: 'chunker', summary: 'How files are cut, such as `size-262144`' },
  { name: 'hash', summary: 'The hash function, `sha2-256` unless said' },
  { name: 'format', summary: '`unixfs` (default) or `car`' },
  local,
  { name: 'recursive', summary: 'Accepted for older clients' },
  { name: 'hidden', summary: 'Accepted for older clients' },
  { name: 'wrap-with-directory', summary: 'Put everything into one directory' },
  { name: 'shard', summary: 'Spread the content over peers in shards' },
  { name: 'progress', summary: 'Report bytes while they are read' },
  { name: 'cid-version', summary: '0 (default) or 1' },
  { name: 'raw-leaves', summary: 'Store file data in raw blocks' },
  { name: 'stream-channels', summary: '`false`: one array at the end instead of a line per object' },
  { name: 'nocopy', summary: 'Refer to the files instead of copying them' },
  { name: 'no-pin', summary: 'Add without pinning' },
];

const word = '{keyType:ipfs|ipns|ipld}';

/** All routes. */
export const routes: readonly Route[] = [
  row('getId', 'GET', '/id', 'object', 'read', [], 'The peer that is called'),
  row('getVersion', 'GET', '/version', 'object', 'read', [], 'Its version'),
  row('getPeers', 'GET', '/peers', 'stream', 'read', [], 'All members; those that do not answer carry an error'),
  row('postPeer', 'POST', '/peers', 'object', 'write', [], 'Adds the member named in the body, `{"peer_id"}`'),
  row('deletePeer', 'DELETE', '/peers/{peer}', 'none', 'write', [], 'Removes a member'),
  row(
    'postCordon',
    'POST',
    '/peers/{peer}/{act:cordon|drain|uncordon}',
    'none',
    'write',
    [],
    'Gives a member nothing new, or empties it as well, or ends that; not known to Go peers',
  ),
  row('postAdd', 'POST', '/add', 'stream', 'write', [...pinOptions, ...added], 'Adds files and pins them'),
  row(
    'getAllocations',
    'GET',
    '/allocations',
    'stream',
    'read',
    [{ name: 'filter', summary: 'Pin types with commas between; all when absent' }, linearizable, ...page, ...search],
    'The pinset',
  ),
  row(
    'getAllocation',
    'GET',
    '/allocations/{hash}',
    'object',
    'read',
    [linearizable, ...pinOptions],
    'One pin of the pinset',
  ),
  row(
    'getPins',
    'GET',
    '/pins',
    'stream',
    'read',
    [
      local,
      { name: 'filter', summary: 'Statuses with commas between; all when absent' },
      { name: 'cids', summary: 'Only these CIDs, with commas between; the filter does not apply' },
      ...page,
    ],
    'The status of all pins',
  ),
  row(
    'postRecover',
    'POST',
    '/pins/{hash}/recover',
    'object',
    'write',
    [local, ...pinOptions],
    'Tries a failed pin again',
  ),
  row('postRecoverAll', 'POST', '/pins/recover', 'stream', 'write', [local], 'Tries all failed pins again'),
  row('getPin', 'GET', '/pins/{hash}', 'object', 'read', [local, ...pinOptions], 'The status of one pin'),
  row(
    'getPinAllocation',
    'GET',
    '/pins/{hash}/allocation',
    'object',
    'read',
    pinOptions,
    'Which peers `POST /pins/{hash}` with the same options would choose now, and why; not in the reference',
  ),
  row('postPin', 'POST', '/pins/{hash}', 'object', 'write', pinOptions, 'Pins a CID'),
  row('postPinPath', 'POST', `/pins/${word}/{path:.*}`, 'object', 'write', pinOptions, 'Pins what a path leads to'),
  row('deletePin', 'DELETE', '/pins/{hash}', 'object', 'write', pinOptions, 'Unpins a CID'),
  row(
    'deletePinPath',
    'DELETE',
    `/pins/${word}/{path:.*}`,
    'object',
    'write',
    pinOptions,
    'Unpins what a path leads to',
  ),
  row(
    'postRebalance',
    'POST',
    '/rebalance',
    'stream',
    'write',
    [
      { name: 'dry-run', summary: '`true`: tell what would be moved, and move nothing' },
      { name: 'max-moves', summary: 'Moves at most, 1 to 100000; 1000 when absent' },
    ],
    'Moves pins so that they are spread over groups and peers have equally many; not in the reference',
  ),
  row('postGc', 'POST', '/ipfs/gc', 'object', 'write', [local], 'Collects garbage on the IPFS nodes'),
  row(
    'getOperations',
    'GET',
    '/operations',
    'stream',
    'read',
    [local, { name: 'cid', summary: 'Only of this CID' }],
    'Unfinished pins and unpins of all peers: cause, since when, attempts, next try, place in the queue; not in the Go peer',
  ),
  row(
    'getEvents',
    'GET',
    '/events',
    'events',
    'read',
    [
      { name: 'types', summary: 'Some of `pin`, `status`, `peer`, `alert`, with commas between; all when absent' },
      {
        name: 'last-event-id',
        summary:
          'Goes on behind this event, as the header `Last-Event-ID` does; `reset` comes first when that is not possible',
      },
    ],
    'What happens on the peer that is called, as server-sent events, until one of both ends it; not in the reference',
  ),
  row('getGraph', 'GET', '/health/graph', 'object', 'read', [], 'Which members and IPFS nodes are connected'),
  row('getAlerts', 'GET', '/health/alerts', 'object', 'read', [], 'Metrics that have expired, the newest first'),
  row(
    'getMemberStates',
    'GET',
    '/health/peers',
    'object',
    'read',
    [],
    'Which members are alive, missing, gone, cordoned or drained, and how many pins each has; not known to Go peers',
  ),
  row('getBandwidth', 'GET', '/health/bandwidth', 'object', 'read', [], 'Traffic by protocol'),
  row(
    'getReplication',
    'GET',
    '/health/replication',
    'object',
    'read',
    [
      {
        name: 'verify',
        summary:
          '`true`: count what the members themselves list as pinned, instead of allocations to members that are alive',
      },
    ],
    'How many pins have as many replicas as they should; not in the Go peer',
  ),
  row('getMetrics', 'GET', '/monitor/metrics/{name}', 'object', 'read', [], 'The latest metrics of one name'),
  row('getMetricNames', 'GET', '/monitor/metrics', 'object', 'read', [], 'Names of all metrics'),
  row(
    'postRevokeToken',
    'POST',
    '/token/revoke',
    'object',
    'write',
    [],
    'Lets the token in the body, `{"token"}`, count no more on any member; not known to Go peers',
  ),
  row(
    'postToken',
    'POST',
    '/token',
    'object',
    'write',
    [
      { name: 'expires-in', summary: 'How long it counts, such as `24h`; for ever when absent. Not known to Go peers' },
      { name: 'scope', summary: '`read`: it may change nothing. Not known to Go peers' },
    ],
    'Issues a bearer token for the user that asks',
  ),
  row('getOpenApi', 'GET', '/openapi.json', 'object', 'read', [], 'This API in OpenAPI 3.1; not known to Go peers'),
  row('getApiPage', 'GET', '/api', 'object', 'read', [], 'A page to try this API; not known to Go peers'),
  row('getApiAsset', 'GET', '/api/{asset}', 'object', 'read', [], 'A file of that page'),
  row('getHealth', 'GET', '/health', 'none', 'none', [], 'Answers while the peer runs; needs no credentials'),
];

function row(
  id: RouteId,
  method: Route['method'],
  path: string,
  reply: ReplyKind,
  access: RouteAccess,
  query: readonly RouteParameter[],
  summary: string,
): Route {
  // What is added is told line by line in a form of its own.
  const isList = reply === 'stream' && id !== 'postAdd';
  return { id, method, path, reply, access, query: isList ? [...query, endRecord] : query, summary };
}
