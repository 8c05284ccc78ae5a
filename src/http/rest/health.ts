/** Health, metrics, garbage collection. Source: Go `api/rest/restapi.go`. */
import {
  alertsJson,
  bandwidthByProtocolJson,
  connectGraphJson,
  globalRepoGcJson,
  memberStatesJson,
  metricsJson,
  replicationJson,
  textsJson,
} from '../../model/index.ts';
import type { Context } from './context.ts';
import { RequestError, readFlag, sendJson, sendNothing } from './reply.ts';

export function getHealth(context: Context): Promise<unknown> {
  return sendNothing(context);
}

export async function getGraph(context: Context): Promise<unknown> {
  return sendJson(context, connectGraphJson.print(await context.cluster.connectGraph({ signal: context.signal })));
}

export function getAlerts(context: Context): Promise<unknown> {
  return sendJson(context, alertsJson.print(context.cluster.alerts()));
}

export function getBandwidth(context: Context): Promise<unknown> {
  return sendJson(context, bandwidthByProtocolJson.print(context.cluster.bandwidth()));
}

export async function getMemberStates(context: Context): Promise<unknown> {
  return sendJson(context, memberStatesJson.print(await context.cluster.memberStates({ signal: context.signal })));
}

export async function getReplication(context: Context): Promise<unknown> {
  const isVerified = readFlag(context, 'verify');
  const replication = await context.cluster.replication({ isVerified }, { signal: context.signal });
  return sendJson(context, replicationJson.print(replication));
}

export function getMetricNames(context: Context): Promise<unknown> {
  return sendJson(context, textsJson.print(context.cluster.metricNames()));
}

export function getMetrics(context: Context): Promise<unknown> {
  return sendJson(context, metricsJson.print(context.cluster.metrics(context.param('name'))));
}

export async function postGc(context: Context): Promise<unknown> {
  const call = { signal: context.signal };
  if (context.query.get('local') !== 'true')
    return sendJson(context, globalRepoGcJson.print(await context.cluster.repoGc(call)));
  const own = await context.cluster.repoGcLocal(call);
  // A failure of this peer alone is the answer; among others it is one entry.
  if (own.error !== '') throw new RequestError(500, own.error);
  return sendJson(context, globalRepoGcJson.print({ peerMap: { [own.peer]: own } }));
}
