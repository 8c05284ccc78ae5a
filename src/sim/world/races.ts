/** Clients that read a pin and write it later, several at once, among others that just write it. */
import type { SeededRandom } from '../../base/index.ts';
import { pick } from '../pick.ts';
import type { Operation } from './plan.ts';

/** In every other world. */
const worldsPerRace = 2;
const racesMax = 40;
const clientsMax = 5;
/** As long as a write may take under good conditions. */
const raceMs = 40;

/** Each race is for one CID, and short: what one client writes is not committed when the next one is judged. */
export function drawRaces(
  random: SeededRandom,
  { voters, keys, lengthMs }: { readonly voters: number; readonly keys: number; readonly lengthMs: number },
): readonly Operation[] {
  if (random.integer(worldsPerRace) > 0) return [];
  const operations: Operation[] = [];
  for (let race = 1 + random.integer(racesMax); race > 0; race--) {
    const startMs = random.integer(lengthMs - raceMs);
    const key = random.integer(keys);
    for (let client = 1 + random.integer(clientsMax); client > 0; client--) {
      operations.push({
        atMs: startMs + random.integer(raceMs),
        kind: pick(random, [
          'replace' as const,
          'replace' as const,
          'replace' as const,
          'release' as const,
          'pin' as const,
        ]),
        name: `c${operations.length + 1}`,
        peer: random.integer(3) === 0 ? 'leader' : random.integer(voters),
        key,
      });
    }
  }
  return operations;
}
