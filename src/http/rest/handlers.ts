/** The handler of each route, by the id of its row. */
import type { RouteId } from '../../model/index.ts';
import { issueToken, revokeToken } from '../kit/index.ts';
import { postAdd } from './add.ts';
import type { Context } from './context.ts';
import {
  getAlerts,
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
import { RequestError } from './reply.ts';

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
  getBandwidth: notAvailable,
  getOperations,
  getReplication,
  getMetrics,
  getMetricNames,
  postRevokeToken: (context) => revokeToken(context, (token) => context.cluster.revokeToken(token)),
  postToken: issueToken,
  getHealth,
};

/** Routes of the reference that this version does not have. */
async function notAvailable(): Promise<never> {
  throw new RequestError(501, 'this route is not available in this version');
}
