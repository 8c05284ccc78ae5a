/** Durable storage: the ordered key-value store, the Raft log, and the folder that holds both. */
export { openDatastore } from './level-datastore.ts';
export { type ClosableLogStore, openLogStore } from './level-log-store.ts';
export { createRaftFolder, type RaftData, type RaftFolder } from './raft-folder.ts';
