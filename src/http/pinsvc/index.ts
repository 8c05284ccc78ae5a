/** The IPFS Pinning Service API of a peer. */
export { bindPinsvcApi, type PinsvcApi, type PinsvcDeps } from './server.ts';
