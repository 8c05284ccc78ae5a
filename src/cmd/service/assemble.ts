/** Builds a peer from its parts. */
import { OperatingError } from '../../base/index.ts';
import type { AssembleOptions, RunningPeer } from './assemble-types.ts';

export async function assemble(_options: AssembleOptions): Promise<RunningPeer> {
  throw new OperatingError('service/not-assembled', 'the parts of the peer are not put together yet');
}
