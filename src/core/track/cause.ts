/** Why an attempt has failed, as a class that operators and programs can act on. */
import type { IpfsFailureCode, OperationCause } from '../../model/index.ts';

const causeOfCode: Readonly<Record<IpfsFailureCode, OperationCause>> = {
  'ipfs/unreachable': 'unreachable',
  'ipfs/timeout': 'timeout',
  'ipfs/stalled': 'no_progress',
  'ipfs/full': 'full',
  'ipfs/refused': 'refused',
  'ipfs/not-kubo': 'bad_answer',
  'ipfs/bad-answer': 'bad_answer',
  'ipfs/aborted': 'cancelled',
  'ipfs/unpin-disabled': 'disabled',
  // Of questions that no operation asks.
  'ipfs/bad-config-key': 'internal',
  'ipfs/bad-block': 'internal',
  'ipfs/bad-path': 'internal',
  'ipfs/bad-address': 'internal',
};
const causes: ReadonlyMap<string, OperationCause> = new Map(Object.entries(causeOfCode));

/** The class of a failure with this code; `internal` for what no IPFS connector fails with. */
export function causeOf(code: string): OperationCause {
  return causes.get(code) ?? 'internal';
}
