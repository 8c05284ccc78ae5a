import { OperatingError } from '../../base/index.ts';

/** Texts are those of the reference: clients match them. Codes: `allocate/bad-factors`, `allocate/not-enough-peers`. */
export function badFactors(min: number, max: number): OperatingError {
  return new OperatingError('allocate/bad-factors', `bad replication factors: ${min}/${max}`);
}

export function notEnoughPeers(needed: number, wanted: number, available: number): OperatingError {
  return new OperatingError(
    'allocate/not-enough-peers',
    `not enough peers to allocate CID. Needed at least: ${needed}. Wanted at most: ${wanted}. ` +
      `Available candidates: ${available}. See logs for more info.`,
  );
}
