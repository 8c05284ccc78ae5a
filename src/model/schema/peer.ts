/**
 * Peers, connectivity and metrics on the wire and in JSON.
 */
import type { Alert, Metric, PingValue } from '../metric.ts';
import type { ConnectGraph, Id, IpfsId, Version } from '../peer.ts';
import { field, mapType, nullableType, structType } from './containers.ts';
import { multiaddrsType, peerIdsType } from './pin.ts';
import { boolType, int64Type, peerIdType, textType, timeType } from './scalars.ts';
import type { Type } from './type.ts';

const ipfs = field<IpfsId>();

export const ipfsIdType: Type<IpfsId> = structType<IpfsId>([
  ipfs('id', 'i?', 'id?', peerIdType),
  ipfs('addresses', 'a?', 'addresses', multiaddrsType),
  ipfs('error', 'e?', 'error', textType),
]);

const id = field<Id>();

export const idType: Type<Id> = structType<Id>([
  id('id', 'i?', 'id', peerIdType),
  id('addresses', 'a?', 'addresses', multiaddrsType),
  id('clusterPeers', 'cp?', 'cluster_peers', peerIdsType),
  id('clusterPeersAddresses', 'cpa?', 'cluster_peers_addresses', multiaddrsType),
  id('version', 'v?', 'version', textType),
  id('commit', 'c?', 'commit', textType),
  id('rpcProtocolVersion', 'rv?', 'rpc_protocol_version', textType),
  id('error', 'e?', 'error', textType),
  id('ipfs', 'ip?', 'ipfs', nullableType(ipfsIdType)),
  id('peername', 'pn?', 'peername', textType),
]);

export const versionType: Type<Version> = structType<Version>([field<Version>()('version', 'v', 'version', textType)]);

const graph = field<ConnectGraph>();

export const connectGraphType: Type<ConnectGraph> = structType<ConnectGraph>([
  graph('clusterId', 'id', 'cluster_id', peerIdType),
  graph('idToPeername', 'ip?', 'id_to_peername', mapType(textType)),
  graph('ipfsLinks', 'il?', 'ipfs_links', mapType(presentListType(peerIdsType))),
  graph('clusterLinks', 'cl?', 'cluster_links', mapType(presentListType(peerIdsType))),
  graph('clusterTrustLinks', 'ctl?', 'cluster_trust_links', mapType(boolType)),
  graph('clusterToIpfs', 'ci?', 'cluster_to_ipfs', mapType(peerIdType)),
]);

/** A list whose nil reads as empty: the model's maps and pings hold lists, never null. */
function presentListType(list: Type<readonly string[] | null>): Type<readonly string[]> {
  const none: readonly string[] = Object.freeze([]);
  return {
    zero: none,
    isZero: (value) => value.length === 0,
    write: list.write,
    read: (reader) => list.read(reader) ?? none,
    print: list.print,
    parse: (value) => list.parse(value) ?? none,
    schema: { ...list.schema, type: 'array' },
  };
}

const metric = field<Metric>();

const metricFields = [
  metric('name', 'n?', 'name', textType),
  metric('peer', 'p?', 'peer', peerIdType),
  metric('value', 'v?', 'value', textType),
  metric('expire', 'e?', 'expire', int64Type),
  metric('valid', 'd?', 'valid', boolType),
  metric('weight', 'w?', 'weight', int64Type),
  metric('partitionable', 'o?', 'partitionable', boolType),
  metric('receivedAt', 't?', 'received_at', int64Type),
];

export const metricType: Type<Metric> = structType<Metric>(metricFields);

export const alertType: Type<Alert> = structType<Alert>([
  ...metricFields,
  field<Alert>()('triggeredAt', 'r?', 'triggered_at', timeType),
]);

const ping = field<PingValue>();

/** JSON only: the text inside the `ping` metric. */
export const pingValueType: Type<PingValue> = structType<PingValue>([
  ping('peername', 'peer_name?', 'peer_name?', textType),
  ping('ipfsId', 'ipfs_id?', 'ipfs_id?', peerIdType),
  ping('ipfsAddresses', 'ipfs_addresses?', 'ipfs_addresses?', presentListType(multiaddrsType)),
]);
