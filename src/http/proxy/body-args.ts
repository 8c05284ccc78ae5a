/**
 * Arguments in the body: `ipfs pin add` and the like read them from standard input, one a line, and send that as the first
 * part of a form (go-ipfs-cmds `command.go` `CheckArguments`, `arguments.go`).
 */
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import busboy from 'busboy';
import { errorMessage } from '../../base/index.ts';
import { ProxyError } from './errors.ts';

/** Characters of all arguments: about twenty thousand CIDs. */
const textLengthMax = 1024 * 1024;

/** The lines of the first part; none when the body is no form. Throws `proxy/bad-request`. */
export async function bodyArgs(request: IncomingMessage): Promise<string[]> {
  if (!/^multipart\/form-data;.*boundary=/i.test(request.headers['content-type'] ?? '')) return [];
  const text = await firstPart(request);
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

async function firstPart(request: IncomingMessage): Promise<string> {
  const form = busboy({ headers: request.headers, limits: { files: 1, fields: 0, headerPairs: 64 } });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (error: unknown): void =>
    reject(new ProxyError(400, `cannot read arguments: ${errorMessage(error)}`, error));
  form.on('file', (_name, part) => readText(part).then(resolve, fail));
  form.on('error', fail);
  form.on('close', () => resolve(''));
  request.on('close', () => {
    if (!request.complete) form.destroy(new ProxyError(400, 'the client has left'));
  });
  request.pipe(form);
  try {
    return await promise;
  } finally {
    request.unpipe(form);
    form.destroy();
    // What the client still sends is read and dropped, so that it gets to read the answer.
    request.resume();
  }
}

async function readText(part: Readable): Promise<string> {
  part.setEncoding('utf8');
  let text = '';
  for await (const piece of part) {
    text += String(piece);
    if (text.length > textLengthMax) throw new ProxyError(400, `more than ${textLengthMax} characters of arguments`);
  }
  return text;
}
