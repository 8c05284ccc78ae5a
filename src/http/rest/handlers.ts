/** The handler of each route, by the id of its row. */
import { version } from '../../base/index.ts';
import { type RouteId, restOpenApi } from '../../model/index.ts';
import { issueToken, revokeToken, sendApiAsset, sendApiPage, sendOpenApi } from '../kit/index.ts';
import { postAdd } from './add.ts';
import type { Context } from './context.ts';
import { getEvents } from './events.ts';
import {
  getAlerts,
  getBandwidth,
  getGraph,
  getHealth,
  getMemberStates,
  getMetricNames,
  getMetrics,
  getReplication,
  postGc,
} from './health.ts';
import { getOperations } from './operations.ts';
import { deletePeer, getId, getPeers, getVersion, postCordon, postPeer } from './peers.ts';
import {
  deletePin,
  deletePinPath,
  getAllocation,
  getAllocations,
  getPin,
  getPinAllocation,
  getPins,
  postPin,
  postPinPath,
  postRecover,
  postRecoverAll,
} from './pins.ts';
import { postRebalance } from './rebalance.ts';

export type Handler = (context: Context) => Promise<unknown>;

export const handlers: Readonly<Record<RouteId, Handler>> = {
  getId,
  getVersion,
  getPeers,
  postPeer,
  deletePeer,
  postCordon,
  postAdd,
  getAllocations,
  getAllocation,
  getPins,
  postRecover,
  postRecoverAll,
  getPin,
  getPinAllocation,
  postPin,
  postPinPath,
  deletePin,
  deletePinPath,
  postRebalance,
  postGc,
  getGraph,
  getAlerts,
  getMemberStates,
  getBandwidth,
  getOperations,
  getEvents,
  getReplication,
  getMetrics,
  getMetricNames,
  postRevokeToken: (context) => revokeToken(context, (token) => context.cluster.revokeToken(token)),
  postToken: issueToken,
  getOpenApi: (context) => sendOpenApi(context, restOpenApi(version)),
  getApiPage: sendApiPage,
  getApiAsset: sendApiAsset,
  getHealth,
};
