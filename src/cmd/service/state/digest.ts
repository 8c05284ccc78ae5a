/** `ipfs-cluster-service state digest`: what operators compare to see that peers hold the same pinset. */
import { DigestSum } from './digest-sum.ts';
import { type SourceOptions, withPinset } from './pinset-source.ts';
import type { StateDeps } from './state-folder.ts';

export interface DigestDeps extends StateDeps {
  readonly print: (line: string) => void;
}

/** Prints the digest, the number of pins, and the log entry that they are as of. Throws `Failure`. */
export async function digestState(options: SourceOptions, deps: DigestDeps): Promise<void> {
  const sum = new DigestSum();
  const applied = await withPinset(options, deps, async ({ applied, pages }) => {
    for await (const pins of pages) for (const pin of pins) sum.add(pin);
    return applied;
  });
  deps.print(`digest ${sum}`);
  deps.print(`pins ${sum.count}`);
  deps.print(`entry ${applied ?? 'unknown: the peer is running'}`);
}
