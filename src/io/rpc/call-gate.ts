/**
 * Lets a bounded number of calls through to a peer; others wait in order.
 *
 * A Go peer resets streams beyond the limits of its resource manager, which are 64 inbound streams of one protocol from one
 * peer at least. Source: go-libp2p `p2p/host/resource-manager/limit_defaults.go` `ProtocolPeerBaseLimit`.
 */
import type { PeerId } from '../../model/index.ts';
import { rpcError } from './errors.ts';

/** Below Go's limit, for a stream counts there until a moment after its reply was read here. */
const callsAtOnceMax = 56;
/** Calls that wait for one peer; beyond, they are refused. */
const waitingMax = 16_384;

interface Waiter {
  enter(): void;
}

export class CallGate {
  readonly #inside = new Map<PeerId, number>();
  readonly #waiting = new Map<PeerId, Set<Waiter>>();

  /**
   * Takes a place, at once or when the promise resolves; `leave` gives it back.
   * @param onWait gets a function that ends the waiting: the promise rejects with its cause
   */
  enter(peer: PeerId, onWait: (giveUp: (cause: Error) => void) => void): Promise<void> | undefined {
    const inside = this.#inside.get(peer) ?? 0;
    if (inside < callsAtOnceMax) {
      this.#inside.set(peer, inside + 1);
      return undefined;
    }
    const waiting = this.#waiting.get(peer) ?? new Set();
    if (waiting.size >= waitingMax) throw rpcError('busy', `Cannot call ${peer}: ${waitingMax} calls are waiting`);
    this.#waiting.set(peer, waiting);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { enter: resolve };
      waiting.add(waiter);
      onWait((cause) => {
        if (waiting.delete(waiter)) reject(cause);
      });
    });
  }

  /** Gives a place back: to the one that waits longest. */
  leave(peer: PeerId): void {
    const waiting = this.#waiting.get(peer);
    if (waiting !== undefined) {
      for (const waiter of waiting) {
        waiting.delete(waiter);
        waiter.enter();
        return;
      }
      this.#waiting.delete(peer);
    }
    const left = (this.#inside.get(peer) ?? 1) - 1;
    if (left === 0) this.#inside.delete(peer);
    else this.#inside.set(peer, left);
  }
}
