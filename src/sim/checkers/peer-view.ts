/** What the checkers see of a peer: everything, its memory and its disk. */
import type { Raft } from '../../core/raft/index.ts';
import type { PeerId } from '../../model/index.ts';
import type { DiskImage } from '../image.ts';

export interface PeerView {
  readonly id: PeerId;
  readonly raft: Raft;
  readonly disk: DiskImage;
}
