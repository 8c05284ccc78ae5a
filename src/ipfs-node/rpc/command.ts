/** What a command of the RPC is; the table of all is `commands/index.ts`. */
import type { UploadPart } from '../../http/kit/index.ts';
import type { IpfsNode } from '../ports.ts';
import type { Answer } from './answer.ts';
import type { Query } from './query.ts';

/** One request in progress. */
export interface Call {
  readonly node: IpfsNode;
  readonly query: Query;
  readonly answer: Answer;
  /** Aborted when the client has left or the request's `timeout` is over. */
  readonly signal: AbortSignal;
  /** Parts of the upload; only of commands with `upload`. */
  parts(): AsyncIterable<UploadPart>;
}

/** One row of the Kubo RPC. */
export interface Command {
  /** Below `/api/v0/`. */
  readonly path: string;
  /** Names of required arguments, as told when they are missing. */
  readonly args?: readonly string[];
  /** Name of the required upload. */
  readonly upload?: string;
  /** Put before the text of a deadline, as in Kubo. */
  readonly deadlinePrefix?: string;
  run(call: Call): Promise<void>;
}

/** The n-th argument; required ones have been checked. */
export function argument(call: Call, index = 0): string {
  return call.query.args[index] ?? '';
}

/** Bytes of a part, refused above the limit by the given error. */
export async function readAll(
  content: AsyncIterable<Uint8Array>,
  sizeMax: number,
  tooLarge: () => Error,
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const bytes of content) {
    size += bytes.length;
    if (size > sizeMax) throw tooLarge();
    pieces.push(bytes);
  }
  return Buffer.concat(pieces, size);
}
