/** Hash functions of multihashes: names, codes, digests. */
export { digestOf, digestSizeMin, hashCodeOf, hashNameOf, isStrong } from './hashes.ts';
