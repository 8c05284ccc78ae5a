/** The node's connections to other IPFS nodes. */
export { generateIdentity, Libp2pSwarm, type SwarmOptions } from './libp2p-swarm.ts';
