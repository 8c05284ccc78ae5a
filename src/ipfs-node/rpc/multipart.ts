/**
 * Uploads: the parts of a `multipart/form-data` body, one after the other, each streamed.
 *
 * Form (boxo `files.MultiFileReader`): a file name that is the percent-encoded path, and a content type that tells
 * folders (`application/x-directory`) and links (`application/symlink`, the target is the content) from files.
 */
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import busboy from 'busboy';
import { errorMessage } from '../../base/index.ts';
import { rpcError } from './errors.ts';

export interface Part {
  /** Decoded path; empty when the client gave none. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink';
  /** To be read to its end before the next part is asked for; what is left is skipped. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** Header lines of one part; clients send three to five. */
const headerPairsMax = 64;

/**
 * Checks that there is an upload at all. Throws `ipfs-rpc/bad-request`, which names the argument.
 */
export function requireUpload(request: IncomingMessage, argument: string): void {
  const type = request.headers['content-type'] ?? '';
  if (!/^multipart\/form-data/i.test(type)) {
    throw rpcError('ipfs-rpc/bad-request', `file argument '${argument}' is required`);
  }
  if (!/;\s*boundary=/i.test(type)) {
    throw rpcError('ipfs-rpc/bad-request', 'no multipart boundary param in Content-Type');
  }
}

/** The parts. Throws `ipfs-rpc/bad-upload` for a body that ends too early or is not of the form. */
export async function* readParts(request: IncomingMessage): AsyncGenerator<Part> {
  const form = busboy({
    headers: request.headers,
    preservePath: true,
    defParamCharset: 'utf8',
    limits: { headerPairs: headerPairsMax, fieldSize: 1 },
  });
  // Parts that came with one chunk of the body: bounded by its size, since the form waits for each part to be read.
  const ready: { part: Part; stream: Readable }[] = [];
  let ended = false;
  let failure: unknown;
  let wake: () => void = () => {};
  const end = (error?: unknown): void => {
    failure ??= error;
    ended = true;
    wake();
  };
  form.on('file', (_field, stream, info) => {
    // Failures of the body are reported below and to whoever reads the part.
    stream.on('error', () => {});
    ready.push({ part: partOf(stream, info.filename ?? '', info.mimeType), stream });
    wake();
  });
  form.on('field', (name) => {
    // Its bytes have been through a text decoder already, so they are refused rather than stored changed.
    end(
      badUpload(
        `part ${JSON.stringify(name)} has no file name: expected filename or Content-Type application/octet-stream`,
      ),
    );
  });
  form.on('error', (error) => end(badUpload(errorMessage(error), error)));
  form.on('close', () => end());
  request.on('error', (error) => form.destroy(error));
  request.on('close', () => {
    if (!request.complete) form.destroy(badUpload('unexpected EOF'));
  });
  request.pipe(form);
  try {
    for (;;) {
      const next = ready.shift();
      if (next !== undefined) {
        yield next.part;
        next.stream.resume();
      } else if (failure !== undefined) throw failure;
      else if (ended) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    request.unpipe(form);
    form.destroy();
    // What the client still sends is read and dropped, so that it gets to read the answer.
    request.resume();
  }
}

function partOf(stream: Readable, filename: string, contentType: string): Part {
  const type =
    contentType === 'application/x-directory'
      ? 'directory'
      : contentType === 'application/symlink'
        ? 'symlink'
        : 'file';
  return { path: unescapeName(filename), type, content: contentOf(stream) };
}

async function* contentOf(stream: Readable): AsyncGenerator<Uint8Array> {
  try {
    yield* stream as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw badUpload(errorMessage(error), error);
  }
}

/** Go's `url.QueryUnescape`; a name that does not decode is taken as it is (boxo `multipartFile.fileName`). */
function unescapeName(name: string): string {
  try {
    return decodeURIComponent(name.replaceAll('+', ' '));
  } catch {
    return name;
  }
}

function badUpload(reason: string, cause?: unknown): Error {
  const text = /Unexpected end of form/.test(reason) ? 'unexpected EOF' : reason;
  return rpcError('ipfs-rpc/bad-upload', `cannot read the upload: ${text}`, cause);
}
