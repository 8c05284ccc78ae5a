/**
 * The bytes of a snapshot and what is in them. Both ways stream: what is held in memory is one chunk, or one record where that is
 * longer.
 */
import { concatBytes, errorMessage, type Logger, noBytes, OperatingError, utf8Decode } from '../base/index.ts';
import { cidOfStateKey, decodePin, type Pin, type SnapshotRecord, snapshotRecordCodec } from '../model/index.ts';

/** Chunks are about this long; a record is never cut. */
const chunkSizeBytes = 65_536;

/** Joins records to chunks; `undefined` while one is not full. */
export class ChunkWriter {
  #parts: Uint8Array[] = [];
  #sizeBytes = 0;

  add(record: SnapshotRecord): Uint8Array | undefined {
    const bytes = snapshotRecordCodec.encode(record);
    this.#parts.push(bytes);
    this.#sizeBytes += bytes.length;
    return this.#sizeBytes >= chunkSizeBytes ? this.end() : undefined;
  }

  /** What is left, if anything is. */
  end(): Uint8Array | undefined {
    if (this.#sizeBytes === 0) return undefined;
    const chunk = concatBytes(this.#parts);
    this.#parts = [];
    this.#sizeBytes = 0;
    return chunk;
  }
}

/**
 * The records of a snapshot, as views, in groups as they come.
 * Throws `cluster/bad-snapshot`, and what `chunks` throws.
 */
export async function* readRecords(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly SnapshotRecord[], void, undefined> {
  const reader = new RecordReader();
  for await (const chunk of chunks) {
    if (reader.push(chunk)) yield reader.take();
  }
  yield reader.take();
  reader.end();
}

/**
 * The pins of a snapshot, in groups as they come; those that cannot be read are told to the log and left out.
 * Throws `cluster/bad-snapshot`, and what `chunks` throws.
 */
export async function* readSnapshotPins(
  chunks: AsyncIterable<Uint8Array>,
  log: Logger,
): AsyncGenerator<readonly Pin[], void, undefined> {
  for await (const records of readRecords(chunks)) {
    yield records.flatMap(({ key, value }) => {
      try {
        return [decodePin(value, cidOfStateKey(utf8Decode(key)))];
      } catch (error) {
        log.error('skipped a pin of a snapshot that cannot be read', { error: errorMessage(error) });
        return [];
      }
    });
  }
}

class RecordReader {
  /** What has come and is not read. */
  #parts: Uint8Array[] = [];
  #sizeBytes = 0;
  /** Not worth a try below this: a long record that comes in small pieces is not looked at again for each of them. */
  #wantedBytes = 1;
  /** Of the first byte that is not read, in the snapshot. */
  #offset = 0;

  /** @returns whether `take` is worth a try. */
  push(chunk: Uint8Array): boolean {
    this.#parts.push(chunk);
    this.#sizeBytes += chunk.length;
    return this.#sizeBytes >= this.#wantedBytes;
  }

  take(): readonly SnapshotRecord[] {
    const [first = noBytes] = this.#parts;
    const bytes = this.#parts.length === 1 ? first : concatBytes(this.#parts);
    const records: SnapshotRecord[] = [];
    let at = 0;
    for (let found = this.#read(bytes, 0); found !== undefined; found = this.#read(bytes, at)) {
      records.push(found.value);
      at = found.end;
    }
    this.#offset += at;
    this.#sizeBytes -= at;
    this.#parts = this.#sizeBytes === 0 ? [] : [bytes.subarray(at)];
    this.#wantedBytes = Math.max(1, 2 * this.#sizeBytes);
    return records;
  }

  end(): void {
    if (this.#sizeBytes > 0) throw badSnapshot(`it ends within the record at byte ${this.#offset}`);
  }

  /** `undefined` when the bytes end before the record does. */
  #read(bytes: Uint8Array, at: number): ReturnType<typeof snapshotRecordCodec.decodeAt> {
    try {
      return snapshotRecordCodec.decodeAt(bytes, at);
    } catch (error) {
      throw badSnapshot(`the record at byte ${this.#offset + at}: ${errorMessage(error)}`, error);
    }
  }
}

function badSnapshot(problem: string, cause: unknown = undefined): OperatingError {
  return new OperatingError('cluster/bad-snapshot', `The snapshot cannot be read: ${problem}`, { cause });
}
