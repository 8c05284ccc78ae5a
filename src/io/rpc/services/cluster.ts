/** `Cluster.*`: what this peer as a whole does for others. Source: Go `rpc_api.go` `ClusterRPCAPI`. */
import { printable } from '../../../base/index.ts';
import type { ClusterApi, PeerMonitor } from '../../../cluster/ports.ts';
import { cordonModes, type IpfsId, type methods, nothing, type PeerId, pingValueJson } from '../../../model/index.ts';
import { rpcError } from '../errors.ts';
import type { HandlersOf } from '../registry.ts';
import { definedCid, firstOr, flat, notSupported } from './arguments.ts';

/** Go `pingMetricName`. */
const pingMetric = 'ping';

export interface ClusterServiceDeps {
  readonly cluster: ClusterApi;
  readonly monitor: PeerMonitor;
}

export function clusterService({ cluster, monitor }: ClusterServiceDeps): HandlersOf<typeof methods.Cluster> {
  return {
    ID: (_, call) => cluster.id({ signal: call.signal }),
    async *IDStream(_, call) {
      yield await cluster.id({ signal: call.signal });
    },
    Version: () => cluster.version(),
    PeerAdd: (peer, call) => cluster.peerAdd(peer, { signal: call.signal }),
    PeerRemove: async (peer, call) => {
      await cluster.peerRemove(peer, { signal: call.signal });
      return nothing;
    },
    Peers: (_, call) => cluster.peers({ signal: call.signal }),
    RecoverAllLocal: (_, call) => cluster.recoverAllLocal({ signal: call.signal }),
    RecoverLocal: (cid, call) => cluster.recoverLocal(definedCid(cid), { signal: call.signal }),
    RepoGCLocal: (_, call) => cluster.repoGcLocal({ signal: call.signal }),
    Pin: (pin, call) => {
      definedCid(pin.cid);
      return cluster.pinObject(pin, { signal: call.signal });
    },
    Unpin: (pin, call) => cluster.unpin(definedCid(pin.cid), { signal: call.signal }),
    PinPath: (path, call) => cluster.pinPath(path, { signal: call.signal }),
    UnpinPath: (path, call) => cluster.unpinPath(path.path, { signal: call.signal }),
    Pins: (_, call) => flat(cluster.pins({ signal: call.signal })),
    PinGet: (cid) => cluster.pinGet(definedCid(cid)),
    async *PeersWithFilter(args, call) {
      const wanted = new Set<PeerId>(await firstOr(args, []));
      for await (const id of cluster.peers({ signal: call.signal })) if (wanted.has(id.id)) yield id;
    },
    ConnectGraph: (_, call) => cluster.connectGraph({ signal: call.signal }),
    Join: async (address, call) => {
      await cluster.join(address, { signal: call.signal });
      return nothing;
    },
    async *StatusAll(args, call) {
      yield* cluster.statusAll(await firstOr(args, 0), { signal: call.signal });
    },
    async *StatusAllLocal(args, call) {
      yield* cluster.statusAllLocal(await firstOr(args, 0), { signal: call.signal });
    },
    Status: (cid, call) => cluster.status(definedCid(cid), { signal: call.signal }),
    StatusLocal: (cid, call) => cluster.statusLocal(definedCid(cid), { signal: call.signal }),
    RecoverAll: (_, call) => cluster.recoverAll({ signal: call.signal }),
    Recover: (cid, call) => cluster.recover(definedCid(cid), { signal: call.signal }),
    BlockAllocate: (pin, call) => cluster.blockAllocate(pin, { signal: call.signal }),
    RepoGC: (_, call) => cluster.repoGc({ signal: call.signal }),
    SendInformerMetrics: () => notSupported('Cluster.SendInformerMetrics'),
    SendInformersMetrics: () => notSupported('Cluster.SendInformersMetrics'),
    Alerts: () => cluster.alerts(),
    BandwidthByProtocol: () => cluster.bandwidth(),
    IPFSID: (peer) => ipfsIdOf(monitor, peer),
    Cordon: async ({ mode: asked }, call) => {
      const mode = cordonModes.find((known) => known === asked);
      if (mode === undefined) {
        throw rpcError('bad-argument', `Cannot cordon as "${printable(asked)}": expected ${cordonModes.join(', ')}`);
      }
      await cluster.cordon(mode, { signal: call.signal });
      return nothing;
    },
    async *RevokedTokens() {
      yield* cluster.revokedTokens();
    },
    RevokeToken: async (token) => {
      await cluster.revokeTokenLocal(token);
      return nothing;
    },
  };
}

/** What a peer's last ping says of its IPFS node. Source: Go `ipfscluster` `getIPFSID` by `pingValueFromMetric`. */
function ipfsIdOf(monitor: PeerMonitor, peer: PeerId): IpfsId {
  const metric = monitor.latestOf(pingMetric, peer);
  if (metric === undefined) return { id: '', addresses: null, error: '' };
  const { ipfsId, ipfsAddresses } = pingValueJson.parse(metric.value);
  return { id: ipfsId, addresses: ipfsAddresses, error: '' };
}
