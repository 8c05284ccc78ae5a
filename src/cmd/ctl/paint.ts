/**
 * Colours, which only people see: whatever reads the output of a pipe or a file gets the bytes that it always got.
 */
import { styleText } from 'node:util';

/** What a piece of text is, not how it looks. */
export type Tone = 'title' | 'good' | 'bad' | 'busy' | 'quiet';

/** Gives a text its look; does not change its letters. */
export type Paint = (tone: Tone, text: string) => string;

const looks = { title: 'bold', good: 'green', bad: 'red', busy: 'yellow', quiet: 'dim' } as const;

/** Leaves every text as it is. */
const plain: Paint = (_tone, text) => text;

const coloured: Paint = (tone, text) => styleText(looks[tone], text, { validateStream: false });

/** What stands for "no" in `FORCE_COLOR`, as Node reads it. */
const refusals: ReadonlySet<string> = new Set(['0', 'false']);

/** The paint for a stream. `FORCE_COLOR` counts before `NO_COLOR`, as in Node's own `WriteStream.getColorDepth`. */
export function paintFor(isTerminal: boolean, environment: Readonly<Record<string, string | undefined>>): Paint {
  const { FORCE_COLOR: forced, NO_COLOR: refused, TERM: terminal } = environment;
  if (forced !== undefined) return refusals.has(forced) ? plain : coloured;
  // Source: no-color.org, "when present and not an empty string".
  if (refused !== undefined && refused !== '') return plain;
  return isTerminal && terminal !== 'dumb' ? coloured : plain;
}
