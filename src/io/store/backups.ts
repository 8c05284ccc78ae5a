/**
 * Backups of a folder: siblings `<folder>.old.0`, the newest, and up. Source: Go `consensus/raft/data_helper.go`; there a folder
 * without a snapshot is deleted instead. Ours has the state beside its log, which is worth keeping.
 */
import { basename, dirname, join } from 'node:path';
import type { Files } from './files.ts';

/**
 * Makes the folder the newest backup; nothing there is success. Of the backups, those numbered below `count` stay.
 *
 * A crash leaves the folder where it was or as backup 0, and a number of the backups free, which the next rotation uses: only
 * those below the first free number move up. What is to be deleted loses its number first.
 */
export async function rotateBackups(folder: string, count: number, files: Files): Promise<void> {
  const parent = dirname(folder);
  const names = new Set(await files.list(parent));
  const prefix = `${basename(folder)}.old.`;
  const nameAt = (number: number): string => join(parent, `${prefix}${number}`);
  for (const name of names)
    if (name.startsWith(prefix) && name.endsWith('.tmp')) await files.remove(join(parent, name));
  if (!names.has(basename(folder))) return;
  const numbers = [...names].flatMap((name) => numberOf(name, prefix));
  let free = 0;
  while (numbers.includes(free)) free++;
  for (const number of numbers) {
    if (number < count && !(number === count - 1 && free >= count)) continue;
    await files.rename(nameAt(number), `${nameAt(number)}.tmp`);
    await files.syncFolder(parent);
    await files.remove(`${nameAt(number)}.tmp`);
  }
  for (let number = Math.min(free, count - 1); number > 0; number--) {
    await files.rename(nameAt(number - 1), nameAt(number));
    await files.syncFolder(parent);
  }
  await files.rename(folder, nameAt(0));
  await files.syncFolder(parent);
}

function numberOf(name: string, prefix: string): number[] {
  const suffix = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^(0|[1-9]\d{0,5})$/.test(suffix) ? [Number(suffix)] : [];
}
