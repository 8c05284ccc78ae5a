/** Bugs of the parts beside Raft: tracker, IPFS connector, calls between peers, metrics. */
import { noBytes } from '../../../src/base/index.ts';
import { createMemoryDatastore } from '../../../src/cluster/index.ts';
import type {
  CallOptions,
  Consensus,
  Datastore,
  IpfsConnector,
  PinTracker,
  PubSub,
  Streams,
  TextEntry,
} from '../../../src/cluster/ports.ts';
import type { RpcNode } from '../../../src/io/rpc/index.ts';
import { type PeerId, type PinInfo, type RpcMethod, raftLeaderMethods, stateKey } from '../../../src/model/index.ts';
import { over } from '../../../src/sim/over.ts';
import { cidOf } from '../../../src/sim/world/clients.ts';
import { strangersKey } from '../../../src/sim/world/plan.ts';

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
    pinAll: async (cids, options) => {
      for (const { key } of cids) keys.add(key);
      try {
        await ipfs.pinAll(cids, options);
      } finally {
        for (const { key } of cids) keys.delete(key);
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

/** A request of several pins is taken for done when its first pin is. */
export function takesFirstForAll(ipfs: IpfsConnector): IpfsConnector {
  return over(ipfs, { pinAll: (cids, options) => ipfs.pinAll(cids.slice(0, 1), options) });
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

/** What comes while something waits is refused, and not remembered. */
export function forgetsRefused(tracker: PinTracker): PinTracker {
  return over(tracker, {
    track: (pin) => {
      if (tracker.pinQueueSize() === 0) tracker.track(pin);
    },
  });
}

/** Every pin of the node that the pinset does not have is taken for one that the cluster has made. */
export function ownsEverything(store: Datastore): Datastore {
  return over(store, {
    scanText: async function* (range, options) {
      const all: TextEntry[] = [];
      for await (const page of store.scanText(range, options)) all.push(...page);
      const foreign = stateKey(cidOf(strangersKey));
      if (!all.some(([key]) => key === foreign)) all.push([foreign, noBytes]);
      yield all.sort(([a], [b]) => (a < b ? -1 : 1));
    },
  });
}

/** What was pinned once is told for ever, as long as it is in the pinset. */
export function tellsOldStatus(tracker: PinTracker): PinTracker {
  const pinned = new Map<string, PinInfo>();
  return over(tracker, {
    statusAll: async function* (filter, options) {
      for await (const row of tracker.statusAll(filter, options)) {
        const { key } = row.cid;
        if (row.status === 'pinned') pinned.set(key, row);
        yield row.status === 'remote' ? row : (pinned.get(key) ?? row);
      }
    },
  });
}

/** A pin that is given up never ends. */
export function keepsSlots(ipfs: IpfsConnector): IpfsConnector {
  return over(ipfs, {
    pin: async (pin, options) => {
      try {
        await ipfs.pin(pin, options);
      } catch (error) {
        if (options.signal.aborted) await new Promise(() => {});
        throw error;
      }
    },
  });
}

/** Every pin is asked for twice. */
export function pinsTwice(ipfs: IpfsConnector): IpfsConnector {
  return over(ipfs, {
    pin: async (pin, options) => {
      await Promise.all([ipfs.pin(pin, options), ipfs.pin(pin, options)]);
    },
  });
}

/** A root that is held alone is taken for all that is below it. */
export function takesDirectForRecursive(ipfs: IpfsConnector): IpfsConnector {
  return over(ipfs, {
    pin: async (pin, options) => {
      if ((await ipfs.pinLsCid(pin)) === 'unpinned') await ipfs.pin(pin, options);
    },
  });
}
