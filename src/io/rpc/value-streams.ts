/** Streams of values inside the protocol of `frames.ts`: bytes of values in data frames, held back by credit. */
import type { Codec } from '../../model/index.ts';
import { rpcError } from './errors.ts';
import { bulkBytesMax, creditBytes, encodeCredit, encodeFrame, type FrameWriter, frameKinds } from './frames.ts';
import { ValueBuffer } from './value-buffer.ts';
import { valueBytesMax } from './value-reader.ts';

/** The sending half. Values of one turn share frames. */
export class ValueSender {
  readonly #id: number;
  readonly #writer: FrameWriter;
  #credit = creditBytes;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #isScheduled = false;
  #last: Uint8Array | undefined;
  #onSent: (() => void) | undefined;
  #onRoom: (() => void) | undefined;
  #failure: Error | undefined;
  #onFailure: ((error: Error) => void) | undefined;

  constructor(id: number, writer: FrameWriter) {
    this.#id = id;
    this.#writer = writer;
  }

  /** Resolves when there is room for more. Rejects when the call is over. One caller at a time. */
  send(value: Uint8Array): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#pending.push(value);
    this.#pendingBytes += value.length;
    if (this.#pendingBytes >= bulkBytesMax) this.#flush();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      process.nextTick(() => {
        this.#isScheduled = false;
        this.#flush();
      });
    }
    if (this.#pendingBytes < bulkBytesMax) return undefined;
    return new Promise((resolve, reject) => {
      this.#onRoom = resolve;
      this.#onFailure = reject;
    });
  }

  /** All values were sent; the end, or the frame given in its place, goes out behind them. */
  end(last: Uint8Array = encodeFrame(frameKinds.end, this.#id), onSent: () => void = () => {}): void {
    this.#last = last;
    this.#onSent = onSent;
    this.#flush();
  }

  addCredit(bytes: number): void {
    this.#credit += bytes;
    this.#flush();
  }

  /** The call is over: whoever waits for room is told. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#onFailure?.(this.#failure);
  }

  #flush(): void {
    if (this.#failure !== undefined) return;
    while (this.#pendingBytes > 0 && this.#credit > 0) {
      const bytes = this.#pending.length === 1 ? (this.#pending[0] as Uint8Array) : Buffer.concat(this.#pending);
      const size = Math.min(bytes.length, this.#credit, bulkBytesMax);
      this.#writer.sendBulk(encodeFrame(frameKinds.data, this.#id, bytes.subarray(0, size)));
      this.#credit -= size;
      this.#pendingBytes -= size;
      this.#pending = size === bytes.length ? [] : [bytes.subarray(size)];
    }
    if (this.#pendingBytes < bulkBytesMax) {
      this.#onRoom?.();
      this.#onRoom = undefined;
    }
    if (this.#last !== undefined && this.#pendingBytes === 0) {
      this.#failure = rpcError('cancelled', 'The stream of values has ended');
      this.#writer.sendBulk(this.#last);
      this.#onSent?.();
    }
  }
}

/** The receiving half. */
export class ValueReceiver {
  readonly #id: number;
  readonly #writer: FrameWriter;
  readonly #buffer = new ValueBuffer(valueBytesMax);
  #pieces: Uint8Array[] = [];
  #untoldBytes = 0;
  /** Bytes that the sender may still send: more is a breach of the protocol. */
  #window = creditBytes;
  #isEnded = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(id: number, writer: FrameWriter) {
    this.#id = id;
    this.#writer = writer;
  }

  /** Throws `rpc/too-large` when the sender goes beyond its credit. */
  push(piece: Uint8Array): void {
    this.#window -= piece.length;
    if (this.#window < 0) throw rpcError('too-large', 'Cannot take a data frame: it exceeds the credit given');
    this.#pieces.push(piece);
    this.#wakeUp();
  }

  end(): void {
    this.#isEnded = true;
    this.#wakeUp();
  }

  /** Values received before are still given out. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wakeUp();
  }

  /** The values until the end; throws what `fail` was given. */
  async *values<T>(codec: Codec<T>): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const value = this.#buffer.next();
      if (value !== undefined) {
        yield codec.decode(value);
        continue;
      }
      const pieces = this.#pieces;
      if (pieces.length > 0) {
        this.#pieces = [];
        for (const piece of pieces) this.#take(piece);
        continue;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isEnded) {
        if (!this.#buffer.isEmpty) throw rpcError('bad-reply', 'A stream of values ended within a value');
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #take(piece: Uint8Array): void {
    this.#buffer.push(piece);
    this.#untoldBytes += piece.length;
    if (this.#untoldBytes < creditBytes / 2 || this.#isEnded || this.#failure !== undefined) return;
    this.#window += this.#untoldBytes;
    this.#writer.send(encodeFrame(frameKinds.credit, this.#id, encodeCredit(this.#untoldBytes)));
    this.#untoldBytes = 0;
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
