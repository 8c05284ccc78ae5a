/**
 * Spares one thrown error per received piece of a noise connection.
 *
 * Noise's reader looks for the next frame until its length decoder throws for want of bytes, so that every piece of bytes
 * costs an error with its stack: a tenth of the time of a short call. The decoder put here answers with a length that is not
 * there either, which ends the search as well.
 */
import type { MessageStream } from '@libp2p/interface';
import type { Uint8ArrayList } from 'uint8arraylist';

/** The longest that noise's reader accepts, far more than it ever holds when the length itself is incomplete. */
const notThere = 4 * 1024 * 1024;

/** Does nothing for connections that are not noise's, or of another make. */
export function spareLengthErrors(connection: MessageStream): void {
  if (!('decoder' in connection)) return;
  const { decoder } = connection;
  if (typeof decoder !== 'object' || decoder === null || !('lengthDecoder' in decoder)) return;
  decoder.lengthDecoder = (bytes: Uint8ArrayList): number =>
    bytes.byteLength < 2 ? notThere : (bytes.get(0) << 8) | bytes.get(1);
}
