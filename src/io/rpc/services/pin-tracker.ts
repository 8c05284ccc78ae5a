/** `PinTracker.*`: the state of pins on this peer's IPFS node. Source: Go `rpc_api.go` `PinTrackerRPCAPI`. */
import { utf8Decode } from '../../../base/index.ts';
import type { PinTracker, StatusListOptions } from '../../../cluster/ports.ts';
import {
  Cid,
  type methods,
  nothing,
  type StatusBlock,
  type StatusFilter,
  StatusRowWriter,
} from '../../../model/index.ts';
import type { HandlersOf } from '../registry.ts';
import { definedCid, firstOr } from './arguments.ts';

/** Rows of a block; with them and its head it fits into one frame of bulk. */
const blockBytes = 31 * 1024;

export function pinTrackerService(tracker: PinTracker): HandlersOf<typeof methods.PinTracker> {
  return {
    Status: (cid, call) => tracker.status(definedCid(cid), { signal: call.signal }),
    async *StatusAll(args, call) {
      yield* tracker.statusAll(await firstOr(args, 0), { signal: call.signal });
    },
    async *StatusBlocks(args, call) {
      yield* statusBlocks(tracker, await firstOr(args, 0), { signal: call.signal });
    },
    async *StatusBlocksAfter(args, call) {
      const { filter, after } = await firstOr(args, { filter: 0, after: null });
      yield* statusBlocks(tracker, filter, {
        signal: call.signal,
        ...(after === null ? {} : { after: utf8Decode(after) }),
      });
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

async function* statusBlocks(
  tracker: PinTracker,
  filter: StatusFilter,
  options: StatusListOptions,
): AsyncGenerator<StatusBlock, void, undefined> {
  const { peer: _, ...label } = tracker.label();
  const writer = new StatusRowWriter();
  for await (const page of tracker.statusPages(filter, options)) {
    for (const row of page) {
      writer.add(row);
      if (writer.sizeBytes >= blockBytes) yield { ...label, rows: writer.take() };
    }
    if (writer.sizeBytes > 0) yield { ...label, rows: writer.take() };
  }
}
