/**
 * Pin states, repository figures and gc results on the wire and in JSON.
 */
import {
  type GlobalPinInfo,
  type GlobalRepoGc,
  type IpfsPinInfo,
  type IpfsPinStatus,
  type IpfsRepoGc,
  type IpfsRepoStat,
  ipfsPinStatuses,
  type PinInfo,
  type PinInfoShort,
  type RepoGc,
  type TrackerStatus,
  trackerStatusBits,
} from '../status.ts';
import type { StatusBlock, StatusPlace } from '../status-block.ts';
import { field, listType, presentMapType, structType, wireField, wireStructType } from './containers.ts';
import { metadataType, multiaddrsType, peerIdsType } from './pin.ts';
import {
  boolType,
  bytesType,
  cidType,
  enumType,
  intType,
  optionalCidType,
  peerIdType,
  textType,
  timeType,
  uintType,
} from './scalars.ts';
import type { Type, WireType } from './type.ts';

/** Keys that one gc run may report: about 4 million, 160 MB of them would be refused by the size limit anyway. */
const gcKeysMax = 4_194_304;

export const trackerStatusType: Type<TrackerStatus> = enumType(trackerStatusBits, {
  fallback: 'undefined',
  zero: 'undefined',
});

export const ipfsPinStatusType: Type<IpfsPinStatus> = enumType(
  // Object.fromEntries widens the keys to string.
  Object.fromEntries(ipfsPinStatuses.map((name, index) => [name, index])) as Record<IpfsPinStatus, number>,
  { fallback: 'bug', zero: 'bug' },
);

const short = field<PinInfoShort>();

const pinInfoShortFields = [
  short('peername', 'pn?', 'peername', textType),
  short('ipfsPeerId', 'i?', 'ipfs_peer_id?', peerIdType),
  short('ipfsAddresses', 'ia?', 'ipfs_peer_addresses?', multiaddrsType),
  short('status', 'st?', 'status', trackerStatusType),
  short('timestamp', 'ts?', 'timestamp', timeType),
  short('error', 'e?', 'error', textType),
  short('attemptCount', 'a?', 'attempt_count', intType),
  short('priorityPin', 'y?', 'priority_pin', boolType),
];

const pinInfoShortType: Type<PinInfoShort> = structType<PinInfoShort>(pinInfoShortFields);

const info = field<PinInfo>();

export const pinInfoType: Type<PinInfo> = structType<PinInfo>([
  info('cid', 'c', 'cid', cidType),
  info('name', 'm?', 'name', textType),
  info('peer', 'p?', 'peer', peerIdType),
  info('allocations', 'o?', 'allocations', peerIdsType),
  info('origins', 'g?', 'origins', multiaddrsType),
  info('created', 't?', 'created', timeType),
  info('metadata', 'md?', 'metadata', metadataType),
  ...pinInfoShortFields,
]);

const global = field<GlobalPinInfo>();

export const globalPinInfoType: Type<GlobalPinInfo> = structType<GlobalPinInfo>([
  global('cid', 'c', 'cid', cidType),
  global('name', 'n', 'name', textType),
  global('allocations', 'a?', 'allocations', peerIdsType),
  global('origins', 'g?', 'origins', multiaddrsType),
  global('created', 't?', 'created', timeType),
  global('metadata', 'm?', 'metadata', metadataType),
  global('peerMap', 'pm?', 'peer_map', presentMapType(pinInfoShortType)),
]);

const repoStat = field<IpfsRepoStat>();

export const ipfsRepoStatType: Type<IpfsRepoStat> = structType<IpfsRepoStat>([
  repoStat('repoSize', 'r?', 'RepoSize', uintType),
  // Always there: the option in the Go tag has a leading blank and is ignored.
  repoStat('storageMax', 's', 'StorageMax', uintType),
]);

const pinned = field<IpfsPinInfo>();

export const ipfsPinInfoType: Type<IpfsPinInfo> = structType<IpfsPinInfo>([
  pinned('cid', 'c', 'Cid', cidType),
  pinned('status', 't', 'Type', ipfsPinStatusType),
]);

const block = wireField<StatusBlock>();

export const statusBlockType: WireType<StatusBlock> = wireStructType<StatusBlock>([
  block('peername', 'pn?', textType),
  block('ipfsPeerId', 'i?', peerIdType),
  block('ipfsAddresses', 'ia?', multiaddrsType),
  block('rows', 'r?', bytesType),
]);

const place = wireField<StatusPlace>();

export const statusPlaceType: WireType<StatusPlace> = wireStructType<StatusPlace>([
  place('filter', 'f?', intType),
  place('after', 'a?', bytesType),
]);

const freed = field<IpfsRepoGc>();

const ipfsRepoGcType: Type<IpfsRepoGc> = structType<IpfsRepoGc>([
  // `omitempty` does not work on Go's CID type in JSON: an undefined one is written as null.
  freed('key', 'k?', 'key', optionalCidType),
  freed('error', 'e?', 'error?', textType),
]);

const gc = field<RepoGc>();

export const repoGcType: Type<RepoGc> = structType<RepoGc>([
  gc('peer', 'p?', 'peer', peerIdType),
  gc('peername', 'pn?', 'peername', textType),
  gc('keys', 'k', 'keys', listType(ipfsRepoGcType, gcKeysMax)),
  gc('error', 'e?', 'error?', textType),
]);

export const globalRepoGcType: Type<GlobalRepoGc> = structType<GlobalRepoGc>([
  field<GlobalRepoGc>()('peerMap', 'pm?', 'peer_map', presentMapType(repoGcType)),
]);
