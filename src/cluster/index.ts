/** What a peer decides, over the ports: the agreed pinset here. */
export { createMemoryDatastore } from './memory-datastore.ts';
export { openPinset, type PinsetDeps, type PinsetState } from './pinset.ts';
