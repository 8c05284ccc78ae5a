/** One peer of a walk: an engine, its disk, and what its shell would have under way. */
import type { Random } from '../../base/index.ts';
import {
  type Base,
  createRaft,
  joinOps,
  type LogEnd,
  type LogIndex,
  type LogOp,
  type Output,
  type Raft,
  type RaftOptions,
  type Request,
  rules,
} from '../../core/raft/index.ts';
import type { PeerId } from '../../model/index.ts';
import type { PeerView } from '../checkers/peer-view.ts';
import { DiskImage } from '../image.ts';
import type { Plants } from '../plants.ts';

/** A request that has not been replied to. */
export interface Incoming {
  readonly request: Request;
  readonly caller: WalkPeer;
  readonly callId: number;
  /** Of the caller when it asked. */
  readonly life: number;
}

export class WalkPeer implements PeerView {
  readonly id: PeerId;
  disk: DiskImage = new DiskImage();
  /** What it remembers of a log that it has put away. */
  previousLog: LogEnd | undefined;
  raft: Raft;
  /** How many times it was started. */
  life = 0;
  writing: readonly LogOp[] | undefined;
  /** The end of the batch being applied, if one is. */
  applying: LogIndex | undefined;
  /** What a crash leaves of the state is somewhere from here on. */
  appliedFloor: LogIndex = 0;
  /** The snapshot that the state on disk has come from, if any. */
  restored: Base | undefined;
  /** The newest snapshot on disk. */
  snapshot: Base | undefined;
  /** A snapshot whose bytes are coming. */
  receiving: Output['receive'];
  /** A snapshot that the state is being replaced by. */
  restoring: Base | undefined;
  /** Calls without an answer. */
  readonly open: Set<number> = new Set<number>();
  readonly incoming: Map<number, Incoming> = new Map<number, Incoming>();
  /** Changes of members that were asked for here. */
  readonly changes: Set<number> = new Set<number>();
  readonly reads: Set<number> = new Set<number>();
  readonly transfers: Set<number> = new Set<number>();
  /** A follower waits for one. */
  needsSnapshot = false;
  nextToken = 1;
  readonly #make: (applied: LogIndex) => Raft;

  constructor(
    id: PeerId,
    parts: {
      readonly random: Random;
      readonly options: Partial<RaftOptions>;
      readonly plants: Plants;
      readonly ops: readonly LogOp[];
    },
  ) {
    this.id = id;
    this.disk.perform(parts.ops);
    const { random, options, plants } = parts;
    const { rules: planted = {}, engine = same, image = same } = plants;
    this.#make = (applied) =>
      engine(
        createRaft(
          {
            self: id,
            random,
            image: image(this.disk.load()),
            applied,
            rules: planted,
            ...(this.snapshot && { snapshot: this.snapshot }),
            ...(this.previousLog && { previousLog: this.previousLog }),
          },
          options,
        ),
      );
    this.raft = this.#make(0);
  }

  /** It was removed, puts its data away, and waits to be added again. As its shell does, see `io/consensus`. */
  beginAnew(): void {
    const { lastIndex, lastTerm, hard } = this.disk;
    const end = { index: lastIndex, term: lastTerm };
    const { previousLog } = this;
    this.previousLog = previousLog === undefined || rules.isUpToDate(end, previousLog) ? end : previousLog;
    this.disk = new DiskImage();
    this.disk.perform(joinOps(hard));
    this.restored = undefined;
    this.snapshot = undefined;
    this.restart(0);
  }

  restart(applied: LogIndex): void {
    this.life++;
    this.writing = undefined;
    this.applying = undefined;
    this.receiving = undefined;
    this.restoring = undefined;
    this.appliedFloor = applied;
    this.open.clear();
    this.incoming.clear();
    this.raft = this.#make(applied);
  }
}

function same<T>(value: T): T {
  return value;
}
