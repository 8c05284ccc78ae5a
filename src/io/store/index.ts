/** Durable storage: the ordered key-value store, the Raft log, snapshots, and the folder that holds them. */
export { openDatastore } from './level-datastore.ts';
export type { ClosableLogStore } from './log-store.ts';
export { createRaftFolder, type RaftData, type RaftFolder, type RaftFolderOptions } from './raft-folder.ts';
