/** `cordon.json`: what an operator has told the peer to hold. There is none before the first `peers cordon` or `peers drain`. */
import type { CordonFile } from '../../cluster/ports.ts';
import { isJsonObject } from '../../model/config/index.ts';
import { cordonModes } from '../../model/index.ts';
import { badFile } from './errors.ts';
import { readText, writeText } from './file.ts';
import { parseJson } from './json-file.ts';

/** The file at that path. A damaged one is refused: a peer that was emptied must not fill itself again. */
export function cordonFileOf(path: string): CordonFile {
  return {
    async read() {
      const text = await readText(path);
      if (text === undefined) return 'none';
      const json = parseJson(path, text);
      const found = isJsonObject(json) ? json.mode : undefined;
      const mode = cordonModes.find((known) => known === found);
      if (mode !== undefined) return mode;
      const words = cordonModes.map((known) => `"${known}"`).join(', ');
      throw badFile(path, `mode: found ${JSON.stringify(found) ?? 'nothing'}, expected one of ${words}`);
    },
    save: (mode) => writeText(path, `${JSON.stringify({ mode })}\n`, 0o644),
  };
}
