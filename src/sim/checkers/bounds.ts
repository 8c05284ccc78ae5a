/** Nothing that waits in a peer grows without limit: proposals and reads, calls without an answer, requests without a reply. */
import type { Input, Output } from '../../core/raft/index.ts';
import { expect } from '../finding.ts';

export interface Bounds {
  /** Of the engine: proposals, changes and reads that have not been answered. */
  readonly waitingMax: number;
  /** Calls of one peer, to all others together, that have neither response nor failure. */
  readonly callsMax: number;
  /** Requests to one peer that it has not replied to. */
  readonly requestsMax: number;
}

interface Open {
  readonly waiting: Set<number>;
  readonly calls: Set<number>;
  readonly requests: Set<number>;
}

interface Named {
  readonly id: string;
}

export class BoundsChecker {
  /** The most that was seen of each at once. */
  readonly most: { waiting: number; calls: number; requests: number } = { waiting: 0, calls: 0, requests: 0 };
  readonly #bounds: Bounds;
  readonly #open = new Map<string, Open>();

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  given(peer: Named, input: Input): void {
    const { waiting, calls, requests } = this.#of(peer);
    switch (input.type) {
      case 'propose':
        for (const { id } of input.proposals) waiting.add(id);
        break;
      case 'change':
      case 'transfer':
      case 'read':
        waiting.add(input.id);
        break;
      case 'response':
      case 'failed':
        calls.delete(input.callId);
        break;
      case 'request':
        requests.add(input.token);
        break;
    }
  }

  stepped(peer: Named, output: Output): void {
    const { waiting, calls, requests } = this.#of(peer);
    for (const { callId } of output.calls) calls.add(callId);
    for (const { id } of output.results) waiting.delete(id);
    for (const { token } of output.replies) requests.delete(token);
    // A transfer of leadership is beside the others, and alone.
    this.#check(peer, 'waiting', waiting.size, this.#bounds.waitingMax + 1);
    this.#check(peer, 'calls', calls.size, this.#bounds.callsMax);
    this.#check(peer, 'requests', requests.size, this.#bounds.requestsMax);
  }

  restarted({ id }: Named): void {
    this.#open.delete(id);
  }

  #check({ id }: Named, what: 'waiting' | 'calls' | 'requests', count: number, max: number): void {
    this.most[what] = Math.max(this.most[what], count);
    expect(count <= max, 'bounded queues', () => `${id} has ${count} ${what}, at most ${max} are expected`);
  }

  #of({ id }: Named): Open {
    let open = this.#open.get(id);
    if (open === undefined) {
      open = { waiting: new Set(), calls: new Set(), requests: new Set() };
      this.#open.set(id, open);
    }
    return open;
  }
}
