/** All services of a peer, over its parts. */
import type { ClusterApi, Consensus, IpfsConnector, PeerMonitor, PinTracker } from '../../../cluster/ports.ts';
import { methods } from '../../../model/index.ts';
import type { RpcNode } from '../rpc.ts';
import { clusterService } from './cluster.ts';
import { consensusService } from './consensus.ts';
import { ipfsConnectorService } from './ipfs-connector.ts';
import { peerMonitorService } from './peer-monitor.ts';
import { pinTrackerService } from './pin-tracker.ts';

/** The parts of a peer that its RPC services speak for. */
export interface ServiceDeps {
  readonly cluster: ClusterApi;
  readonly tracker: PinTracker;
  readonly ipfs: IpfsConnector;
  readonly consensus: Consensus;
  readonly monitor: PeerMonitor;
}

/** Serves every method of the table. Call it before `RpcNode.start`. */
export function registerServices(rpc: RpcNode, deps: ServiceDeps): void {
  rpc.register(methods.Cluster, clusterService(deps));
  rpc.register(methods.PinTracker, pinTrackerService(deps.tracker));
  rpc.register(methods.IPFSConnector, ipfsConnectorService(deps.ipfs));
  rpc.register(methods.Consensus, consensusService(deps.consensus));
  rpc.register(methods.PeerMonitor, peerMonitorService(deps.monitor));
}
