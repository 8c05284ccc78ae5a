/**
 * Arguments in the body: `ipfs pin add` and the like read them from standard input, one a line. The first goes into the query,
 * the others into the first part of a form (go-ipfs-cmds `command.go` `CheckArguments`, `arguments.go`).
 */
import type { IncomingMessage } from 'node:http';
import { errorMessage } from '../../base/index.ts';
import { readUpload, uploadRefusal } from '../kit/index.ts';
import { ProxyError } from './errors.ts';

/** Bytes of all arguments: about twenty thousand CIDs. */
const textBytesMax = 1024 * 1024;

/** The lines of the first part; none when the body is no form. Throws `proxy/bad-request`. */
export async function bodyArgs(request: IncomingMessage): Promise<string[]> {
  if (uploadRefusal(request.headers['content-type']) !== undefined) return [];
  const text = await firstPart(request);
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

async function firstPart(request: IncomingMessage): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const { content } of readUpload(request)) {
      for await (const piece of content) {
        size += piece.length;
        if (size > textBytesMax) throw new ProxyError(400, `more than ${textBytesMax} bytes`);
        pieces.push(piece);
      }
      break;
    }
  } catch (error) {
    throw new ProxyError(400, `cannot read arguments: ${errorMessage(error)}`, error);
  } finally {
    // What the client still sends is read and dropped, so that it gets to read the answer.
    request.resume();
  }
  return Buffer.concat(pieces, size).toString('utf8');
}
