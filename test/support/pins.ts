/** Pins and CIDs to test with. */
import { createHash } from 'node:crypto';
import { Cid, type Pin } from '../../src/model/index.ts';

/** The n-th of an endless row of raw version 1 CIDs. */
export function cidNumber(n: number): Cid {
  return Cid.decode(
    Buffer.concat([Uint8Array.of(1, 0x55, 0x12, 32), createHash('sha256').update(`cid ${n}`).digest()]),
  );
}

/** A recursive data pin, everywhere, unless said otherwise. */
export function pinOf(cid: Cid, more: Partial<Pin> = {}): Pin {
  return {
    cid,
    type: 'pin',
    allocations: [],
    maxDepth: -1,
    reference: null,
    timestamp: { seconds: 1_700_000_000, nanos: 0 },
    replicationFactorMin: -1,
    replicationFactorMax: -1,
    name: '',
    mode: 'recursive',
    shardSize: 0,
    userAllocations: null,
    expireAt: null,
    metadata: null,
    pinUpdate: null,
    origins: null,
    ...more,
  };
}
