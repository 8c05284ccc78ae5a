/**
 * The IPFS Pinning Service API, row by row, in the order in which requests are matched. Server, its description and tests
 * derive from it. Source: its specification, version 1.0.0; `/token` and `/health` are of Go `api/common/api.go`.
 */
import {
  type ReplyKind,
  type Route,
  type RouteAccess,
  type RouteId,
  type RouteParameter,
  routes,
  type SharedRouteId,
} from './routes.ts';

/** The names of all routes. */
export type PinsvcRouteId = 'listPins' | 'addPin' | 'getPin' | 'replacePin' | 'removePin' | SharedRouteId;

/** One row of the pinning service. */
export interface PinsvcRoute extends Omit<Route, 'id'> {
  readonly id: PinsvcRouteId;
}

const sharedRouteIds: readonly RouteId[] = [
  'postToken',
  'postRevokeToken',
  'getOpenApi',
  'getApiPage',
  'getApiAsset',
  'getHealth',
] satisfies readonly SharedRouteId[];

const listParameters: readonly RouteParameter[] = [
  { name: 'cid', summary: 'Only pins of these CIDs, at most 10 with commas between' },
  { name: 'name', summary: 'Only pins with this name, at most 255 characters' },
  { name: 'match', summary: 'How the name is compared: `exact` (default), `iexact`, `partial`, `ipartial`' },
  {
    name: 'status',
    summary:
      'Only pins in these states, with commas between; when absent `pinned`, or all when `cid`, `name` or `meta` select pins',
  },
  {
    name: 'before',
    summary: 'Only pins created before this RFC 3339 time; the time of the oldest pin asks for the next page',
  },
  { name: 'after', summary: 'Only pins created after this RFC 3339 time' },
  { name: 'limit', summary: 'Pins at most, 1 to 1000; 10 when absent' },
  { name: 'meta', summary: 'Only pins whose metadata has all entries of this JSON object' },
];

/** All routes. */
export const pinsvcRoutes: readonly PinsvcRoute[] = [
  row('listPins', 'GET', '/pins', 'object', 'read', listParameters, 'Pins, newest first'),
  row('addPin', 'POST', '/pins', 'object', 'write', [], 'Pins a CID'),
  row('getPin', 'GET', '/pins/{requestid}', 'object', 'read', [], 'How it stands with a pin'),
  row('replacePin', 'POST', '/pins/{requestid}', 'object', 'write', [], 'Pins a CID in place of another one'),
  row('removePin', 'DELETE', '/pins/{requestid}', 'none', 'write', [], 'Unpins a CID'),
  ...routes.filter(isShared),
];

function isShared(route: Route): route is Route & { readonly id: SharedRouteId } {
  return sharedRouteIds.includes(route.id);
}

function row(
  id: PinsvcRouteId,
  method: PinsvcRoute['method'],
  path: string,
  reply: ReplyKind,
  access: RouteAccess,
  query: readonly RouteParameter[],
  summary: string,
): PinsvcRoute {
  return { id, method, path, reply, access, query, summary };
}
