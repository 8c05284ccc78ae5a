/** Whole files, read with a limit and replaced so that a crash leaves the old one or the new one. */
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode, errorMessage } from '../../base/index.ts';
import { badFile, inFile } from './errors.ts';

/** Far more than any file of a peer's folder needs. */
const fileSizeMax = 16 * 1024 * 1024;

/** The text of the file, or `undefined` when there is none. Throws `config/bad-file`. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    const { size } = await stat(path);
    if (size > fileSizeMax) throw badFile(path, `found ${size} bytes, expected at most ${fileSizeMax}`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw errorCode(error) === 'config/bad-file' ? error : inFile(path, error);
  }
}

/** Replaces the file. Resolves when it cannot be lost any more. Throws `config/bad-file`, and then nothing has changed. */
export async function writeText(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await unlink(temporary).catch(ignoreMissing);
    throw badFile(path, `cannot be written: ${errorMessage(error)}`, error);
  }
}

/** Makes a rename in the folder permanent. */
async function syncFolder(path: string): Promise<void> {
  // Windows cannot open folders; its renames are journaled.
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The temporary file may never have come to be; its remains harm nobody, the error that matters is thrown. */
function ignoreMissing(): void {}
