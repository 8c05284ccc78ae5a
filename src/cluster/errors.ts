/** What the peer refuses. Texts are those of the reference: clients and scripts match them. Source: Go `cluster.go`. */
import { OperatingError } from '../base/index.ts';

export function followerMode(): OperatingError {
  const text = 'this peer is configured to be in follower mode. Write operations are disabled';
  return new OperatingError('cluster/follower-mode', text);
}

export function notPinned(): OperatingError {
  return new OperatingError('cluster/not-pinned', 'pin is not part of the pinset');
}

/** A pin request that can never be accepted as it is. */
export function badPin(text: string): OperatingError {
  return new OperatingError('cluster/bad-pin', text);
}

/** A request that the present state of the pinset forbids. */
export function refusedPin(text: string, cause?: unknown): OperatingError {
  return new OperatingError('cluster/refused-pin', text, { cause });
}
