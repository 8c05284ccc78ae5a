/** The parts of the simulator that others build on: whole peers in a virtual world. */
export { VirtualDisk } from './world/disk.ts';
export { addressOf } from './world/host.ts';
export { type IpfsState, VirtualIpfs } from './world/ipfs.ts';
export { Network } from './world/network.ts';
export { Scheduler, VirtualClock } from './world/scheduler.ts';
export { type Life, WholePeer, type WholePeerOptions } from './world/whole-peer.ts';
