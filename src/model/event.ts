/** What a peer tells of as it happens. No such thing in the reference. */

/** What can be asked for. */
export const eventTopics = ['pin', 'status', 'peer', 'alert'] as const;
/** One of them. */
export type EventTopic = (typeof eventTopics)[number];

/**
 * | type | topic | data |
 * |---|---|---|
 * | `pin` | pin | `{"cid","pin"}`: the pin as `GET /allocations` has it |
 * | `unpin` | pin | `{"cid"}` |
 * | `status` | status | what this peer says of one pin, as a line of `GET /pins?local=true` |
 * | `peer` | peer | `{"peer","peername","state"}` with one of `peerEventStates` |
 * | `alert` | alert | an entry of `GET /health/alerts` |
 * | `reset` | any | `{"reason"}`: events are missing before this one; what they told of is to be listed again |
 */
export type EventType = 'pin' | 'unpin' | 'status' | 'peer' | 'alert' | 'reset';

/** Became a member, is none any more; or, of a member, what can be heard of it. */
export type PeerEventState = 'joined' | 'removed' | 'alive' | 'missing' | 'gone';

/** One event. */
export interface ClusterEvent {
  /** For whoever goes on behind it. */
  readonly id: string;
  readonly type: EventType;
  /** JSON, without line ends. */
  readonly data: string;
}

/** Events of one epoch of one peer are numbered; another epoch knows nothing of them. */
export interface EventId {
  readonly epoch: string;
  readonly sequence: number;
}

/** `<epoch>-<sequence>`. */
export function formatEventId({ epoch, sequence }: EventId): string {
  return `${epoch}-${sequence}`;
}

/** `undefined` for what no peer has made. */
export function parseEventId(text: string): EventId | undefined {
  const [, epoch, sequence] = /^([0-9a-z]{1,32})-([0-9]{1,15})$/.exec(text) ?? [];
  return epoch === undefined ? undefined : { epoch, sequence: Number(sequence) };
}
