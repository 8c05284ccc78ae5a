/** The pinned roots on disk: CID bytes as given → type and name. No counters: what is below a root is found by walking. */
import { CID } from 'multiformats/cid';
import { utf8Decode, utf8Encode } from '../../base/index.ts';
import { nodeError } from '../errors.ts';
import type { PinEntry, PinType } from '../ports.ts';
import { type ByteLevel, diskError, openLevel } from '../repo/index.ts';

const pageEntriesMax = 1000;

/** The pins of the node, roots only. */
export class PinIndex {
  readonly #level: ByteLevel;

  private constructor(level: ByteLevel) {
    this.#level = level;
  }

  static async open(folder: string): Promise<PinIndex> {
    return new PinIndex(await openLevel(folder));
  }

  get(cid: CID): PinEntry | undefined {
    const value = this.#level.getSync(cid.bytes);
    return value === undefined ? undefined : decodePin(cid, value);
  }

  /** All or nothing, and on disk when it resolves. */
  async write(puts: readonly PinEntry[], deletes: readonly CID[]): Promise<void> {
    try {
      await this.#level.batch(
        [
          ...deletes.map((cid) => ({ type: 'del' as const, key: cid.bytes })),
          ...puts.map((pin) => ({ type: 'put' as const, key: pin.cid.bytes, value: encodePin(pin) })),
        ],
        { sync: true },
      );
    } catch (error) {
      throw diskError('write pins', error);
    }
  }

  /** In key order, from the snapshot of the first turn. */
  async *pages(type?: PinType): AsyncIterable<PinEntry[]> {
    const iterator = this.#level.iterator();
    try {
      for (;;) {
        const entries = await iterator.nextv(pageEntriesMax);
        if (entries.length === 0) return;
        const pins = entries.map(([key, value]) => decodePin(CID.decode(key.slice()), value));
        const wanted = type === undefined ? pins : pins.filter((pin) => pin.type === type);
        if (wanted.length > 0) yield wanted;
      }
    } finally {
      await iterator.close();
    }
  }

  async close(): Promise<void> {
    await this.#level.close();
  }
}

function encodePin({ type, name }: PinEntry): Uint8Array {
  return utf8Encode(JSON.stringify(name === '' ? { t: type[0] } : { t: type[0], n: name }));
}

function decodePin(cid: CID, value: Uint8Array): PinEntry {
  try {
    const { t, n } = JSON.parse(utf8Decode(value)) as { t?: unknown; n?: unknown };
    if (t === 'r' || t === 'd') {
      return { cid, type: t === 'r' ? 'recursive' : 'direct', name: typeof n === 'string' ? n : '' };
    }
  } catch {
    // Falls through to the one message for everything that is no pin record.
  }
  throw nodeError('ipfs-node/damaged', `Cannot read the pin of "${cid}": its record is damaged`);
}
