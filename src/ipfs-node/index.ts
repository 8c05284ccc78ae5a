/** The embedded IPFS node: blocks on disk, pins, gc, bitswap and, with `createRpcServer`, Kubo's RPC. Usable alone. */
export { type IpfsNodeErrorCode, nodeError } from './errors.ts';
export { createIpfsNode, type IpfsNodeOptions } from './node.ts';
export type {
  AbortOptions,
  BitswapStat,
  Block,
  BlockReader,
  Blockstore,
  ConfigValue,
  Gc,
  IpfsNode,
  NodeConfig,
  Operation,
  PinAddOptions,
  PinEntry,
  PinProgress,
  Pins,
  PinType,
  ReaderOptions,
  RepoStat,
  RpcServer,
  RpcServerFactory,
  Swarm,
  SwarmPeer,
  Visit,
  WalkOptions,
} from './ports.ts';
export { createRpcServer } from './rpc/index.ts';
