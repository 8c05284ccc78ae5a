/** Inputs for one parser, one after the other, until something is found or the budget is used up. */
import { SeededRandom } from '../../src/base/index.ts';
import { failureOf, shrunk } from './check.ts';
import { mutated } from './mutate.ts';
import { bytesOf, type FuzzTarget } from './target.ts';

export interface CampaignOptions {
  readonly seed: string;
  /** Whether to make one more, when so many are made. */
  readonly goesOn: (made: number) => boolean;
  /** Each input before it is tried, so that one that ends the process or never ends is known. */
  readonly onInput?: (input: Uint8Array) => void;
}

export interface Found {
  readonly target: string;
  readonly problem: string;
  readonly input: Uint8Array;
}

export interface Campaign {
  readonly made: number;
  readonly found: Found | undefined;
}

/** The same inputs for the same seed and parser. The seeds of the parser come first, as they are. */
export async function campaign(target: FuzzTarget, options: CampaignOptions): Promise<Campaign> {
  const random = new SeededRandom(options.seed).derive(target.name);
  const seeds = target.seeds();
  const words = (target.words ?? []).map((word) => (typeof word === 'string' ? bytesOf(word) : word));
  let made = 0;
  for (; options.goesOn(made); made += 1) {
    const input = seeds[made] ?? mutated(random, target.form, seeds, words);
    options.onInput?.(input);
    if ((await failureOf(target, input)) === undefined) continue;
    const small = await shrunk(target, input, options.onInput);
    const problem = (await failureOf(target, small)) ?? 'it fails only sometimes';
    return { made: made + 1, found: { target: target.name, problem, input: small } };
  }
  return { made, found: undefined };
}

/** How an input is shown, and kept in `found.json`. */
export function shown(input: Uint8Array): string {
  const buffer = Buffer.from(input);
  return buffer.toString('base64');
}
