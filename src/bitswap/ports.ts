/** What bitswap needs from the outside: streams to peers, and blocks to serve. */
import type { CID } from 'multiformats/cid';

/** One bidirectional stream; the part of a libp2p stream that bitswap uses. */
export interface BitswapStream {
  /** The protocol that was agreed on. */
  readonly protocol: string;
  /** The next bytes; `null` at the end. Rejects when the stream is lost. */
  read(): Promise<Uint8Array | null>;
  /** Resolves when there is room for more. */
  write(bytes: Uint8Array): Promise<void>;
  closeWrite(): Promise<void>;
  /** Ends both directions at once; never throws. */
  reset(): void;
}

/** Opens streams to connected peers. */
export interface BitswapNetwork {
  /** Opens a stream with the first of the protocols that the peer speaks. */
  open(peer: string, protocols: readonly string[], options: { readonly signal: AbortSignal }): Promise<BitswapStream>;
}

/** The blocks that may be served. */
export interface BlockSource {
  /** Bytes of a block; `undefined` when it is not here or is being removed. Must be quick. */
  size(cid: CID): number | undefined;
  get(cid: CID): Promise<Uint8Array | undefined>;
}
