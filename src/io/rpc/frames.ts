/**
 * The frames of the protocol between our own peers: many calls on one long-lived stream.
 *
 * A frame is a body length and an id (both 32 bits, little-endian), a kind and a body. The peer that opened the stream calls,
 * the other one serves; ids are the caller's, one per call.
 *
 * | kind   | from   | body                                                                 |
 * |--------|--------|----------------------------------------------------------------------|
 * | call   | caller | name length (1 byte), `Service.Method`, argument                      |
 * | open   | caller | name length, `Service.Method`: a call with streams of values          |
 * | data   | both   | bytes of a stream of values, cut anywhere                             |
 * | end    | both   | nothing: the stream of values is complete                             |
 * | credit | both   | 32 bits: so many more bytes of data may be sent                       |
 * | cancel | caller | nothing: the call is given up                                         |
 * | reply  | server | the reply of a call                                                   |
 * | error  | server | outcome (0 refused, 1 unknown), code length, code, text               |
 * | part   | both   | a piece of the body of the call or reply that follows under this id   |
 */
import type { ByteStream } from '../../cluster/ports.ts';
import { type Failure, rpcError } from './errors.ts';

/** The protocol id; a change that old peers cannot read gets a new one. */
export const multiplexedProtocol = '/ipfs-cluster-ts/rpc/1.0.0';

export const frameKinds = {
  call: 1,
  open: 2,
  data: 3,
  end: 4,
  credit: 5,
  cancel: 6,
  reply: 7,
  error: 8,
  part: 9,
} as const;
export type FrameKind = (typeof frameKinds)[keyof typeof frameKinds];

/** Bulk is cut into frames of at most this, so that short frames do not wait behind it. */
export const bulkBytesMax: number = 32 * 1024;
/** What a sender may have under way before the receiver has taken it. */
export const creditBytes: number = 4 * bulkBytesMax;
/** Bodies above the bulk size with their names; nothing larger is ever sent. */
const bodyBytesMax = 64 * 1024;
const headBytes = 9;
const errorTextBytesMax = 16 * 1024;

export function encodeFrame(kind: FrameKind, id: number, ...body: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const piece of body) length += piece.length;
  const frame = Buffer.allocUnsafe(headBytes + length);
  frame.writeUInt32LE(length, 0);
  frame.writeUInt32LE(id, 4);
  frame[8] = kind;
  let at = headBytes;
  for (const piece of body) {
    frame.set(piece, at);
    at += piece.length;
  }
  return frame;
}

/** The bytes of a method's name with its length in front. */
export function encodeName(name: string): Uint8Array {
  const bytes = Buffer.from(name);
  return Buffer.concat([Uint8Array.of(bytes.length), bytes]);
}

/** The name at the start of a body, and what follows it. */
export function decodeName(body: Buffer): { readonly name: string; readonly rest: Uint8Array } {
  const length = body[0] ?? 0;
  return { name: body.toString('latin1', 1, 1 + length), rest: body.subarray(1 + length) };
}

export function encodeCredit(bytes: number): Uint8Array {
  return Uint8Array.of(bytes & 0xff, (bytes >>> 8) & 0xff, (bytes >>> 16) & 0xff, bytes >>> 24);
}

export function decodeCredit(body: Buffer): number {
  return body.length === 4 ? body.readUInt32LE(0) : 0;
}

export function encodeFailure({ code, text, outcome }: Failure): Uint8Array {
  const codeBytes = Buffer.from(code);
  return Buffer.concat([
    Uint8Array.of(outcome === 'refused' ? 0 : 1, codeBytes.length),
    codeBytes,
    Buffer.from(text).subarray(0, errorTextBytesMax),
  ]);
}

export function decodeFailure(body: Buffer): Failure {
  const end = 2 + (body[1] ?? 0);
  return {
    code: body.toString('latin1', 2, end),
    text: body.toString('utf8', end),
    outcome: body[0] === 0 ? 'refused' : 'unknown',
  };
}

/**
 * Reads frames until the stream ends; `onFrame` is called for all frames of a piece in one turn. `room` holds the next
 * piece back: who answers must not read on while the answers are not taken, or a caller that never reads fills the memory.
 */
export async function readFrames(
  stream: ByteStream,
  onFrame: (kind: number, id: number, body: Buffer) => void,
  room: () => Promise<void> | undefined = () => undefined,
): Promise<void> {
  let rest: Buffer | undefined;
  for (let piece = await stream.read(); piece !== null; piece = await stream.read()) {
    const fresh = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    const bytes: Buffer = rest === undefined ? fresh : Buffer.concat([rest, fresh]);
    let at = 0;
    while (bytes.length - at >= headBytes) {
      const length = bytes.readUInt32LE(at);
      if (length > bodyBytesMax) {
        throw rpcError('too-large', `Cannot read a frame of ${length} bytes: ${bodyBytesMax} allowed`);
      }
      const end = at + headBytes + length;
      if (end > bytes.length) break;
      onFrame(bytes[at + 8] ?? 0, bytes.readUInt32LE(at + 4), bytes.subarray(at + headBytes, end));
      at = end;
    }
    rest = at === bytes.length ? undefined : bytes.subarray(at);
    const held = room();
    if (held !== undefined) await held;
  }
}

/** Frames that a stream has not taken from which on whoever answers a peer should read no more of it. */
const waitingFramesMax = 1024;

/** Writes frames: short ones at once, bulk one after the other as the stream takes them. */
export class FrameWriter {
  readonly #stream: ByteStream;
  #bulk: Uint8Array[] = [];
  #isPumping = false;
  /** Frames that the stream has not taken. */
  #waiting = 0;
  #onRoom: (() => void) | undefined;

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  /** Ahead of all bulk that waits. A stream that is gone tells its reader; the frame is dropped then. */
  send(frame: Uint8Array): void {
    this.#waiting += 1;
    this.#stream.write(frame).then(this.#onTaken, this.#onTaken);
  }

  /** Behind all bulk that waits. */
  sendBulk(frame: Uint8Array): void {
    this.#waiting += 1;
    this.#bulk.push(frame);
    if (!this.#isPumping) {
      this.#isPumping = true;
      this.#pump().catch(this.#onLost);
    }
  }

  /** One call or reply, in pieces when it is long. */
  sendMessage(kind: FrameKind, id: number, head: Uint8Array, body: Uint8Array): void {
    if (body.length <= bulkBytesMax) {
      this.send(encodeFrame(kind, id, head, body));
      return;
    }
    let at = 0;
    for (; body.length - at > bulkBytesMax; at += bulkBytesMax) {
      this.sendBulk(encodeFrame(frameKinds.part, id, body.subarray(at, at + bulkBytesMax)));
    }
    this.sendBulk(encodeFrame(kind, id, head, body.subarray(at)));
  }

  /** Resolves when few frames wait, or when the stream is gone. One caller. */
  room(): Promise<void> | undefined {
    if (this.#waiting <= waitingFramesMax) return undefined;
    return new Promise((resolve) => {
      this.#onRoom = resolve;
    });
  }

  async #pump(): Promise<void> {
    while (this.#bulk.length > 0) {
      const batch = this.#bulk;
      this.#bulk = [];
      for (const frame of batch) {
        await this.#stream.write(frame);
        this.#onTaken();
      }
    }
    this.#isPumping = false;
  }

  readonly #onTaken = (): void => {
    this.#waiting -= 1;
    if (this.#onRoom !== undefined && this.#waiting <= waitingFramesMax) this.#wake();
  };

  /** The reader of the same stream gets the same failure and ends all calls with it. */
  readonly #onLost = (): void => {
    this.#bulk = [];
    this.#waiting = Number.NEGATIVE_INFINITY;
    this.#wake();
  };

  #wake(): void {
    this.#onRoom?.();
    this.#onRoom = undefined;
  }
}

/** What a piece takes beside its bytes, so that a message of very many tiny pieces is refused too. */
const pieceBytesExtra = 256;

/** The message of which pieces have come. There is one at most: `FrameWriter` sends the pieces of a message in a row. */
export class PartStore {
  readonly #messageBytesMax: number;
  #id: number | undefined;
  #bytes = 0;
  #pieces: Uint8Array[] = [];
  #isDropped = false;

  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax;
  }

  /** Throws `rpc/too-large`, and `rpc/server` for a piece of another message than the one under way. */
  add(id: number, piece: Uint8Array): void {
    if (this.#id !== undefined && this.#id !== id) {
      throw rpcError('server', `Cannot read a piece of message ${id}: message ${this.#id} is not complete`);
    }
    this.#id = id;
    this.#bytes += piece.length + pieceBytesExtra;
    if (this.#bytes > this.#messageBytesMax) {
      throw rpcError('too-large', `Cannot read a message above ${this.#messageBytesMax} bytes`);
    }
    if (!this.#isDropped) this.#pieces.push(piece);
  }

  /** The whole message, of which `last` is the end; `undefined` for one that was dropped. */
  complete(id: number, last: Uint8Array): Uint8Array | undefined {
    if (this.#id !== id) return last;
    const message = this.#isDropped ? undefined : Buffer.concat([...this.#pieces, last]);
    this.#id = undefined;
    this.#bytes = 0;
    this.#pieces = [];
    this.#isDropped = false;
    return message;
  }

  /** Nobody waits for the message any more; the rest of it still comes. */
  drop(id: number): void {
    if (this.#id !== id) return;
    this.#isDropped = true;
    this.#pieces = [];
  }
}
