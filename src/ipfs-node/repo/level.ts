/** Opening and using the LevelDB databases of the node, with the failures that users meet told in words. */
import { ClassicLevel } from 'classic-level';
import { errorCode, errorMessage } from '../../base/index.ts';
import { nodeError } from '../errors.ts';

/** A database with bytes on both sides. */
export type ByteLevel = ClassicLevel<Uint8Array, Uint8Array>;

/** Throws `ipfs-node/locked` when another process has it open, `ipfs-node/damaged` when it cannot be read. */
export async function openLevel(folder: string): Promise<ByteLevel> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(folder, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    // Keys are hashes and values a dozen bytes: nothing there to compress.
    compression: false,
  });
  try {
    await level.open();
    return level;
  } catch (error) {
    const cause = typeof error === 'object' && error !== null && 'cause' in error ? error.cause : error;
    if (errorCode(cause) === 'LEVEL_LOCKED') {
      throw nodeError('ipfs-node/locked', `Cannot open "${folder}": another IPFS node is running on it`, error);
    }
    if (noRoom.test(errorMessage(cause))) throw diskError(`open "${folder}"`, cause);
    throw nodeError('ipfs-node/damaged', `Cannot open "${folder}": ${errorMessage(cause)}`, error);
  }
}

/** LevelDB tells it in the system's words only. */
const noRoom = /no space left|quota exceeded/i;

/** Turns what a disk operation threw into an error of the node. */
export function diskError(act: string, error: unknown): Error {
  const code = errorCode(error);
  if (code.startsWith('ipfs-node/') && error instanceof Error) return error;
  const cause = typeof error === 'object' && error !== null && 'cause' in error ? error.cause : undefined;
  const text = cause === undefined ? errorMessage(error) : `${errorMessage(error)}: ${errorMessage(cause)}`;
  if (code === 'ENOSPC' || code === 'EDQUOT' || noRoom.test(text)) {
    return nodeError('ipfs-node/disk-full', `Cannot ${act}: the disk is full`, error);
  }
  return nodeError('ipfs-node/disk', `Cannot ${act}: ${text}`, error);
}
