/** JSON text of a named file. */
import { errorMessage } from '../../base/index.ts';
import type { Json } from '../../model/config/index.ts';
import { badFile } from './errors.ts';

/** Throws `config/bad-file` with the place of the fault. */
export function parseJson(path: string, text: string): Json {
  try {
    // Proof: what JSON.parse makes of a text is JSON.
    return JSON.parse(text) as Json;
  } catch (error) {
    throw badFile(path, `expected JSON, found ${problemOf(text, errorMessage(error))}`, error);
  }
}

/** V8 quotes the text around the fault, line breaks included; an error is one line, and a file can hold secrets. */
function problemOf(text: string, message: string): string {
  if (text.trim() === '') return 'nothing';
  const [place, position] = /at position (\d+)(?: \(line \d+ column \d+\))?/.exec(message) ?? [];
  const isAtEnd = position === undefined || Number(position) >= text.trimEnd().length;
  return isAtEnd ? 'its end too early: the file is cut off' : `something else ${place}`;
}
