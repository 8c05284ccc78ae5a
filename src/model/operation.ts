/**
 * Unfinished work of a peer on its IPFS node, and why it is unfinished. No such thing in the Go peer, which shows text and attempts of a
 * failure in the status of its pin.
 */
import type { Cid } from './cid.ts';
import type { PeerId } from './peer.ts';
import type { Time } from './time.ts';

/** How an IPFS connector fails. Whatever else it throws is a fault of our own. */
export type IpfsFailureCode =
  | 'ipfs/unreachable'
  | 'ipfs/timeout'
  | 'ipfs/stalled'
  | 'ipfs/full'
  | 'ipfs/refused'
  | 'ipfs/not-kubo'
  | 'ipfs/bad-answer'
  | 'ipfs/aborted'
  | 'ipfs/unpin-disabled'
  | 'ipfs/bad-config-key'
  | 'ipfs/bad-block'
  | 'ipfs/bad-path'
  | 'ipfs/bad-address';

/**
 * Classes of causes; the position is the wire value.
 * none: nothing has failed yet. unreachable: no connection to the IPFS node. timeout: it has not answered in time. no_progress: no new
 * block came for `pin_timeout`. full: its disk or repository is. refused: it said no for another reason. bad_answer: what it said cannot
 * be understood. cancelled: the attempt was given up here. disabled: forbidden by the configuration. internal: none of these.
 * cluster_error: the peer could not be asked.
 */
export const operationCauses = [
  'none',
  'unreachable',
  'timeout',
  'no_progress',
  'full',
  'refused',
  'bad_answer',
  'cancelled',
  'disabled',
  'internal',
  'cluster_error',
] as const;
/** Why an operation has not succeeded yet. */
export type OperationCause = (typeof operationCauses)[number];

/** `unknown` where a peer could not be asked. */
export const operationTypes = ['unknown', 'pin', 'unpin'] as const;
/** What is to happen. */
export type OperationType = (typeof operationTypes)[number];

/** `unknown` where a peer could not be asked; one in `error` waits for its next try. */
export const operationPhases = ['unknown', 'queued', 'running', 'error'] as const;
/** How far an operation is. */
export type OperationPhase = (typeof operationPhases)[number];

/** `none` unless an operation is queued. */
export const operationQueues = ['none', 'priority', 'normal', 'unpin'] as const;
/** The queue of an operation. */
export type OperationQueue = (typeof operationQueues)[number];

/** One unfinished operation of one peer, or that a peer could not be asked: `cid` is `null` then, and `error` says why. */
export interface OperationInfo {
  readonly peer: PeerId;
  readonly peername: string;
  readonly cid: Cid | null;
  /** The name of the pin. */
  readonly name: string;
  readonly type: OperationType;
  readonly phase: OperationPhase;
  readonly cause: OperationCause;
  /** Why the last attempt failed, or why nothing starts. */
  readonly error: string;
  /** When it was first wanted. */
  readonly since: Time | null;
  /** When it came to its phase. */
  readonly phaseSince: Time | null;
  /** Times it was begun. */
  readonly attempts: number;
  /** Of a failed one: when it goes back into its queue by itself. */
  readonly nextTry: Time | null;
  readonly queue: OperationQueue;
  /** Counted from 1, the next to start, in its queue; 0 unless it is queued. Normal pins start when no priority pin waits. */
  readonly position: number;
}
