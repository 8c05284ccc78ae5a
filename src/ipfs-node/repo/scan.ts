/** Reading a segment file from front to back: to rebuild the index after a crash and to compact. */
import type { Location } from './block-index.ts';
import { isRecordSound, keyBytesMax, readRecordHead, recordPrefixBytes, recordSize } from './record.ts';
import type { SegmentFiles } from './segment-files.ts';

const windowBytes = 1024 * 1024;

export interface ScannedRecord {
  readonly key: Uint8Array;
  readonly location: Location;
  /** A view of the page's buffer. */
  readonly data: Uint8Array;
}

export interface ScannedPage {
  readonly records: readonly ScannedRecord[];
  /** Offset behind the last record. */
  readonly end: number;
}

/**
 * The sound records from `offset` on, in pages of about 1 MiB. Ends at the end of the file or before the first record
 * that is unfinished or damaged.
 */
export async function* scanSegment(files: SegmentFiles, segment: number, offset: number): AsyncIterable<ScannedPage> {
  let at = offset;
  let wanted = windowBytes;
  for (;;) {
    const available = files.sizeOf(segment) - at;
    if (available <= recordPrefixBytes) return;
    const bytes = await files.read({ segment, offset: at, length: Math.min(wanted, available) });
    if (bytes === undefined) return;
    const page = parsePage(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), segment, at);
    if (page.records.length > 0) yield page;
    if (page.isDamaged) return;
    if (page.records.length > 0) wanted = windowBytes;
    else if (wanted >= page.neededBytes || page.neededBytes > available) return;
    else wanted = page.neededBytes;
    at = page.end;
  }
}

interface ParsedPage extends ScannedPage {
  readonly isDamaged: boolean;
  /** What the record behind `end` takes, as far as that can be told. */
  readonly neededBytes: number;
}

function parsePage(bytes: Buffer, segment: number, base: number): ParsedPage {
  const records: ScannedRecord[] = [];
  let at = 0;
  for (;;) {
    const head = readRecordHead(bytes, at);
    const end = base + at;
    if (head === null) return { records, end, isDamaged: true, neededBytes: 0 };
    if (head === undefined) return { records, end, isDamaged: false, neededBytes: recordPrefixBytes + keyBytesMax };
    const next = head.dataOffset + head.dataBytes;
    if (next > bytes.length) {
      return { records, end, isDamaged: false, neededBytes: recordSize(head.key.length, head.dataBytes) };
    }
    if (!isRecordSound(bytes, at, head)) return { records, end, isDamaged: true, neededBytes: 0 };
    records.push({
      key: head.key,
      location: { segment, offset: base + head.dataOffset, length: head.dataBytes },
      data: bytes.subarray(head.dataOffset, next),
    });
    at = next;
  }
}
