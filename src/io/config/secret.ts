/** `secret`: the secret of the cluster, for peers that have no configuration file to keep it in. */
import { badFile } from './errors.ts';
import { readText, writeText } from './file.ts';

/** 64 lower-case hexadecimal digits; `undefined` when there is no file. Throws `config/bad-file`, which does not show it. */
export async function readSecret(path: string): Promise<string | undefined> {
  const text = (await readText(path))?.trim().toLowerCase();
  if (text === undefined || /^[0-9a-f]{64}$/.test(text)) return text;
  throw badFile(path, `found ${text.length} characters, expected 64 hexadecimal digits`);
}

/** For the owner's eyes only. Throws `config/bad-file`. */
export async function writeSecret(path: string, secret: string): Promise<void> {
  await writeText(path, `${secret}\n`, 0o600);
}
