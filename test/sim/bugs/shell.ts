/** Bugs around the parts of the shell: log, state, pinset, calls, and what clients see. */
import type { Consensus, Datastore } from '../../../src/cluster/ports.ts';
import type { LogOp, LogStore } from '../../../src/core/raft/index.ts';
import type { ReplicatedPinset } from '../../../src/io/consensus/index.ts';
import type { RpcNode } from '../../../src/io/rpc/index.ts';
import { type Pin, type RaftCommand, raftLeaderMethods } from '../../../src/model/index.ts';
import { over } from '../../../src/sim/over.ts';

/** Some writes are said to be durable while they still go on. */
export function acknowledgesEarly(isEarly: (ops: readonly LogOp[]) => boolean): (log: LogStore) => LogStore {
  return (log) => {
    let last: Promise<void> = Promise.resolve();
    return over(log, {
      write: (ops) => {
        last = last.then(() => log.write(ops));
        return isEarly(ops) ? Promise.resolve() : last;
      },
    });
  };
}

/** Entries and cuts first, then term and vote. */
export function splitsWrites(log: LogStore): LogStore {
  return over(log, {
    write: async (ops) => {
      const [later, first] = [ops.filter(({ type }) => type === 'hard'), ops.filter(({ type }) => type !== 'hard')];
      if (first.length > 0) await log.write(first);
      if (later.length > 0) await log.write(later);
    },
  });
}

/** What was changed first, then how far the state is: the last of each batch. */
export function splitsBatches(store: Datastore): Datastore {
  return over(store, {
    batch: async (ops, options) => {
      if (ops.length > 1) await store.batch(ops.slice(0, -1), options);
      await store.batch(ops.slice(-1), options);
    },
  });
}

/** What the leader says of the index of a read is not waited for. */
export function readsAtOnce(rpc: RpcNode): RpcNode {
  return over(rpc, {
    call: async (peer, method, argument, options) => {
      const reply = await rpc.call(peer, method, argument, options);
      const isRead = method.service === raftLeaderMethods.Read.service && method.name === raftLeaderMethods.Read.name;
      return isRead ? { ...reply, index: 0 } : reply;
    },
  });
}

export function readsLocally(consensus: Consensus): Consensus {
  return over(consensus, { readBarrier: async () => {}, waitForSync: async () => {} });
}

/** Whatever is there by then. */
export function unpinsUnconditionally(consensus: Consensus): Consensus {
  return over(consensus, {
    logUnpin: (pin, { onlyIf: _, ...options } = {}) => consensus.logUnpin(pin, options),
  });
}

/** Only pins that were applied in this life are found when they expire. */
export function startForgetsExpiry(pinset: ReplicatedPinset): ReplicatedPinset {
  const known = new Set<string>();
  return over(pinset, {
    apply: async (commands, index) => {
      for (const { pin } of commands) known.add(pin.cid.key);
      await pinset.apply(commands, index);
    },
    expiring: async function* (options) {
      for await (const page of pinset.expiring(options)) yield page.filter(({ cid }) => known.has(cid.key));
    },
  });
}

/** Once, as one might think: it may have been lost. */
export function retriesUnknown(consensus: Consensus): Consensus {
  const again = async (act: () => Promise<void>): Promise<void> => {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof Error && 'outcome' in error && error.outcome === 'unknown')) throw error;
      await act();
    }
  };
  return over(consensus, {
    logPin: (pin, options) => again(() => consensus.logPin(pin, options)),
    logUnpin: (pin, options) => again(() => consensus.logUnpin(pin, options)),
  });
}

/** One object is used for all that is decoded, and what is absent in a pin stays from the one before. */
export function inheritsFields(pinset: ReplicatedPinset): ReplicatedPinset {
  let metadata: Pin['metadata'] = null;
  return over(pinset, {
    apply: (commands, index) => {
      const merged = commands.map((command): RaftCommand => {
        metadata = command.pin.metadata ?? metadata;
        return { ...command, pin: { ...command.pin, metadata } };
      });
      return pinset.apply(merged, index);
    },
  });
}

/** The state is taken for durable as soon as it is applied. */
export function skipsSyncs(pinset: ReplicatedPinset): ReplicatedPinset {
  return over(pinset, { sync: () => Promise.resolve(pinset.applied) });
}

/** A start goes on after the last batch that it finds, as if none before it could have been lost. */
export function skipsReplays(pinset: ReplicatedPinset): ReplicatedPinset {
  return over(pinset, { replay: () => pinset.replay([]) });
}

/** A start does not look where its state has come from. */
export function forgetsRestores(pinset: ReplicatedPinset): ReplicatedPinset {
  return over(pinset, { restoredTag: undefined });
}

/** A snapshot is added to what is there, as in the reference: what was unpinned meanwhile stays. */
export function restoreKeepsPins(pinset: ReplicatedPinset): ReplicatedPinset {
  const kept = new Map<string, Pin>();
  return over(pinset, {
    restore: async (chunks, as) => {
      for await (const pins of pinset.pages()) for (const pin of pins) kept.set(pin.cid.key, pin);
      await pinset.restore(chunks, as);
    },
    apply: async (commands, index) => {
      for (const { pin } of commands) kept.delete(pin.cid.key);
      await pinset.apply(commands, index);
    },
    get: (cid) => pinset.get(cid) ?? kept.get(cid.key),
  });
}
