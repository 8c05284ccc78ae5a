/** `PeerMonitor.*`: metrics as this peer has them. Source: Go `rpc_api.go` `PeerMonitorRPCAPI`. */
import type { PeerMonitor } from '../../../cluster/ports.ts';
import type { methods } from '../../../model/index.ts';
import type { HandlersOf } from '../registry.ts';

export function peerMonitorService(monitor: PeerMonitor): HandlersOf<typeof methods.PeerMonitor> {
  return {
    LatestMetrics: (name) => monitor.latest(name),
    MetricNames: () => monitor.names(),
  };
}
