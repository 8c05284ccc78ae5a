/** What becomes of the blocks of an add, and of its root. */
import type { Cid, PeerId } from '../../model/index.ts';

/** A block on its way to the peers that will hold it. */
export interface AddedBlock {
  readonly cid: Cid;
  readonly bytes: Uint8Array;
  /** Bytes of the block and of all below it. */
  readonly totalBytes: number;
}

/** One add; its methods are called one after the other. */
export interface BlockSink {
  /** Resolves when there is room for the next block. */
  put(block: AddedBlock): Promise<void>;
  /** Where blocks go at present; empty before the first one. */
  allocations(): readonly PeerId[];
  /** All blocks were put: makes sure of them, and pins these roots. */
  finish(roots: readonly Cid[]): Promise<void>;
  /** The add has failed: breaks off what is under way, and takes back what must not stay. Never rejects. */
  abort(): Promise<void>;
}
