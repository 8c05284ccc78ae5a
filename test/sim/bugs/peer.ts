/** Bugs of the parts beside Raft: tracker, IPFS connector, calls between peers, metrics. */
import { createMemoryDatastore } from '../../../src/cluster/index.ts';
import type {
  CallOptions,
  Consensus,
  Datastore,
  IpfsConnector,
  PinTracker,
  PubSub,
  Streams,
} from '../../../src/cluster/ports.ts';
import type { RpcNode } from '../../../src/io/rpc/index.ts';
import { type PeerId, type RpcMethod, raftLeaderMethods } from '../../../src/model/index.ts';
import { over } from '../../../src/sim/over.ts';

/** CIDs that a node is pinning now. Wraps the connector of one life. */
const pinning = new WeakMap<IpfsConnector, Set<string>>();

export function notesPinning(ipfs: IpfsConnector): IpfsConnector {
  const keys = new Set<string>();
  const noted = over(ipfs, {
    pin: async (pin, options) => {
      keys.add(pin.cid.key);
      try {
        await ipfs.pin(pin, options);
      } finally {
        keys.delete(pin.cid.key);
      }
    },
  });
  pinning.set(noted, keys);
  return noted;
}

/** What is unpinned while it is still being pinned stays pinned. */
export function losesUntrack(tracker: PinTracker, ipfs: IpfsConnector): PinTracker {
  return over(tracker, {
    untrack: (pin) => {
      if (pinning.get(ipfs)?.has(pin.cid.key) !== true) tracker.untrack(pin);
    },
  });
}

/** Nobody tells the tracker that a snapshot has replaced the state. */
export function missesReplacement(tracker: PinTracker): PinTracker {
  return over(tracker, { pinsetReplaced: () => {} });
}

/** Everything is held here, whatever its allocations. */
export function tracksEverything(tracker: PinTracker): PinTracker {
  return over(tracker, {
    track: (pin) => tracker.track({ ...pin, replicationFactorMin: -1, replicationFactorMax: -1 }),
  });
}

/** What this peer has pinned is not known any more after a restart. */
export function forgetsRecords(_store: Datastore): Datastore {
  return createMemoryDatastore();
}

/** A failed pin is taken for done. */
export function takesFailureForSuccess(ipfs: IpfsConnector): IpfsConnector {
  return over(ipfs, { pin: (pin, options) => ipfs.pin(pin, options).catch(() => {}) });
}

/** Nobody hears that the node has come back. */
export function missesReturns(ipfs: IpfsConnector): IpfsConnector {
  return over(ipfs, {
    onUp: (listener) => {
      let isFirst = true;
      ipfs.onUp(() => {
        if (isFirst) listener();
        isFirst = false;
      });
    },
  });
}

/** A write that was sent to the leader is sent again when no answer has come. */
export function resendsProposals(rpc: RpcNode): RpcNode {
  return over(rpc, {
    call: async (peer, method, argument, options) => {
      const isProposal = method.service === 'RaftLeader' && method.name === raftLeaderMethods.Propose.name;
      try {
        return await rpc.call(peer, method, argument, options);
      } catch (error) {
        if (!isProposal || !(error instanceof Error && 'outcome' in error && error.outcome === 'unknown')) throw error;
        return await rpc.call(peer, method, argument, options);
      }
    },
  });
}

/** What a write depends on does not come to the leader. */
export function dropsConditions(rpc: RpcNode): RpcNode {
  return over(rpc, {
    call: <A, R>(peer: PeerId, method: RpcMethod<A, R>, argument: A, options?: CallOptions) => {
      const isProposal = method.service === 'RaftLeader' && method.name === raftLeaderMethods.Propose.name;
      return rpc.call(peer, method, isProposal ? { ...argument, onlyIf: null } : argument, options);
    },
  });
}

/** Of calls of the same method that are under way, the last gets the answer that comes first. */
export function crossesAnswers(rpc: RpcNode): RpcNode {
  const waiting = new Map<string, ((reply: unknown) => void)[]>();
  return over(rpc, {
    call: <A, R>(peer: PeerId, method: RpcMethod<A, R>, argument: A, options?: CallOptions) => {
      const name = `${peer} ${method.service}.${method.name}`;
      const queue = waiting.get(name) ?? [];
      waiting.set(name, queue);
      return new Promise<R>((resolve, reject) => {
        // Proof of the cast: all calls of a queue are of the same method.
        const take = (reply: unknown): void => resolve(reply as R);
        queue.push(take);
        rpc.call(peer, method, argument, options).then(
          (reply) => queue.pop()?.(reply),
          (error: unknown) => {
            queue.splice(queue.indexOf(take), 1);
            reject(error);
          },
        );
      });
    },
  });
}

/** A call that has failed is never told so. */
export function keepsFailedCalls(rpc: RpcNode): RpcNode {
  return over(rpc, {
    call: <A, R>(peer: PeerId, method: RpcMethod<A, R>, argument: A, options?: CallOptions) =>
      rpc.call(peer, method, argument, options).catch(() => new Promise<R>(() => {})),
  });
}

/** Beside every stream, one is opened that nobody closes. */
export function leaksStreams(streams: Streams): Streams {
  return over(streams, {
    open: async (peer, protocol, options) => {
      await streams.open(peer, protocol, options);
      return await streams.open(peer, protocol, options);
    },
  });
}

/** Metrics are published until the first that nobody heard. */
export function publishesOnce(pubsub: PubSub): PubSub {
  const published = new Map<string, number>();
  return over(pubsub, {
    publish: async (topic, data) => {
      const count = (published.get(topic) ?? 0) + 1;
      published.set(topic, count);
      if (count <= 3) await pubsub.publish(topic, data);
    },
  });
}

/** A pin goes to one peer more than it may. */
export function allocatesTooMany(consensus: Consensus): Consensus {
  return over(consensus, {
    logPin: async (pin, options) => {
      const more = (await consensus.peers()).filter((peer) => !(pin.allocations ?? []).includes(peer)).slice(0, 1);
      await consensus.logPin({ ...pin, allocations: [...(pin.allocations ?? []), ...more] }, options);
    },
  });
}
