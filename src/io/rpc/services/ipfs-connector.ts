/** `IPFSConnector.*`: the IPFS node of this peer. Source: Go `rpc_api.go` `IPFSConnectorRPCAPI`. */
import type { IpfsConnector } from '../../../cluster/ports.ts';
import { type methods, nothing } from '../../../model/index.ts';
import { rpcError } from '../errors.ts';
import type { HandlersOf } from '../registry.ts';
import { definedCid, firstOr, flat } from './arguments.ts';

/** Kubo's pin types that the connector lists. */
const pinTypes = ['recursive', 'direct'] as const;
type PinTypeName = (typeof pinTypes)[number];

export function ipfsConnectorService(ipfs: IpfsConnector): HandlersOf<typeof methods.IPFSConnector> {
  return {
    // Nothing is sent back: the end says that all is stored.
    // biome-ignore lint/correctness/useYield: a stream without values
    async *BlockStream(blocks, call) {
      await ipfs.blockStream(blocks, { signal: call.signal });
    },
    RepoStat: (_, call) => ipfs.repoStat({ signal: call.signal }),
    SwarmPeers: (_, call) => ipfs.swarmPeers({ signal: call.signal }),
    Pin: async (pin, call) => {
      definedCid(pin.cid);
      await ipfs.pin(pin, { signal: call.signal });
      return nothing;
    },
    Unpin: async (pin, call) => {
      await ipfs.unpin(definedCid(pin.cid), { signal: call.signal });
      return nothing;
    },
    PinLsCid: (pin, call) => {
      definedCid(pin.cid);
      return ipfs.pinLsCid(pin, { signal: call.signal });
    },
    async *PinLs(args, call) {
      const types = (await firstOr(args, [])).map(pinTypeName);
      yield* flat(ipfs.pinLs(types, { signal: call.signal }));
    },
    ConfigKey: (path, call) => ipfs.configKey(path, { signal: call.signal }),
    BlockGet: (cid, call) => ipfs.blockGet(definedCid(cid), { signal: call.signal }),
    Resolve: (path, call) => ipfs.resolve(path, { signal: call.signal }),
  };
}

function pinTypeName(text: string): PinTypeName {
  const known = pinTypes.find((type) => type === text);
  if (known === undefined) {
    throw rpcError('bad-argument', `Cannot list pins of type "${text}": one of ${pinTypes.join(', ')} required`);
  }
  return known;
}
