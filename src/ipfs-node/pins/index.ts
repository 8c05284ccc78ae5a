/** Pins, garbage collection and the walking of DAGs. */
export { GarbageCollector, type GcDeps, type GcScope } from './gc.ts';
export { isLeaf, linksOf } from './links.ts';
export { type OnStored, Operations, RunningOperation } from './operations.ts';
export { PinIndex } from './pin-index.ts';
export { PinKeeper, type PinKeeperDeps } from './pin-keeper.ts';
export { createReader, type ReaderDeps } from './reader.ts';
export { walkDag } from './walk.ts';
