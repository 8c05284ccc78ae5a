/**
 * Errors of reading a configuration. The text names the key, what was found and what was expected; who read the file
 * puts its name in front.
 */
import { briefJson, OperatingError } from '../../base/index.ts';
import type { Json } from './json.ts';

/** Code `config/bad-value`. `found` is shown as it stands in the file. */
export function badValue(where: string, found: Json | undefined, expected: string): OperatingError {
  return new OperatingError('config/bad-value', `${where}: found ${briefJson(found)}, expected ${expected}`);
}
