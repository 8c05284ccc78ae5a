/** Hashes for comparing runs and logs: quick, 32 bits, not for anything an adversary sees. */
import type { Entry } from '../core/raft/index.ts';

export function mix(hash: number, value: number): number {
  const mixed = Math.imul(hash ^ value, 0x9e3779b1);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

export function mixText(hash: number, text: string): number {
  let result = hash;
  for (let i = 0; i < text.length; i++) result = mix(result, text.charCodeAt(i));
  return result;
}

export function mixBytes(hash: number, bytes: Uint8Array): number {
  let result = hash;
  for (const byte of bytes) result = mix(result, byte);
  return result;
}

/** What is in an entry, after everything in `before`. */
export function mixEntry(before: number, entry: Entry): number {
  let hash = mix(mix(before, entry.index), entry.term);
  if (entry.type === 'command') hash = mixBytes(hash, entry.data);
  if (entry.type === 'configuration') {
    for (const { id, suffrage } of entry.configuration.servers) hash = mixText(mixText(hash, id), suffrage);
  }
  return mixText(hash, entry.type);
}
