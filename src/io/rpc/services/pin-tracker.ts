/** `PinTracker.*`: the state of pins on this peer's IPFS node. Source: Go `rpc_api.go` `PinTrackerRPCAPI`. */
import type { PinTracker } from '../../../cluster/ports.ts';
import { Cid, type methods, nothing } from '../../../model/index.ts';
import type { HandlersOf } from '../registry.ts';
import { definedCid, firstOr } from './arguments.ts';

export function pinTrackerService(tracker: PinTracker): HandlersOf<typeof methods.PinTracker> {
  return {
    Status: (cid, call) => tracker.status(definedCid(cid), { signal: call.signal }),
    async *StatusAll(args, call) {
      yield* tracker.statusAll(await firstOr(args, 0), { signal: call.signal });
    },
    Recover: (cid, call) => tracker.recover(definedCid(cid), { signal: call.signal }),
    RecoverAll: (_, call) => tracker.recoverAll({ signal: call.signal }),
    Track: (pin) => {
      definedCid(pin.cid);
      tracker.track(pin);
      return nothing;
    },
    Untrack: (pin) => {
      definedCid(pin.cid);
      tracker.untrack(pin);
      return nothing;
    },
    async *Operations(args) {
      const cid = await firstOr(args, Cid.undefined);
      yield* tracker.operations(cid.isDefined ? cid : undefined);
    },
    PinQueueSize: () => BigInt(tracker.pinQueueSize()),
  };
}
