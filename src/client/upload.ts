/**
 * Files and directories as the body of `POST /add`: multipart in the layout of Kubo's clients, parents before children, depth first.
 * Source: Go `boxo/files` `MultiFileReader`.
 */
import { hexEncode, noBytes, OperatingError, utf8Encode } from '../base/index.ts';
import { formatQuery } from '../model/index.ts';
import type { RequestBody } from './transport.ts';
import { piecesOfStream } from './web-stream.ts';

/** What can be read as bytes once. */
export type ByteStream = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array | string>;

/** Bytes, wherever they are. A function gives them anew each time: only then can a stream be sent again when a peer does not answer. */
export type Content = string | Uint8Array | ArrayBuffer | Blob | ByteStream | (() => ByteStream);

/** A file, a directory, or a symbolic link, whose content is its target. */
export interface UploadEntry {
  /** Names with slashes between, below the root. Directories that are only named here are made. */
  readonly path: string;
  /** Default `file`. */
  readonly kind?: 'file' | 'directory' | 'symlink';
  readonly content?: Content;
  /** Where the peer's IPFS node finds the file: needed to add without copying. */
  readonly absolutePath?: string;
}

/** How far an upload is. */
export interface UploadProgress {
  /** Bytes of content that were handed to the network; it begins anew when the upload does. */
  readonly sentBytes: number;
  /** Of all content; `undefined` when a part of it is a stream. */
  readonly totalBytes: number | undefined;
}

/** How content is sent. */
export interface UploadOptions {
  /**
   * Called after each piece. A browser sends a body as a whole and tells how far it is now and then, at the end at last; not in service
   * workers, nor through a `fetch` of one's own.
   */
  readonly onProgress?: (progress: UploadProgress) => void;
  /** Between parts. Default: by chance. */
  readonly boundary?: string;
}

/** Content that is ready to be sent. */
export interface Upload extends RequestBody {
  /** Names the boundary. */
  readonly contentType: string;
}

interface Part {
  readonly head: string;
  readonly content: Content;
}

/** Pieces small enough to see progress, and to be held back. */
const pieceSizeBytes = 262_144;

const typeOfKind = {
  file: 'application/octet-stream',
  directory: 'application/x-directory',
  symlink: 'application/symlink',
} as const;

/** Throws `client/bad-upload` where paths do not make a tree. */
export function createUpload(entries: readonly UploadEntry[], options: UploadOptions = {}): Upload {
  const { boundary = randomBoundary(), onProgress } = options;
  const parts = inOrder(entries).map((entry, index): Part => {
    const start = `${index === 0 ? '' : '\r\n'}--${boundary}\r\n`;
    return { head: start + headOf(entry), content: entry.content ?? noBytes };
  });
  const end = `${parts.length === 0 ? '' : '\r\n'}--${boundary}--\r\n`;
  const totalBytes = sizeOf(parts);
  const isReplayable = parts.every(({ content }) => isKept(content) || typeof content === 'function');
  /** Bytes of each part of the blob that was made last: its head, its content. */
  let sizes: readonly (readonly [number, number])[] = [];
  let isSpent = false;
  const begin = (): void => {
    if (isSpent) throw new OperatingError('client/spent', 'Cannot send the content again: it is a stream and was read');
    isSpent = !isReplayable;
  };
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    isReplayable,
    async *stream() {
      begin();
      let sentBytes = 0;
      for (const { head, content } of parts) {
        yield utf8Encode(head);
        for await (const piece of piecesOf(content)) {
          yield piece;
          sentBytes += piece.length;
          onProgress?.({ sentBytes, totalBytes });
        }
      }
      yield utf8Encode(end);
    },
    async blob(signal) {
      begin();
      const blobs: Blob[] = [];
      const measured: (readonly [number, number])[] = [];
      for (const { head, content } of parts) {
        const pieces: (string | Blob | Uint8Array<ArrayBuffer>)[] = [];
        // Files stay on disk: the blob refers to them.
        if (content instanceof Blob || typeof content === 'string') pieces.push(content);
        else for await (const piece of untilAborted(piecesOf(content), signal)) pieces.push(new Uint8Array(piece));
        const [first, second] = [new Blob([head]), new Blob(pieces)];
        blobs.push(first, second);
        measured.push([first.size, second.size]);
      }
      sizes = measured;
      return new Blob([...blobs, end]);
    },
    ...(onProgress === undefined
      ? {}
      : { onSent: (bytes: number) => onProgress({ sentBytes: contentOf(sizes, bytes), totalBytes }) }),
  };
}

interface Node {
  entry: UploadEntry | undefined;
  readonly children: Map<string, Node>;
}

/** Each directory before what is in it, and all that is in it before what is not; otherwise as given. */
function inOrder(entries: readonly UploadEntry[]): readonly UploadEntry[] {
  const root: Node = { entry: undefined, children: new Map() };
  for (const entry of entries) {
    const names = namesOf(entry.path);
    let node = root;
    for (const name of names) {
      const child = node.children.get(name) ?? { entry: undefined, children: new Map() };
      node.children.set(name, child);
      node = child;
    }
    if (node.entry !== undefined) throw badUpload(entry.path, 'is there twice');
    node.entry = entry;
  }
  const ordered: UploadEntry[] = [];
  const visit = (node: Node, path: string): void => {
    const { entry, children } = node;
    if (children.size > 0 && entry !== undefined && entry.kind !== 'directory' && node !== root) {
      throw badUpload(path, 'is a file, and something is below it');
    }
    if (entry !== undefined) ordered.push({ ...entry, path });
    else if (node !== root) ordered.push({ kind: 'directory', path });
    for (const [name, child] of children) visit(child, path === '' ? name : `${path}/${name}`);
  };
  visit(root, '');
  return ordered;
}

function namesOf(path: string): readonly string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) throw badUpload(path, 'leads out of what is uploaded');
  return names;
}

function badUpload(path: string, problem: string): OperatingError {
  return new OperatingError('client/bad-upload', `Cannot upload ${JSON.stringify(path)}: it ${problem}`);
}

function headOf({ path, kind = 'file', absolutePath }: UploadEntry): string {
  const where = absolutePath === undefined ? '' : `Abspath-Encoded: ${formEscaped(absolutePath)}\r\n`;
  const disposition = `Content-Disposition: form-data; name="file"; filename="${formEscaped(path)}"\r\n`;
  return `${where}${disposition}Content-Type: ${typeOfKind[kind]}\r\n\r\n`;
}

function formEscaped(text: string): string {
  return formatQuery({ '': text }).slice(1);
}

function isKept(content: Content): content is string | Uint8Array | ArrayBuffer | Blob {
  return (
    typeof content === 'string' ||
    content instanceof Uint8Array ||
    content instanceof ArrayBuffer ||
    content instanceof Blob
  );
}

function sizeOf(parts: readonly Part[]): number | undefined {
  let total = 0;
  for (const { content } of parts) {
    if (!isKept(content)) return undefined;
    if (content instanceof Blob) total += content.size;
    else total += typeof content === 'string' ? utf8Encode(content).length : content.byteLength;
  }
  return total;
}

async function* piecesOf(content: Content): AsyncIterable<Uint8Array> {
  const source = typeof content === 'function' ? content() : content;
  if (isKept(source) && !(source instanceof Blob)) {
    const isView = source instanceof Uint8Array;
    const bytes = typeof source === 'string' ? utf8Encode(source) : isView ? source : new Uint8Array(source);
    for (let at = 0; at < bytes.length; at += pieceSizeBytes) yield bytes.subarray(at, at + pieceSizeBytes);
    return;
  }
  const stream = source instanceof Blob ? source.stream() : source;
  for await (const piece of 'getReader' in stream ? piecesOfStream(stream) : stream) {
    const bytes: unknown = typeof piece === 'string' ? utf8Encode(piece) : piece;
    if (!(bytes instanceof Uint8Array)) {
      throw new OperatingError('client/bad-upload', `Cannot upload ${typeof piece}: expected pieces of bytes or text`);
    }
    if (bytes.length > 0) yield bytes;
  }
}

/** How much of the first bytes of a body is content. */
function contentOf(sizes: readonly (readonly [number, number])[], bytes: number): number {
  let rest = bytes;
  let sum = 0;
  for (const [head, content] of sizes) {
    rest -= head;
    if (rest <= 0) break;
    sum += Math.min(rest, content);
    rest -= content;
  }
  return sum;
}

/** Ends with the signal, even while a piece is waited for that never comes. */
async function* untilAborted<T>(pieces: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncIterable<T> {
  const iterator = pieces[Symbol.asyncIterator]();
  try {
    for (;;) {
      signal?.throwIfAborted();
      const { done, value } = await orAborted(iterator.next(), signal);
      if (done === true) return;
      yield value;
    }
  } finally {
    // Not waited for: it ends after the piece that never comes.
    iterator.return?.().catch(() => undefined);
  }
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal?.reason);
    signal?.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal?.removeEventListener('abort', stop));
  });
}

function randomBoundary(): string {
  return hexEncode(crypto.getRandomValues(new Uint8Array(30)));
}
