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
    // V8 quotes the text around the fault, line breaks included; an error is one line, and a file can hold secrets.
    const place = /at position \d+(?: \(line \d+ column \d+\))?/.exec(errorMessage(error))?.[0] ?? 'at its end';
    throw badFile(path, `expected JSON, found something else ${place}`, error);
  }
}
