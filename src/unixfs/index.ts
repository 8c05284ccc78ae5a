/** Files and folders as blocks, with Kubo's CIDs. */
export type { ImportErrorCode } from './errors.ts';
export {
  type ImportDeps,
  type ImportEntry,
  type Imported,
  type ImportOptions,
  importEntries,
} from './import.ts';
export type { Block, CidFormat } from './nodes.ts';
