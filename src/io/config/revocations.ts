/** `revoked-tokens.json`: tokens of the HTTP APIs that count no more. There is none before the first `POST /token/revoke`. */
import type { RevocationFile } from '../../cluster/ports.ts';
import { isJsonObject, type Json } from '../../model/config/index.ts';
import type { RevokedToken } from '../../model/index.ts';
import { badFile } from './errors.ts';
import { readText, writeText } from './file.ts';
import { parseJson } from './json-file.ts';

/** The file at that path. A damaged one is refused: what was revoked must not come back to life. */
export function revocationFileOf(path: string): RevocationFile {
  return {
    async read() {
      const text = await readText(path);
      if (text === undefined) return [];
      const json = parseJson(path, text);
      const tokens = isJsonObject(json) ? json.tokens : undefined;
      if (!Array.isArray(tokens)) throw badFile(path, 'tokens: expected a list');
      return tokens.map((token: Json, i) => readToken(path, token, i));
    },
    save: (tokens) => writeText(path, `${JSON.stringify({ tokens })}\n`, 0o600),
  };
}

function readToken(path: string, token: Json, i: number): RevokedToken {
  const { hash, expires } = isJsonObject(token) ? token : {};
  if (typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash) && typeof expires === 'number') return { hash, expires };
  throw badFile(path, `tokens[${i}]: expected {"hash":"<SHA-256 in hex>","expires":<seconds since 1970, or 0>}`);
}
