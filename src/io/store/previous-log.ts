/**
 * What a peer remembers of a log that it has put away: a file beside its new log. See `docs/adr/0012`.
 *
 * One line of JSON: `version` 1, `index` and `term` of the last entry, `members`, and `crc32` of the JSON of all fields before it. It
 * is there before the new log is, and is never changed.
 */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { OperatingError, utf8Decode, utf8Encode } from '../../base/index.ts';
import type { LogOp, PreviousLog } from '../../core/raft/index.ts';
import type { Files } from './files.ts';
import { openLogStore } from './log-store.ts';
import { adoptStage, clearStage, stagePath } from './replacement.ts';

const fileName = 'previous-log.json';

/** Puts a log of one write, and what is remembered of the one before, in the place of the folder, which `rotate` makes a backup. */
export async function beginAnew(
  folder: string,
  ops: readonly LogOp[],
  previous: PreviousLog | undefined,
  rotate: () => Promise<void>,
  files: Files,
): Promise<void> {
  await clearStage(folder, files);
  await beginLog(stagePath(folder), ops, previous, files);
  await adoptStage(folder, rotate, files);
}

async function beginLog(
  folder: string,
  ops: readonly LogOp[],
  previous: PreviousLog | undefined,
  files: Files,
): Promise<void> {
  const log = await openLogStore(join(folder, 'log'), { files });
  try {
    await log.load();
    await log.write(ops);
  } finally {
    await log.close();
  }
  // Its name becomes durable with the folder's, when that is adopted.
  if (previous !== undefined) await writePreviousLog(folder, previous, files);
}

async function writePreviousLog(folder: string, previous: PreviousLog, files: Files): Promise<void> {
  const { index, term, members } = previous;
  const fields = { version: 1, index, term, members };
  const file = await files.open(join(folder, fileName), 'create');
  try {
    const line = JSON.stringify({ ...fields, crc32: crc32(JSON.stringify(fields)) });
    await file.write([utf8Encode(`${line}\n`)], 0);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** `undefined` when there was none. Rejects with `store/damaged`: to forget it could cost what others have acknowledged. */
export async function readPreviousLog(folder: string, files: Files): Promise<PreviousLog | undefined> {
  if (!(await files.list(folder)).includes(fileName)) return undefined;
  const path = join(folder, fileName);
  const file = await files.open(path, 'read');
  try {
    return decode(utf8Decode(await file.read(0, await file.size())), path);
  } finally {
    await file.close();
  }
}

/** Durable. */
export async function removePreviousLog(folder: string, files: Files): Promise<void> {
  await files.remove(join(folder, fileName));
  await files.syncFolder(folder);
}

function decode(text: string, path: string): PreviousLog {
  const { crc32: sum, ...fields } = parse(text, path);
  const { version, index, term, members } = fields;
  if (sum !== crc32(JSON.stringify(fields))) throw damaged(path, 'its checksum is wrong');
  if (version !== 1 || typeof index !== 'number' || typeof term !== 'number' || !isTexts(members))
    throw damaged(path, 'it is of another version');
  return { index, term, members };
}

function parse(text: string, path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return { ...value };
  } catch {
    // As below.
  }
  throw damaged(path, 'it is not an object of JSON');
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function damaged(path: string, what: string): OperatingError {
  const text = `"${path}" is damaged: ${what}. Restore it from a backup, or move the raft folder away and join as a new peer`;
  return new OperatingError('store/damaged', text);
}
