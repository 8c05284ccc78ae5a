/** Between the words of the cluster and plain data. */
export {
  alertOf,
  choiceOf,
  cidOf,
  dateOf,
  entryOf,
  howFar,
  memberOf,
  peerInfoOf,
  pinOptionsOf,
  type Refusal,
  statusOf,
  statusOfOne,
  timeOf,
} from './plain.ts';
export { shown } from './shown.ts';
export type {
  AlertInfo,
  CidLike,
  MemberInfo,
  PeerChoice,
  PeerInfo,
  PeerPinStatus,
  PinChoice,
  PinEntry,
  PinSettings,
  PinStatus,
} from './types.ts';
