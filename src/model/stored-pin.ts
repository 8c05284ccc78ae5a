/**
 * Pins of the state as lists take them: the few fields that a list looks at are found in the stored bytes, and all others are
 * known to have their usual values. A pin with anything else is decoded whole.
 */
import { base32UpperDecode, utf8Decode } from '../base/index.ts';
import { Cid } from './cid.ts';
import type { PeerId } from './peer.ts';
import { peerIdFromBytes } from './peer-id.ts';
import type { Pin, PinType } from './pin.ts';
import { decodePin, storedPinTypes, unzigzag } from './pin-protobuf.ts';
import type { Time } from './time.ts';

/** What a list of statuses shows of the pin itself. `timestamp` is when it was made. */
export type PinHeader = Pick<Pin, 'cid' | 'name' | 'allocations' | 'origins' | 'metadata' | 'timestamp'>;

/** What decides where and how a pin is held. */
export type PinPlacement = Pick<
  Pin,
  'cid' | 'type' | 'allocations' | 'maxDepth' | 'replicationFactorMin' | 'replicationFactorMax'
>;

/** Longer values are not worth a second way of reading them. */
const plainBytesMax = 4096;
const none: readonly never[] = Object.freeze([]);

// Tags of the fields of a plain value, see `pin-protobuf.ts`.
const tags = { cid: 0x0a, type: 0x10, allocation: 0x1a, depth: 0x20, options: 0x32, seconds: 0x38 } as const;
const optionTags = { min: 0x08, max: 0x10, name: 0x1a } as const;

/** One stored pin. Its bytes must not change. */
export class StoredPin implements PinHeader, PinPlacement {
  /** State key, of a CID. */
  readonly key: string;
  readonly value: Uint8Array;
  /**
   * It has no expiry, metadata, origins, references and shard size, and its numbers are small: what `PinLines` and `StatusLines`
   * print without decoding.
   */
  readonly isPlain: boolean;
  #whole: Pin | undefined;
  #type = 0;
  #depth = 0;
  #min = 0;
  #max = 0;
  #allocations: readonly PeerId[] = none;
  #nameStart = 0;
  #nameEnd = 0;
  #seconds = 0;

  /** Throws what `decodePin` and `cidOfStateKey` do for what cannot be read. */
  constructor(key: string, value: Uint8Array) {
    this.key = key;
    this.value = value;
    this.isPlain = value.length <= plainBytesMax && this.#readPlain();
    if (!this.isPlain) this.#whole = decodePin(value, this.cid);
  }

  get cid(): Cid {
    return this.#whole?.cid ?? Cid.decode(base32UpperDecode(this.key));
  }

  get type(): PinType {
    return this.#whole?.type ?? storedPinTypes[this.#type] ?? 'bad';
  }

  get maxDepth(): number {
    return this.#whole?.maxDepth ?? unzigzag(this.#depth);
  }

  get replicationFactorMin(): number {
    return this.#whole?.replicationFactorMin ?? unzigzag(this.#min);
  }

  get replicationFactorMax(): number {
    return this.#whole?.replicationFactorMax ?? unzigzag(this.#max);
  }

  get allocations(): readonly PeerId[] {
    return this.#whole?.allocations ?? this.#allocations;
  }

  get name(): string {
    return this.#whole?.name ?? utf8Decode(this.value.subarray(this.#nameStart, this.#nameEnd));
  }

  get origins(): Pin['origins'] {
    return this.#whole === undefined ? none : this.#whole.origins;
  }

  get metadata(): Pin['metadata'] {
    return this.#whole === undefined ? null : this.#whole.metadata;
  }

  get expireAt(): Time | null {
    return this.#whole === undefined ? null : this.#whole.expireAt;
  }

  get timestamp(): Time | null {
    if (this.#whole !== undefined) return this.#whole.timestamp;
    return this.#seconds === 0 ? null : { seconds: this.#seconds, nanos: 0 };
  }

  /** Of a plain pin: where its name is in `value`. */
  get nameStart(): number {
    return this.#nameStart;
  }

  get nameEnd(): number {
    return this.#nameEnd;
  }

  /** Of a plain pin: since the Unix epoch, 0 for no time. */
  get seconds(): number {
    return this.#seconds;
  }

  /** Of a plain pin: equal for equal type, depth and replication factors. `0 <= shape < 2^28`. */
  get shape(): number {
    return (this.#type << 21) | (this.#depth << 14) | (this.#min << 7) | this.#max;
  }

  /** The whole pin. */
  pin(): Pin {
    this.#whole ??= decodePin(this.value, this.cid);
    return this.#whole;
  }

  /** Every varint of one byte but the time. @returns false for a value that has anything else */
  #readPlain(): boolean {
    const { value } = this;
    const end = value.length;
    let hasOptions = false;
    let allocations: PeerId[] | undefined;
    for (let at = 0; at < end; ) {
      const tag = value[at++];
      if (tag === tags.seconds) {
        at = this.#readSeconds(at);
        if (at === 0) return false;
        continue;
      }
      const number = value[at++] ?? 0x80;
      if (number > 0x7f) return false;
      if (tag === tags.type) {
        if (number >= storedPinTypes.length) return false;
        this.#type = number;
        continue;
      }
      if (tag === tags.depth) {
        this.#depth = number;
        continue;
      }
      const start = at;
      at += number;
      if (at > end) return false;
      if (tag === tags.allocation) {
        allocations ??= [];
        const peer = peerIdIn(value, start, at);
        if (peer === undefined) return false;
        allocations.push(peer);
      } else if (tag === tags.options) {
        if (hasOptions || !this.#readOptions(start, at)) return false;
        hasOptions = true;
      } else if (tag !== tags.cid) return false;
    }
    if (allocations !== undefined) this.#allocations = allocations;
    return hasOptions;
  }

  #readOptions(start: number, end: number): boolean {
    const { value } = this;
    for (let at = start; at < end; ) {
      const tag = value[at++];
      const number = value[at++] ?? 0x80;
      if (number > 0x7f || at > end) return false;
      if (tag === optionTags.min) this.#min = number;
      else if (tag === optionTags.max) this.#max = number;
      else if (tag === optionTags.name) {
        this.#nameStart = at;
        at += number;
        this.#nameEnd = at;
        if (at > end) return false;
      } else return false;
    }
    return true;
  }

  /** @returns where it ends; 0 for a time after the year 2514, and for no number */
  #readSeconds(start: number): number {
    let seconds = 0;
    let factor = 1;
    for (let at = start; at < start + 5; at++) {
      const byte = this.value[at];
      if (byte === undefined) return 0;
      seconds += (byte & 127) * factor;
      factor *= 128;
      if (byte > 127) continue;
      this.#seconds = seconds;
      return seconds <= plainSecondsMax ? at + 1 : 0;
    }
    return 0;
  }
}

/** 2^34 seconds, in the year 2514. */
const plainSecondsMax = 0x4_0000_0000;

function peerIdIn(value: Uint8Array, start: number, end: number): PeerId | undefined {
  try {
    return peerIdFromBytes(value.subarray(start, end));
  } catch {
    // Told by whoever decodes the pin.
    return undefined;
  }
}
