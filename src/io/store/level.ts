/**
 * Opening LevelDB and telling its failures apart.
 * One place, because its error codes sit on the cause in some cases and on the error itself in others.
 */
import { ClassicLevel } from 'classic-level';
import { errorCode, errorMessage, OperatingError } from '../../base/index.ts';

/** A database of bytes to bytes. */
export type Level = ClassicLevel<Uint8Array, Uint8Array>;

/**
 * Opens the database in `folder`, which is made when absent.
 * Errors: `store/locked` when another process holds it, `store/damaged`, `store/full`, `store/io`.
 */
export async function openLevel(folder: string): Promise<Level> {
  const level: Level = new ClassicLevel(folder, { keyEncoding: 'view', valueEncoding: 'view', compression: false });
  try {
    await level.open();
  } catch (error) {
    throw levelError(`Cannot open "${folder}"`, error);
  }
  return level;
}

/** LevelDB tells ENOSPC and EDQUOT in the system's words only. */
const noRoom = /No space left on device|Disk quota exceeded/;

/** What a LevelDB failure means for the one who runs the peer. Writes that failed may be on disk nevertheless. */
export function levelError(action: string, error: unknown): OperatingError {
  const inner = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const code = errorCode(inner);
  const text = errorMessage(inner);
  if (code === 'LEVEL_LOCKED') {
    return new OperatingError('store/locked', `${action}: another instance is running`, { cause: error });
  }
  if (code === 'LEVEL_CORRUPTION') {
    const hint = 'the database is damaged; restore it from a backup';
    return new OperatingError('store/damaged', `${action}: ${text}: ${hint}`, { cause: error, outcome: 'unknown' });
  }
  const kind = noRoom.test(text) ? 'store/full' : 'store/io';
  return new OperatingError(kind, `${action}: ${text}`, { cause: error, outcome: 'unknown' });
}
