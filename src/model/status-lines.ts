/** Statuses as lines of JSON: what `globalPinInfoJson.print` makes of them, mostly without decoding a pin. */
import { noBytes, utf8Encode } from '../base/index.ts';
import { Cid } from './cid.ts';
import { globalPinInfoJson } from './json.ts';
import type { Multiaddr, PeerId } from './peer.ts';
import { cutAt } from './pin-lines.ts';
import { jsonText } from './schema/json-text.ts';
import { LineBuffer } from './schema/line-buffer.ts';
import { PlainTime } from './schema/plain-time.ts';
import { writeCid, writeName, writePeers } from './schema/stored-parts.ts';
import type { GlobalPinInfo, PinInfo, PinInfoShort, StatusRow, TrackerStatus } from './status.ts';
import { type PinHeader, StoredPin } from './stored-pin.ts';
import { formatTime, type Time } from './time.ts';

const chunkBytes = 64 * 1024;

/** What is the same in all rows of a peer. Lists use one object for each peer. */
export interface PeerLabel {
  readonly peer: PeerId;
  readonly peername: string;
  readonly ipfsPeerId: PeerId;
  readonly ipfsAddresses: readonly Multiaddr[] | null;
}

/** What one peer says of a pin. */
export type PeerStatus = readonly [label: PeerLabel, row: Omit<StatusRow, 'key' | 'pin'>];

/** The state of one pin on the peers that have a row of it, in ascending order of their ids. */
export interface GlobalStatusRow {
  readonly pin: PinHeader;
  readonly peers: readonly PeerStatus[];
}

/** The same as an object of its own. */
export function globalPinInfoOf({ pin, peers }: GlobalStatusRow): GlobalPinInfo {
  const { cid, name, allocations, origins, timestamp: created, metadata } = pin;
  const peerMap: Record<PeerId, PinInfoShort> = {};
  for (const [{ peer, peername, ipfsPeerId, ipfsAddresses }, row] of peers) {
    const { status, timestamp = created, error, attemptCount, priorityPin } = row;
    peerMap[peer] = { peername, ipfsPeerId, ipfsAddresses, status, timestamp, error, attemptCount, priorityPin };
  }
  return { cid, name, allocations, origins, created, metadata, peerMap };
}

/** One peer's view in the shape of all peers'. Source: Go `api/types.go` `PinInfo.ToGlobal`. */
export function globalOfOne(info: PinInfo): GlobalPinInfo {
  const { cid, name, peer, allocations, origins, created, metadata, ...short } = info;
  return { cid, name, allocations, origins, created, metadata, peerMap: { [peer]: short } };
}

/** Gathers lines. */
export class StatusLines {
  readonly #lines = new LineBuffer(chunkBytes);
  readonly #time = new PlainTime();
  readonly #heads = new Map<PeerLabel, Uint8Array>();

  /** As much as one write should have. */
  get isFull(): boolean {
    return this.#lines.isFull;
  }

  /** The lines added since the last time, each with its end. */
  take(): Uint8Array {
    return this.#lines.take();
  }

  add({ pin, peers }: GlobalStatusRow): void {
    const lines = this.#lines;
    this.#addPin(pin);
    let isFirst = true;
    for (const [label, row] of peers) {
      if (!isFirst) lines.copy(comma);
      isFirst = false;
      lines.copy(this.#headOf(label));
      this.#addRow(row, pin);
    }
    lines.copy(lineEnd);
  }

  #addPin(pin: PinHeader): void {
    const lines = this.#lines;
    if (!(pin instanceof StoredPin && pin.isPlain)) {
      const { cid, name, allocations, origins, timestamp: created, metadata } = pin;
      const text = globalPinInfoJson.print({ cid, name, allocations, origins, created, metadata, peerMap: {} });
      lines.text(withoutEnd(text));
      return;
    }
    lines.copy(pinPieces[0] ?? noBytes);
    writeCid(lines, pin);
    lines.copy(pinPieces[1] ?? noBytes);
    writeName(lines, pin);
    lines.copy(pinPieces[2] ?? noBytes);
    writePeers(lines, pin.allocations);
    lines.copy(pinPieces[3] ?? noBytes);
    lines.copy(this.#time.of(pin.seconds));
    lines.copy(pinPieces[4] ?? noBytes);
  }

  #addRow({ status, timestamp, error, attemptCount, priorityPin }: PeerStatus[1], pin: PinHeader): void {
    const lines = this.#lines;
    lines.copy(textOf(status));
    lines.copy(rowPieces[1] ?? noBytes);
    if (timestamp === undefined && pin instanceof StoredPin && pin.isPlain) lines.copy(this.#time.of(pin.seconds));
    else lines.text(formatTime(timestamp === undefined ? pin.timestamp : timestamp));
    if (error === '' && attemptCount === 0 && !priorityPin) {
      lines.copy(quietEnd);
      return;
    }
    const values = [jsonText(error), String(attemptCount), String(priorityPin)];
    for (let i = 0; i < values.length; i++) {
      lines.copy(rowPieces[i + 2] ?? noBytes);
      lines.text(values[i] ?? '');
    }
    lines.copy(rowPieces[5] ?? noBytes);
  }

  #headOf(label: PeerLabel): Uint8Array {
    let head = this.#heads.get(label);
    if (head === undefined) {
      head = utf8Encode(entryText(label).slice(0, -sampleRow.length));
      this.#heads.set(label, head);
    }
    return head;
  }
}

const comma = utf8Encode(',');
const lineEnd = utf8Encode('}}\n');
const statusTexts = new Map<TrackerStatus, Uint8Array>();

function textOf(status: TrackerStatus): Uint8Array {
  let text = statusTexts.get(status);
  if (text === undefined) {
    text = utf8Encode(status);
    statusTexts.set(status, text);
  }
  return text;
}

// What stands between the values comes from the text of samples, so that there is one place only that knows the fields.

const sampleTime: Time = { seconds: 1, nanos: 0 };
const sampleTimeText = '1970-01-01T00:00:01Z';
const sampleCid = Cid.parse('bafkqaaa');
const sampleInfo: GlobalPinInfo = {
  cid: sampleCid,
  name: '@name',
  allocations: ['@peer'],
  origins: [],
  created: sampleTime,
  metadata: null,
  peerMap: {},
};
const pinText = withoutEnd(globalPinInfoJson.print(sampleInfo));
const pinPieces = cutAt(pinText, [sampleCid.toString(), '@name', '"@peer"', sampleTimeText]);
const sampleEntry = entryText({ peer: '@', peername: '@', ipfsPeerId: '', ipfsAddresses: null });
/** What follows the label: status, time, error, attempts, priority. */
const sampleRow = sampleEntry.slice(sampleEntry.indexOf('pinned'));
const rowPieces = cutAt(sampleRow, ['pinned', sampleTimeText, '"@error"', '4711', 'true']);
/** Behind the time of a row without an error, that was never tried. */
const quietEnd = utf8Encode(
  sampleRow
    .slice(sampleRow.indexOf(sampleTimeText) + sampleTimeText.length)
    .replace('@error', '')
    .replace('4711', '0')
    .replace('true', 'false'),
);

function entryText({ peer, peername, ipfsPeerId, ipfsAddresses }: PeerLabel): string {
  const entry: PinInfoShort = {
    peername,
    ipfsPeerId,
    ipfsAddresses,
    status: 'pinned',
    timestamp: sampleTime,
    error: '@error',
    attemptCount: 4711,
    priorityPin: true,
  };
  return withoutEnd(globalPinInfoJson.print({ ...sampleInfo, peerMap: { [peer]: entry } })).slice(pinText.length);
}

/** Without the ends of the map of peers and of the object. */
function withoutEnd(text: string): string {
  return text.slice(0, -'}}'.length);
}
