/**
 * Unfinished work of all members, as they answer. A member that is silent, unknown or of another program is a row with the cause, and holds
 * up nobody else. Of each member one row is held at a time, whoever reads slowly slows them all down.
 */
import { type Clock, errorCode } from '../base/index.ts';
import { Cid, methods, type OperationInfo, type PeerId } from '../model/index.ts';
import { failureText, memberTimeoutMs } from './members-api.ts';
import { pingName, pingValueOf } from './ping-value.ts';
import type { CallOptions, Consensus, PeerMonitor, PinTracker, Rpc } from './ports.ts';

export interface OperationsDeps {
  readonly self: PeerId;
  readonly rpc: Rpc;
  readonly consensus: Consensus;
  readonly tracker: PinTracker;
  readonly monitor: PeerMonitor;
  readonly clock: Clock;
  /** A follower asks nobody else. */
  readonly followerMode: boolean;
}

/** More than the tables of a peer can hold. */
const rowsPerMemberMax = 20_000;
const cannotTellText =
  'the peer cannot tell: its program knows nothing of the question (a Go peer does not), or does not trust this peer';

/** Of one CID or all. */
export async function* operationsOfMembers(
  deps: OperationsDeps,
  cid: Cid | undefined,
  call: CallOptions,
): AsyncGenerator<OperationInfo, void> {
  const members = deps.followerMode ? [deps.self] : await deps.consensus.peers();
  const abort = new AbortController();
  const signal = call.signal === undefined ? abort.signal : AbortSignal.any([call.signal, abort.signal]);
  const held: { readonly row: OperationInfo; readonly goOn: () => void }[] = [];
  let wake: () => void = () => {};
  let openCount = members.length;
  const read = async (peer: PeerId): Promise<void> => {
    try {
      for await (const row of rowsOfMember(deps, peer, cid, signal, call.timeoutMs ?? memberTimeoutMs)) {
        if (signal.aborted) break;
        const { promise, resolve } = Promise.withResolvers<void>();
        held.push({ row, goOn: resolve });
        wake();
        await promise;
      }
    } finally {
      openCount -= 1;
      wake();
    }
  };
  const reading = members.map(read);
  try {
    while (openCount > 0 || held.length > 0) {
      const next = held.shift();
      if (next === undefined) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
        call.signal?.throwIfAborted();
        continue;
      }
      try {
        yield next.row;
      } finally {
        next.goOn();
      }
    }
  } finally {
    abort.abort();
    for (const { goOn } of held) goOn();
    await Promise.all(reading);
  }
}

/** Never rejects: a failure is the last row. */
async function* rowsOfMember(
  deps: OperationsDeps,
  peer: PeerId,
  cid: Cid | undefined,
  signal: AbortSignal,
  silenceMs: number,
): AsyncGenerator<OperationInfo, void> {
  const { self, tracker, rpc, clock } = deps;
  if (peer === self) {
    try {
      yield* tracker.operations(cid);
    } catch (error) {
      yield cannotTell(deps, peer, failureText(error));
    }
    return;
  }
  const silence = new AbortController();
  const options = { signal: AbortSignal.any([signal, silence.signal]) };
  try {
    const rows = rpc.stream(peer, methods.PinTracker.Operations, [cid ?? Cid.undefined], options);
    const iterator = rows[Symbol.asyncIterator]();
    try {
      for (let count = 0; ; count += 1) {
        // Time in which nobody reads does not count.
        const cancel = clock.after(silenceMs, () => silence.abort());
        const { done, value } = await iterator.next().finally(cancel);
        if (done === true) return;
        if (count === rowsPerMemberMax) {
          yield cannotTell(deps, peer, `the peer has more than ${rowsPerMemberMax} operations: the rest is left out`);
          return;
        }
        // Who answers is known better than what the answer says.
        yield { ...value, peer };
      }
    } finally {
      await iterator.return?.();
    }
  } catch (error) {
    const isUnknown = ['rpc/authorization', 'rpc/server'].includes(errorCode(error));
    const silentText = `no answer within ${silenceMs / 1000}s`;
    yield cannotTell(deps, peer, isUnknown ? cannotTellText : silence.signal.aborted ? silentText : failureText(error));
  }
}

function cannotTell({ monitor }: OperationsDeps, peer: PeerId, error: string): OperationInfo {
  return {
    peer,
    peername: pingValueOf(monitor.latestOf(pingName, peer)).peername,
    cid: null,
    name: '',
    type: 'unknown',
    phase: 'unknown',
    cause: 'cluster_error',
    error,
    since: null,
    phaseSince: null,
    attempts: 0,
    nextTry: null,
    queue: 'none',
    position: 0,
  };
}
