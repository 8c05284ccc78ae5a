/**
 * The failures of the embedded node that callers tell apart. Messages that Kubo's clients match are Kubo's texts.
 */
import { OperatingError } from '../base/index.ts';

/** Stable codes of the embedded node's failures. */
export type IpfsNodeErrorCode =
  | 'ipfs-node/block-not-found'
  | 'ipfs-node/block-pinned'
  | 'ipfs-node/bad-block'
  | 'ipfs-node/not-pinned'
  | 'ipfs-node/already-pinned'
  | 'ipfs-node/pinned-recursively'
  | 'ipfs-node/bad-pin-name'
  | 'ipfs-node/bad-address'
  | 'ipfs-node/connect-failed'
  | 'ipfs-node/not-connected'
  | 'ipfs-node/config-key'
  | 'ipfs-node/config-value'
  | 'ipfs-node/config-file'
  | 'ipfs-node/locked'
  | 'ipfs-node/damaged'
  | 'ipfs-node/disk-full'
  | 'ipfs-node/disk'
  | 'ipfs-node/listen'
  | 'ipfs-node/self-check'
  | 'ipfs-node/stopped';

/** An operating error of the embedded node. */
export function nodeError(code: IpfsNodeErrorCode, message: string, cause?: unknown): OperatingError {
  return new OperatingError(code, message, cause === undefined ? {} : { cause });
}
