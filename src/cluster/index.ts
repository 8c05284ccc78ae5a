/** What a peer decides, over the ports: the agreed pinset, the tracker of the IPFS node, and the peer as a whole. */
export { cordonOf } from './cordon.ts';
export { leaderOf } from './leader.ts';
export { createMemoryDatastore } from './memory-datastore.ts';
export { createPeer, type Peer, type PeerDeps, type PeerOptions } from './peer.ts';
export type { PinnerOptions } from './pinner.ts';
export { openPinset, type PinsetDeps, type PinsetState } from './pinset.ts';
export { readSnapshotPins } from './pinset-snapshot.ts';
export { createPinTracker, type TrackerDeps, type TrackerIdentity, type TrackerOptions } from './tracker/index.ts';
