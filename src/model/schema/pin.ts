/**
 * Pins on the wire and in JSON.
 */
import { multiaddrToBytes } from '../multiaddr.ts';
import type { Multiaddr } from '../peer.ts';
import { type Pin, type PinMode, type PinOptions, type PinPath, type PinType, pinTypeBits } from '../pin.ts';
import { field, type JsonField, listType, mapType, structType } from './containers.ts';
import {
  cidType,
  enumType,
  intType,
  multiaddrType,
  optionalCidType,
  peerIdType,
  textType,
  timeType,
  uintType,
} from './scalars.ts';
import type { Type } from './type.ts';

export const peerIdsType: Type<readonly string[] | null> = listType(peerIdType);
export const metadataType: Type<Readonly<Record<string, string>> | null> = mapType(textType);

const anyMultiaddrs = listType(multiaddrType);

/**
 * Addresses. One whose protocols this build does not know cannot be put into bytes and is left out of the message:
 * better one address less than no answer.
 */
export const multiaddrsType: Type<readonly Multiaddr[] | null> = {
  ...anyMultiaddrs,
  write: (writer, value) => anyMultiaddrs.write(writer, value === null ? null : value.filter(hasBytes)),
};

function hasBytes(address: Multiaddr): boolean {
  try {
    multiaddrToBytes(address);
    return true;
  } catch {
    return false;
  }
}

const modeType: Type<PinMode> = enumType<PinMode>(
  { recursive: 0, direct: 1 },
  { fallback: 'recursive', zero: 'recursive' },
);

export const pinTypeType: Type<PinType> = enumType(pinTypeBits, {
  fallback: 'bad',
  zero: 'bad',
  unsigned: true,
  jsonNames: { bad: 'bad-type' },
});

const options = field<PinOptions>();

const pinOptionsFields: readonly JsonField<PinOptions>[] = [
  options('replicationFactorMin', 'rn?', 'replication_factor_min', intType),
  options('replicationFactorMax', 'rx?', 'replication_factor_max', intType),
  options('name', 'n?', 'name', textType),
  options('mode', 'o?', 'mode', modeType),
  options('shardSize', 's?', 'shard_size', uintType),
  options('userAllocations', 'ua?', 'user_allocations', peerIdsType),
  options('expireAt', 'e?', 'expire_at', timeType),
  options('metadata', 'm?', 'metadata', metadataType),
  options('pinUpdate', 'pu?', 'pin_update', optionalCidType),
  options('origins', 'g?', 'origins', multiaddrsType),
];

const pin = field<Pin>();

export const pinType: Type<Pin> = structType<Pin>([
  ...pinOptionsFields,
  pin('cid', 'c', 'cid', cidType),
  pin('type', 't?', 'type', pinTypeType),
  pin('allocations', 'a?', 'allocations', peerIdsType),
  pin('maxDepth', 'd?', 'max_depth', intType),
  pin('reference', 'r?', 'reference', optionalCidType),
  pin('timestamp', 'i?', 'timestamp', timeType),
]);

const pinPath = field<PinPath>();

export const pinPathType: Type<PinPath> = structType<PinPath>([
  ...pinOptionsFields,
  pinPath('path', 'path', 'path', textType),
]);
