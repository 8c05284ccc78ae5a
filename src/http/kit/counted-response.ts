/** An answer that knows how long its body is, for the access log. */
import { type IncomingMessage, ServerResponse } from 'node:http';

export class CountedResponse<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {
  /** Bytes of the body so far, without what chunks add. */
  bodyBytes = 0;

  // Node's overloads come down to this: the arguments are passed on as they are.
  override write(chunk: string | Uint8Array, ...more: never[]): boolean {
    this.#count(chunk);
    return super.write(chunk, ...more);
  }

  override end(...args: unknown[]): this {
    this.#count(args[0]);
    return super.end(...(args as []));
  }

  #count(chunk: unknown): void {
    if (typeof chunk === 'string') this.bodyBytes += Buffer.byteLength(chunk);
    else if (chunk instanceof Uint8Array) this.bodyBytes += chunk.length;
  }
}
