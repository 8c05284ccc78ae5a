/**
 * Which pins the cluster accepts. Pure; each rule throws with the text of the reference.
 * Source: Go `cluster.go` `setupPin`, `setupReplicationFactor`, `checkPinType`.
 */
import { compareTimes, type Pin, type PinMode, type Time } from '../model/index.ts';
import { badPin, refusedPin } from './errors.ts';

export interface ReplicationDefaults {
  readonly replicationFactorMin: number;
  readonly replicationFactorMax: number;
}

/**
 * The pin with its replication factors filled in, when all rules hold; `existing` is what the pinset has under its CID.
 * **Errors**: `cluster/bad-pin`, `cluster/refused-pin`.
 */
export function checkedPin(pin: Pin, existing: Pin | undefined, defaults: ReplicationDefaults, now: Time): Pin {
  if (!pin.cid.isDefined) throw badPin('bad pin object');
  const filled = checkedOptions(pin, defaults, now);
  if (existing !== undefined) checkAgainst(filled, existing);
  checkType(filled);
  return filled;
}

/** The same of what is not content yet: as far as the options go. */
export function checkedOptions(pin: Pin, defaults: ReplicationDefaults, now: Time): Pin {
  const filled = withFactors(pin, defaults);
  if (pin.expireAt !== null && compareTimes(pin.expireAt, now) < 0) {
    throw badPin('pin.ExpireAt set before current time');
  }
  return filled;
}

/** The mode that a depth stands for. */
export function modeOfDepth(maxDepth: number): PinMode {
  return maxDepth === 0 ? 'direct' : 'recursive';
}

function withFactors(pin: Pin, defaults: ReplicationDefaults): Pin {
  const min = pin.replicationFactorMin === 0 ? defaults.replicationFactorMin : pin.replicationFactorMin;
  const max = pin.replicationFactorMax === 0 ? defaults.replicationFactorMax : pin.replicationFactorMax;
  const prefix = 'cluster.replication_factor_min';
  // The order is the reference's: it decides which of several texts a client sees.
  if (min === 0 || max === 0) throw badPin(`${prefix} and max must be set`);
  if (min > max) throw badPin(`${prefix} is larger than max`);
  if (min < -1) throw badPin(`${prefix} is wrong`);
  if (max < -1) throw badPin('cluster.replication_factor_max is wrong');
  if ((min === -1) !== (max === -1)) throw badPin(`${prefix} and max must be -1 when one of them is`);
  const isEverywhere = min === -1;
  const allocations = isEverywhere && pin.allocations !== null ? [] : pin.allocations;
  return { ...pin, replicationFactorMin: min, replicationFactorMax: max, allocations };
}

function checkAgainst(pin: Pin, existing: Pin): void {
  if (existing.type !== pin.type) {
    throw refusedPin(
      'cannot repin CID with different tracking method, clear state with pin rm to proceed. ' +
        `New: ${pin.type}. Was: ${existing.type}`,
    );
  }
  if (existing.mode === 'recursive' && pin.mode !== 'recursive') {
    throw refusedPin(
      `cannot repin a CID which is already pinned in recursive mode (new pin is pinned as ${pin.mode}). Unpin it first.`,
    );
  }
}

function checkType(pin: Pin): void {
  switch (pin.type) {
    case 'pin':
      if (pin.reference !== null) throw badPin('data pins should not reference other pins');
      return;
    case 'shard-pin':
      if (pin.maxDepth !== 1) throw badPin('must pin shards go depth 1');
      return;
    case 'clusterdag-pin':
      if (pin.maxDepth !== 0) throw badPin('must pin roots directly');
      if (pin.reference === null) throw badPin('clusterDAG pins should reference a Meta pin');
      return;
    case 'meta-pin':
      if (pin.allocations !== null && pin.allocations.length > 0) {
        throw badPin('meta pin should not specify allocations');
      }
      if (pin.reference === null) throw badPin('metaPins should reference a ClusterDAG');
      return;
    default:
      throw badPin('unrecognized pin type');
  }
}
