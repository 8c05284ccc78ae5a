/** `Consensus.*`: writes that another member forwards to this one. Source: Go `rpc_api.go` `ConsensusRPCAPI`. */
import type { Consensus } from '../../../cluster/ports.ts';
import { type methods, nothing } from '../../../model/index.ts';
import type { HandlersOf } from '../registry.ts';
import { definedCid } from './arguments.ts';

export function consensusService(consensus: Consensus): HandlersOf<typeof methods.Consensus> {
  return {
    LogPin: async (pin, call) => {
      definedCid(pin.cid);
      await consensus.logPin(pin, { signal: call.signal });
      return nothing;
    },
    LogUnpin: async (pin, call) => {
      definedCid(pin.cid);
      await consensus.logUnpin(pin, { signal: call.signal });
      return nothing;
    },
    AddPeer: async (peer, call) => {
      await consensus.addPeer(peer, { signal: call.signal });
      return nothing;
    },
    RmPeer: async (peer, call) => {
      await consensus.rmPeer(peer, { signal: call.signal });
      return nothing;
    },
    Peers: () => consensus.peers(),
  };
}
