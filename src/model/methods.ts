/**
 * The RPC methods of a peer: one row each, with codecs and the trust that a remote caller needs.
 * Server, client and tests derive from this table. Source: Go `rpc_api.go`, `rpc_policy.go`.
 */
import type { Cid } from './cid.ts';
import type { Codec } from './codec.ts';
import type { CordonRequest } from './member.ts';
import type { Alert, Metric } from './metric.ts';
import type { OperationInfo } from './operation.ts';
import type { ConnectGraph, Id, IpfsId, Multiaddr, PeerId, Version } from './peer.ts';
import type { Pin, PinPath } from './pin.ts';
import { anyType } from './schema/any.ts';
import { listType, wireStructType } from './schema/containers.ts';
import { cordonRequestType } from './schema/member.ts';
import { operationInfoType } from './schema/operation.ts';
import { alertType, connectGraphType, idType, ipfsIdType, metricType, versionType } from './schema/peer.ts';
import { peerIdsType, pinPathType, pinType } from './schema/pin.ts';
import { bytesType, cidType, int64Type, intType, multiaddrType, peerIdType, textType } from './schema/scalars.ts';
import {
  globalPinInfoType,
  globalRepoGcType,
  ipfsPinInfoType,
  ipfsPinStatusType,
  ipfsRepoStatType,
  pinInfoType,
  repoGcType,
  statusBlockType,
  statusPlaceType,
} from './schema/status.ts';
import { revokedTokenType } from './schema/token.ts';
import { bandwidthByProtocolType, nodeWithMetaType } from './schema/transfer.ts';
import { codecOf, type WireType } from './schema/type.ts';
import type {
  GlobalPinInfo,
  GlobalRepoGc,
  IpfsPinInfo,
  IpfsPinStatus,
  IpfsRepoStat,
  PinInfo,
  RepoGc,
  StatusFilter,
} from './status.ts';
import type { StatusBlock, StatusPlace } from './status-block.ts';
import type { RevokedToken } from './token.ts';
import type { BandwidthByProtocol, NodeWithMeta } from './transfer.ts';

/** open: any peer of the swarm; trusted: peers that this peer trusts; closed: calls from inside the process only. */
export type RpcTrust = 'open' | 'trusted' | 'closed';

/** A call with one argument and one reply. */
export interface RpcMethod<A, R> {
  readonly kind: 'unary';
  readonly service: string;
  readonly name: string;
  readonly trust: RpcTrust;
  readonly argument: Codec<A>;
  readonly reply: Codec<R>;
}

/** A call with any number of arguments and replies. */
export interface RpcStreamMethod<A, R> {
  readonly kind: 'stream';
  readonly service: string;
  readonly name: string;
  readonly trust: RpcTrust;
  readonly argument: Codec<A>;
  readonly reply: Codec<R>;
}

/** Go's `struct{}`: an argument or reply that says nothing. */
export type Nothing = Readonly<Record<never, never>>;
/** The one value of `Nothing`. */
export const nothing: Nothing = Object.freeze({});

const empty: WireType<Nothing> = wireStructType<Nothing>([]);
const texts = listType(textType);

/** How rows of one service are written: unary and streaming, each by trust. */
function service(name: string) {
  const row = <A, R>(method: string, trust: RpcTrust, argument: WireType<A>, reply: WireType<R>) => ({
    service: name,
    name: method,
    trust,
    argument: codecOf(argument),
    reply: codecOf(reply),
  });
  return {
    unary<A, R>(method: string, trust: RpcTrust, argument: WireType<A>, reply: WireType<R>): RpcMethod<A, R> {
      return { kind: 'unary', ...row(method, trust, argument, reply) };
    },
    stream<A, R>(method: string, trust: RpcTrust, argument: WireType<A>, reply: WireType<R>): RpcStreamMethod<A, R> {
      return { kind: 'stream', ...row(method, trust, argument, reply) };
    },
  };
}

const cluster = service('Cluster');
const pinTracker = service('PinTracker');
const ipfsConnector = service('IPFSConnector');
const consensus = service('Consensus');
const peerMonitor = service('PeerMonitor');

/** All methods, by service and name. */
export const methods: {
  readonly Cluster: {
    readonly ID: RpcMethod<Nothing, Id>;
    readonly IDStream: RpcStreamMethod<Nothing, Id>;
    readonly Version: RpcMethod<Nothing, Version>;
    readonly PeerAdd: RpcMethod<PeerId, Id>;
    readonly PeerRemove: RpcMethod<PeerId, Nothing>;
    readonly Peers: RpcStreamMethod<Nothing, Id>;
    readonly RecoverAllLocal: RpcStreamMethod<Nothing, PinInfo>;
    readonly RecoverLocal: RpcMethod<Cid, PinInfo>;
    readonly RepoGCLocal: RpcMethod<Nothing, RepoGc>;
    readonly Pin: RpcMethod<Pin, Pin>;
    readonly Unpin: RpcMethod<Pin, Pin>;
    readonly PinPath: RpcMethod<PinPath, Pin>;
    readonly UnpinPath: RpcMethod<PinPath, Pin>;
    readonly Pins: RpcStreamMethod<Nothing, Pin>;
    readonly PinGet: RpcMethod<Cid, Pin>;
    readonly PeersWithFilter: RpcStreamMethod<readonly PeerId[] | null, Id>;
    readonly ConnectGraph: RpcMethod<Nothing, ConnectGraph>;
    readonly Join: RpcMethod<Multiaddr, Nothing>;
    readonly StatusAll: RpcStreamMethod<StatusFilter, GlobalPinInfo>;
    readonly StatusAllLocal: RpcStreamMethod<StatusFilter, PinInfo>;
    readonly Status: RpcMethod<Cid, GlobalPinInfo>;
    readonly StatusLocal: RpcMethod<Cid, PinInfo>;
    readonly RecoverAll: RpcStreamMethod<Nothing, GlobalPinInfo>;
    readonly Recover: RpcMethod<Cid, GlobalPinInfo>;
    readonly BlockAllocate: RpcMethod<Pin, readonly PeerId[] | null>;
    readonly RepoGC: RpcMethod<Nothing, GlobalRepoGc>;
    readonly SendInformerMetrics: RpcMethod<Nothing, Nothing>;
    readonly SendInformersMetrics: RpcMethod<Nothing, Nothing>;
    readonly Alerts: RpcMethod<Nothing, readonly Alert[] | null>;
    readonly BandwidthByProtocol: RpcMethod<Nothing, BandwidthByProtocol>;
    readonly IPFSID: RpcMethod<PeerId, IpfsId>;
    /** Not known to the Go peer. */
    readonly Cordon: RpcMethod<CordonRequest, Nothing>;
    /** Not known to the Go peer, which does not know of revoked tokens. */
    readonly RevokeToken: RpcMethod<RevokedToken, Nothing>;
    /** Not known to the Go peer either. */
    readonly RevokedTokens: RpcStreamMethod<Nothing, RevokedToken>;
  };
  readonly PinTracker: {
    readonly Status: RpcMethod<Cid, PinInfo>;
    readonly StatusAll: RpcStreamMethod<StatusFilter, PinInfo>;
    /** Ours only: the same in state-key order, at a tenth of the cost. */
    readonly StatusBlocks: RpcStreamMethod<StatusFilter, StatusBlock>;
    /** Ours only: the same from a place on. */
    readonly StatusBlocksAfter: RpcStreamMethod<StatusPlace, StatusBlock>;
    readonly Recover: RpcMethod<Cid, PinInfo>;
    readonly RecoverAll: RpcStreamMethod<Nothing, PinInfo>;
    readonly Track: RpcMethod<Pin, Nothing>;
    readonly Untrack: RpcMethod<Pin, Nothing>;
    readonly PinQueueSize: RpcMethod<Nothing, bigint>;
    /** Ours: a Go peer does not know it. `Cid.undefined` asks for all. */
    readonly Operations: RpcStreamMethod<Cid, OperationInfo>;
  };
  readonly IPFSConnector: {
    readonly BlockStream: RpcStreamMethod<NodeWithMeta, Nothing>;
    readonly RepoStat: RpcMethod<Nothing, IpfsRepoStat>;
    readonly SwarmPeers: RpcMethod<Nothing, readonly PeerId[] | null>;
    readonly Pin: RpcMethod<Pin, Nothing>;
    readonly Unpin: RpcMethod<Pin, Nothing>;
    readonly PinLsCid: RpcMethod<Pin, IpfsPinStatus>;
    readonly PinLs: RpcStreamMethod<readonly string[] | null, IpfsPinInfo>;
    readonly ConfigKey: RpcMethod<string, unknown>;
    readonly BlockGet: RpcMethod<Cid, Uint8Array | null>;
    readonly Resolve: RpcMethod<string, Cid>;
  };
  readonly Consensus: {
    readonly LogPin: RpcMethod<Pin, Nothing>;
    readonly LogUnpin: RpcMethod<Pin, Nothing>;
    readonly AddPeer: RpcMethod<PeerId, Nothing>;
    readonly RmPeer: RpcMethod<PeerId, Nothing>;
    readonly Peers: RpcMethod<Nothing, readonly PeerId[] | null>;
  };
  readonly PeerMonitor: {
    readonly LatestMetrics: RpcMethod<string, readonly Metric[] | null>;
    readonly MetricNames: RpcMethod<Nothing, readonly string[] | null>;
  };
} = {
  Cluster: {
    ID: cluster.unary('ID', 'open', empty, idType),
    IDStream: cluster.stream('IDStream', 'open', empty, idType),
    Version: cluster.unary('Version', 'open', empty, versionType),
    PeerAdd: cluster.unary('PeerAdd', 'open', peerIdType, idType),
    PeerRemove: cluster.unary('PeerRemove', 'trusted', peerIdType, empty),
    Peers: cluster.stream('Peers', 'trusted', empty, idType),
    RecoverAllLocal: cluster.stream('RecoverAllLocal', 'trusted', empty, pinInfoType),
    RecoverLocal: cluster.unary('RecoverLocal', 'trusted', cidType, pinInfoType),
    RepoGCLocal: cluster.unary('RepoGCLocal', 'trusted', empty, repoGcType),
    Pin: cluster.unary('Pin', 'closed', pinType, pinType),
    Unpin: cluster.unary('Unpin', 'closed', pinType, pinType),
    PinPath: cluster.unary('PinPath', 'closed', pinPathType, pinType),
    UnpinPath: cluster.unary('UnpinPath', 'closed', pinPathType, pinType),
    Pins: cluster.stream('Pins', 'closed', empty, pinType),
    PinGet: cluster.unary('PinGet', 'closed', cidType, pinType),
    PeersWithFilter: cluster.stream('PeersWithFilter', 'closed', peerIdsType, idType),
    ConnectGraph: cluster.unary('ConnectGraph', 'closed', empty, connectGraphType),
    Join: cluster.unary('Join', 'closed', multiaddrType, empty),
    StatusAll: cluster.stream('StatusAll', 'closed', intType, globalPinInfoType),
    StatusAllLocal: cluster.stream('StatusAllLocal', 'closed', intType, pinInfoType),
    Status: cluster.unary('Status', 'closed', cidType, globalPinInfoType),
    StatusLocal: cluster.unary('StatusLocal', 'closed', cidType, pinInfoType),
    RecoverAll: cluster.stream('RecoverAll', 'closed', empty, globalPinInfoType),
    Recover: cluster.unary('Recover', 'closed', cidType, globalPinInfoType),
    BlockAllocate: cluster.unary('BlockAllocate', 'closed', pinType, peerIdsType),
    RepoGC: cluster.unary('RepoGC', 'closed', empty, globalRepoGcType),
    SendInformerMetrics: cluster.unary('SendInformerMetrics', 'closed', empty, empty),
    SendInformersMetrics: cluster.unary('SendInformersMetrics', 'closed', empty, empty),
    Alerts: cluster.unary('Alerts', 'closed', empty, listType(alertType)),
    BandwidthByProtocol: cluster.unary('BandwidthByProtocol', 'closed', empty, bandwidthByProtocolType),
    IPFSID: cluster.unary('IPFSID', 'closed', peerIdType, ipfsIdType),
    Cordon: cluster.unary('Cordon', 'trusted', cordonRequestType, empty),
    RevokeToken: cluster.unary('RevokeToken', 'trusted', revokedTokenType, empty),
    RevokedTokens: cluster.stream('RevokedTokens', 'trusted', empty, revokedTokenType),
  },
  PinTracker: {
    Status: pinTracker.unary('Status', 'trusted', cidType, pinInfoType),
    StatusAll: pinTracker.stream('StatusAll', 'trusted', intType, pinInfoType),
    StatusBlocks: pinTracker.stream('StatusBlocks', 'trusted', intType, statusBlockType),
    StatusBlocksAfter: pinTracker.stream('StatusBlocksAfter', 'trusted', statusPlaceType, statusBlockType),
    Recover: pinTracker.unary('Recover', 'trusted', cidType, pinInfoType),
    RecoverAll: pinTracker.stream('RecoverAll', 'closed', empty, pinInfoType),
    Track: pinTracker.unary('Track', 'closed', pinType, empty),
    Untrack: pinTracker.unary('Untrack', 'closed', pinType, empty),
    PinQueueSize: pinTracker.unary('PinQueueSize', 'closed', empty, int64Type),
    Operations: pinTracker.stream('Operations', 'trusted', cidType, operationInfoType),
  },
  IPFSConnector: {
    BlockStream: ipfsConnector.stream('BlockStream', 'trusted', nodeWithMetaType, empty),
    RepoStat: ipfsConnector.unary('RepoStat', 'trusted', empty, ipfsRepoStatType),
    SwarmPeers: ipfsConnector.unary('SwarmPeers', 'trusted', empty, peerIdsType),
    Pin: ipfsConnector.unary('Pin', 'closed', pinType, empty),
    Unpin: ipfsConnector.unary('Unpin', 'closed', pinType, empty),
    PinLsCid: ipfsConnector.unary('PinLsCid', 'closed', pinType, ipfsPinStatusType),
    PinLs: ipfsConnector.stream('PinLs', 'closed', texts, ipfsPinInfoType),
    ConfigKey: ipfsConnector.unary('ConfigKey', 'closed', textType, anyType),
    BlockGet: ipfsConnector.unary('BlockGet', 'closed', cidType, bytesType),
    Resolve: ipfsConnector.unary('Resolve', 'closed', textType, cidType),
  },
  Consensus: {
    LogPin: consensus.unary('LogPin', 'trusted', pinType, empty),
    LogUnpin: consensus.unary('LogUnpin', 'trusted', pinType, empty),
    AddPeer: consensus.unary('AddPeer', 'trusted', peerIdType, empty),
    RmPeer: consensus.unary('RmPeer', 'trusted', peerIdType, empty),
    Peers: consensus.unary('Peers', 'closed', empty, peerIdsType),
  },
  PeerMonitor: {
    LatestMetrics: peerMonitor.unary('LatestMetrics', 'closed', textType, listType(metricType)),
    MetricNames: peerMonitor.unary('MetricNames', 'closed', empty, texts),
  },
};

/** Any row, where its types do not matter. */
export type AnyRpcMethod = RpcMethod<unknown, unknown> | RpcStreamMethod<unknown, unknown>;

const methodOfName = new Map<string, AnyRpcMethod>(
  Object.values(methods)
    .flatMap((rows): AnyRpcMethod[] => Object.values(rows))
    .map((method) => [`${method.service}.${method.name}`, method]),
);

/** The row of a method, or `undefined`. */
export function findMethod(service: string, name: string): AnyRpcMethod | undefined {
  return methodOfName.get(`${service}.${name}`);
}

/** Whether any method belongs to the service. */
export function hasService(service: string): boolean {
  return Object.hasOwn(methods, service);
}
