/**
 * Opening the block store: after a clean close the counters come from its note; otherwise what was written since the
 * last flush is checked record by record and the index is brought in line. Without an index everything is scanned, so a
 * lost index folder is no loss.
 */
import type { Logger } from '../../base/index.ts';
import type { BlockIndex, IndexEntry, Location } from './block-index.ts';
import type { CleanNote } from './block-repo.ts';
import { recordSize } from './record.ts';
import { scanSegment } from './scan.ts';
import type { SegmentFiles } from './segment-files.ts';

const batchEntriesMax = 1000;

export interface RecoveredCounters {
  blockCount: number;
  liveBytes: Map<number, number>;
}

/** Brings index and files in line. @returns the counters of the store. */
export async function recoverIndex(index: BlockIndex, files: SegmentFiles, logger: Logger): Promise<RecoveredCounters> {
  const checkpoint = readCheckpoint(index.note('checkpoint'));
  files.skipNumbers(checkpoint.segment);
  const clean = cleanCounters(index.note('clean'), files);
  if (clean !== undefined) {
    await index.removeNote('clean');
    return clean;
  }
  if (files.numbers().length > 0) logger.info('The node was not stopped cleanly: checking the last blocks');
  const found = await scanTail(files, checkpoint, logger);
  const counters = await checkEntries(index, files, { checkpoint, found, logger });
  await addMissing(index, found, counters);
  for (const number of files.numbers()) {
    if (files.sizeOf(number) === 0 || (number < checkpoint.segment && !counters.liveBytes.has(number))) {
      await files.retire(number);
    }
  }
  await files.sync(files.numbers().filter((number) => number >= checkpoint.segment));
  files.resumeLast();
  await index.sync('checkpoint', files.position());
  await index.removeNote('clean');
  return counters;
}

interface Checkpoint {
  readonly segment: number;
  readonly offset: number;
}

interface Found {
  readonly entry: IndexEntry;
  isIndexed: boolean;
}

function isAfter(location: Location, checkpoint: Checkpoint): boolean {
  return (
    location.segment > checkpoint.segment ||
    (location.segment === checkpoint.segment && location.offset >= checkpoint.offset)
  );
}

/** The sound records behind the checkpoint by place; unfinished tails are cut off. */
async function scanTail(files: SegmentFiles, checkpoint: Checkpoint, logger: Logger): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  for (const number of files.numbers()) {
    if (number < checkpoint.segment) continue;
    // A file shorter than what was flushed has lost its end: then no offset in it is trusted.
    let end = number === checkpoint.segment && files.sizeOf(number) >= checkpoint.offset ? checkpoint.offset : 0;
    for await (const page of scanSegment(files, number, end)) {
      for (const { key, location } of page.records) {
        found.set(placeText(location), { entry: { key: key.slice(), location }, isIndexed: false });
      }
      end = page.end;
    }
    if (end < files.sizeOf(number)) {
      logger.info('Cutting off an unfinished tail', { segment: number, bytes: files.sizeOf(number) - end });
      await files.truncate(number, end);
    }
  }
  return found;
}

/** Counts the index, and drops entries whose bytes are not there. */
async function checkEntries(
  index: BlockIndex,
  files: SegmentFiles,
  context: { checkpoint: Checkpoint; found: Map<string, Found>; logger: Logger },
): Promise<RecoveredCounters> {
  const counters: RecoveredCounters = { blockCount: 0, liveBytes: new Map() };
  let lost = 0;
  for await (const page of index.pages()) {
    const bad: Uint8Array[] = [];
    for (const entry of page) {
      const { location } = entry;
      const match = isAfter(location, context.checkpoint) ? context.found.get(placeText(location)) : undefined;
      const isThere = isAfter(location, context.checkpoint)
        ? match !== undefined
        : location.offset + location.length <= files.sizeOf(location.segment);
      if (match !== undefined) match.isIndexed = true;
      if (isThere) count(counters, entry);
      else bad.push(entry.key);
    }
    lost += bad.length;
    if (bad.length > 0) await index.write([], bad);
  }
  if (lost > 0) context.logger.warn('Blocks that were never flushed are gone', { blocks: lost });
  return counters;
}

/** Enters records that were written but not indexed. One that had been removed comes back as garbage, for gc. */
async function addMissing(
  index: BlockIndex,
  found: ReadonlyMap<string, Found>,
  counters: RecoveredCounters,
): Promise<void> {
  const missing = new Map<string, IndexEntry>();
  for (const { entry, isIndexed } of found.values()) {
    if (!isIndexed && index.get(entry.key) === undefined) missing.set(Buffer.from(entry.key).toString('latin1'), entry);
  }
  const entries = [...missing.values()];
  for (let at = 0; at < entries.length; at += batchEntriesMax) {
    await index.write(entries.slice(at, at + batchEntriesMax), []);
  }
  for (const entry of entries) count(counters, entry);
}

function count(counters: RecoveredCounters, { key, location }: IndexEntry): void {
  counters.blockCount += 1;
  const size = recordSize(key.length, location.length);
  counters.liveBytes.set(location.segment, (counters.liveBytes.get(location.segment) ?? 0) + size);
}

function placeText({ segment, offset }: Location): string {
  return `${segment}:${offset}`;
}

function readCheckpoint(note: unknown): Checkpoint {
  if (typeof note !== 'object' || note === null) return { segment: 0, offset: 0 };
  const { segment, offset } = note as Partial<Record<keyof Checkpoint, unknown>>;
  return typeof segment === 'number' && typeof offset === 'number' ? { segment, offset } : { segment: 0, offset: 0 };
}

/** The counters of the note, if the files are still what it says. */
function cleanCounters(note: unknown, files: SegmentFiles): RecoveredCounters | undefined {
  if (typeof note !== 'object' || note === null) return undefined;
  // Written by `BlockRepo.close`; whatever does not look like it is treated as absent.
  const { blockCount, segments } = note as Partial<CleanNote>;
  if (typeof blockCount !== 'number' || !Array.isArray(segments)) return undefined;
  if (segments.length !== files.numbers().length) return undefined;
  const liveBytes = new Map<number, number>();
  for (const segment of segments as CleanNote['segments']) {
    if (files.sizeOf(segment.number) !== segment.sizeBytes) return undefined;
    liveBytes.set(segment.number, segment.liveBytes);
  }
  return { blockCount, liveBytes };
}
