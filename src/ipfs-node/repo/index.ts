/** Blocks and settings on disk. */
export { BlockRepo, type BlockRepoOptions, keyText, type RepoCounters } from './block-repo.ts';
export { type ConfigDefaults, ConfigFile, parseSize } from './config-file.ts';
export { type ByteLevel, diskError, openLevel } from './level.ts';
