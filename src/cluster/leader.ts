/** The leader as one that may be missing. */
import { errorCode } from '../base/index.ts';
import type { PeerId } from '../model/index.ts';
import type { Consensus } from './ports.ts';

/** Whom this peer hears lead, itself included; `undefined`: nobody, also when consensus has ended. */
export function leaderOf(consensus: Consensus): PeerId | undefined {
  try {
    return consensus.leader();
  } catch (error) {
    if (errorCode(error).startsWith('consensus/')) return undefined;
    throw error;
  }
}
