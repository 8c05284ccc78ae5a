/**
 * A pin as it is imported: the REST form, in which what is missing has the default of a new pin, and what the command line says
 * replaces what is there. Source: Go `cmdutils/state.go` `importState`, which takes what is missing for zero: a pin of a bad type,
 * direct, on nobody.
 */
import { type PeerId, type Pin, type PinType, pinJson } from '../../../model/index.ts';

/** What the command line says of all pins. */
export interface PinOverrides {
  /** 0: as they are. */
  readonly replicationMin: number;
  /** 0: as they are. */
  readonly replicationMax: number;
  /** Empty: as they are. */
  readonly allocations: readonly PeerId[];
}

/** The depth that pins of a type have. Source: Go `api/types.go` `PinType`. */
const usualDepth: Readonly<Record<PinType, number>> = {
  bad: -1,
  pin: -1,
  'meta-pin': 0,
  'clusterdag-pin': 0,
  'shard-pin': 1,
  all: -1,
};

/** Throws `OperatingError` `model/bad-json`, or `RangeError`. */
export function importPin(text: string, overrides: PinOverrides): Pin {
  const pin = withDefaults(pinJson.parse(withKnownKeys(text)), text);
  const { replicationMin, replicationMax, allocations } = overrides;
  const changed: Pin = {
    ...pin,
    replicationFactorMin: replicationMin === 0 ? pin.replicationFactorMin : replicationMin,
    replicationFactorMax: replicationMax === 0 ? pin.replicationFactorMax : replicationMax,
    allocations: allocations.length === 0 ? pin.allocations : allocations,
  };
  if (replicationMin !== 0 || replicationMax !== 0) checkFactors(changed);
  return changed;
}

/** Go reads keys in any case; only what is not all lower case needs a second look. */
function withKnownKeys(text: string): string {
  if (!/"[^"]*[A-Z][^"]*"\s*:/.test(text)) return text;
  const entries = Object.entries(objectOf(text)).map(([key, value]) => [key.toLowerCase(), value] as const);
  return JSON.stringify(Object.fromEntries(entries));
}

function withDefaults(pin: Pin, text: string): Pin {
  if (!pin.cid.isDefined) throw new RangeError('cid: found nothing, expected a CID');
  const isComplete = pin.type !== 'bad' && pin.maxDepth !== 0 && pin.replicationFactorMin !== 0;
  if (isComplete && pin.replicationFactorMax !== 0) return pin;
  const given = new Map(Object.entries(objectOf(text)).map(([key, value]) => [key.toLowerCase(), value]));
  const isMissing = (key: string): boolean => (given.get(key) ?? null) === null;
  const type = pin.type === 'bad' ? typeOf(given.get('type')) : pin.type;
  const depth = pin.mode === 'direct' ? 0 : usualDepth[type];
  const isWithoutFactors = isMissing('replication_factor_min') && isMissing('replication_factor_max');
  return {
    ...pin,
    type,
    maxDepth: isMissing('max_depth') ? depth : pin.maxDepth,
    replicationFactorMin: isWithoutFactors ? -1 : pin.replicationFactorMin,
    replicationFactorMax: isWithoutFactors ? -1 : pin.replicationFactorMax,
  };
}

/** What was imported by the Go program without a type is exported as `bad-type`. */
function typeOf(given: unknown): PinType {
  if (given === undefined || given === null || given === 'bad-type') return 'pin';
  const names = Object.keys(usualDepth).filter((name) => name !== 'bad' && name !== 'all');
  throw new RangeError(`type: found ${JSON.stringify(given)}, expected one of ${names.join(', ')}`);
}

function checkFactors({ replicationFactorMin: min, replicationFactorMax: max }: Pin): void {
  if ((min === -1 && max === -1) || (min >= 1 && max >= min)) return;
  throw new RangeError(`replication factors: found ${min} to ${max}, expected 1 or more in this order, or -1 for both`);
}

/** `pinJson` has read it before. */
function objectOf(text: string): Readonly<Record<string, unknown>> {
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}
