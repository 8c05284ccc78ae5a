/**
 * Errors of reading a configuration. The text names the key, what was found and what was expected; who read the file
 * puts its name in front.
 */
import { OperatingError } from '../../base/index.ts';
import type { Json } from './json.ts';

const shownLengthMax = 100;

/** Code `config/bad-value`. `found` is shown as it stands in the file. */
export function badValue(where: string, found: Json | undefined, expected: string): OperatingError {
  const text = found === undefined ? 'nothing' : JSON.stringify(found);
  const shown = text.length <= shownLengthMax ? text : `${text.slice(0, shownLengthMax)}…`;
  return new OperatingError('config/bad-value', `${where}: found ${shown}, expected ${expected}`);
}
