/** Bugs of healing and expiry. */
import type { Consensus, PinTracker } from '../../../src/cluster/ports.ts';
import type { RpcNode } from '../../../src/io/rpc/index.ts';
import { methods, type Pin } from '../../../src/model/index.ts';
import { over } from '../../../src/sim/over.ts';

/** Whether healing writes it: the same pin with other holders. */
function isMove(consensus: Consensus, pin: Pin, onlyIf: Pin | undefined): boolean {
  return (onlyIf ?? consensus.pinset().get(pin.cid))?.name === pin.name;
}

/** What was read is written later, whatever has been agreed on in between. */
export function movesUnconditionally(consensus: Consensus): Consensus {
  return over(consensus, {
    logPin: (pin, options) => {
      const { onlyIf, ...call } = options ?? {};
      return consensus.logPin(pin, isMove(consensus, pin, onlyIf) ? call : options);
    },
  });
}

/** Whoever drops a holder drops another one as well. */
export function dropsOneMore(consensus: Consensus): Consensus {
  return over(consensus, {
    logPin: (pin, options) => {
      const { onlyIf } = options ?? {};
      const { allocations } = pin;
      const isDropping =
        isMove(consensus, pin, onlyIf) && (allocations?.length ?? 0) < (onlyIf?.allocations?.length ?? 0);
      return consensus.logPin(isDropping ? { ...pin, allocations: allocations?.slice(1) ?? null } : pin, options);
    },
  });
}

/** Healing believes that it has written. */
export function writesNoMoves(consensus: Consensus): Consensus {
  return over(consensus, {
    logPin: async (pin, options) => {
      if (!isMove(consensus, pin, options?.onlyIf)) await consensus.logPin(pin, options);
    },
  });
}

/** Whoever is asked whether it holds a pin says yes: of others. */
export function believesHolders(rpc: RpcNode): RpcNode {
  return over(rpc, {
    call: async (peer, method, argument, options) => {
      const reply = await rpc.call(peer, method, argument, options);
      const isStatus =
        method.service === methods.PinTracker.Status.service && method.name === methods.PinTracker.Status.name;
      return isStatus ? { ...reply, status: 'pinned' } : reply;
    },
  });
}

/** The same, of itself. */
export function believesItself(tracker: PinTracker): PinTracker {
  return over(tracker, {
    status: async (cid, options) => ({ ...(await tracker.status(cid, options)), status: 'pinned' }),
  });
}
