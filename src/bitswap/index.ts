export { type Bitswap, type BitswapCounters, type BitswapDeps, createBitswap } from './bitswap.ts';
export type { BitswapSession } from './client.ts';
export { blockKey, cidFromPrefix, isBlockOf, isCheckable } from './multihash.ts';
export { bitswapProtocols } from './peer-link.ts';
export type { BitswapNetwork, BitswapStream, BlockSource } from './ports.ts';
