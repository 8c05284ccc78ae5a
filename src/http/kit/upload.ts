/**
 * Uploads: the parts of a multipart body, one after the other, each streamed; nothing is kept but a piece of the body.
 *
 * Form (boxo `files.MultiFileReader`): a file name that is the percent-encoded path, and a content type that tells folders
 * (`application/x-directory`) and links (`application/symlink`, the target is the content) from files. Read as Go's `mime/multipart`
 * and boxo `files/multipartfile.go` do. Not by a form parser: these hide the headers of parts, take parts without a file name for
 * text, and know no `multipart/mixed`.
 */
import type { IncomingMessage } from 'node:http';
import { OperatingError } from '../../base/index.ts';

/** Bytes of the headers of one part; clients send a few hundred. */
const headerBytesMax = 64 * 1024;

/** One part of an upload. */
export interface UploadPart {
  /** Decoded and cleaned: no `.`, `..` or empty names, no slash at the ends. Empty when the client gave none. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink';
  /** Where the client has the file: a path or a URL; empty when it did not say. */
  readonly absPath: string;
  /** To be read before the next part is asked for; what is left is skipped. Throws `http/truncated-upload`. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** What is wrong with the request's content type, in Go's words (net/http `MultipartReader`); `undefined`: nothing. */
export function uploadRefusal(contentType: string | undefined): string | undefined {
  const { type, parameters } = parseMediaType(contentType ?? '');
  if (type !== 'multipart/form-data' && type !== 'multipart/mixed') {
    return "request Content-Type isn't multipart/form-data";
  }
  return parameters.get('boundary') ? undefined : 'no multipart boundary param in Content-Type';
}

/**
 * The parts. Check with `uploadRefusal` before. Throws `http/bad-upload` for a body that is not of the form, `http/truncated-upload` for
 * one that ends too early. Whoever leaves early leaves the rest of the body unread.
 */
export async function* readUpload(request: IncomingMessage): AsyncGenerator<UploadPart> {
  const boundary = parseMediaType(request.headers['content-type'] ?? '').parameters.get('boundary') ?? '';
  const reader = new PartReader(request.iterator({ destroyOnReturn: false }), boundary);
  try {
    while (await reader.toNextPart()) {
      const headers = await reader.headers();
      yield partOf(headers, reader.content());
      await reader.skipContent();
    }
  } finally {
    await reader.leave();
  }
}

/** A cursor over the body: between parts, at the headers of one, or in its content. */
class PartReader {
  readonly #source: AsyncIterator<Uint8Array, unknown>;
  /** What stands before every part but the first: the line end before it belongs to it. */
  readonly #delimiter: Buffer;
  #buffer: Buffer = Buffer.alloc(0);
  #isEnded = false;
  #isInContent = false;
  #isFirst = true;

  constructor(source: AsyncIterator<Uint8Array, unknown>, boundary: string) {
    this.#source = source;
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'utf8');
  }

  /** To the headers of the next part; `false` after the last one. */
  async toNextPart(): Promise<boolean> {
    // The first boundary may be the first line.
    if (this.#isFirst) this.#buffer = Buffer.from('\r\n');
    this.#isFirst = false;
    for (;;) {
      const at = this.#buffer.indexOf(this.#delimiter);
      if (at < 0) {
        // What stands before the first part is of no use.
        this.#buffer = this.#buffer.subarray(Math.max(0, this.#buffer.length - this.#delimiter.length));
        await this.#needMore();
        continue;
      }
      const end = at + this.#delimiter.length;
      const lineEnd = this.#buffer.indexOf('\r\n', end);
      const rest = this.#buffer.toString('latin1', end, lineEnd < 0 ? this.#buffer.length : lineEnd);
      if (rest.startsWith('--')) return false;
      if (lineEnd < 0) {
        if (rest.length > headerBytesMax) throw badUpload('multipart: boundary line too long');
        await this.#needMore();
        continue;
      }
      // The line end stays: the headers may be none at all.
      this.#buffer = this.#buffer.subarray(lineEnd);
      if (/^[ \t]*$/.test(rest)) return true;
    }
  }

  async headers(): Promise<ReadonlyMap<string, string>> {
    for (;;) {
      const at = this.#buffer.indexOf('\r\n\r\n');
      if (at > headerBytesMax || (at < 0 && this.#buffer.length > headerBytesMax)) {
        throw badUpload('multipart: NextPart: multipart: message too large');
      }
      if (at >= 0) {
        const text = this.#buffer.toString('utf8', 0, at);
        this.#buffer = this.#buffer.subarray(at + 2);
        this.#isInContent = true;
        return parseHeaders(text);
      }
      await this.#needMore();
    }
  }

  async *content(): AsyncGenerator<Uint8Array> {
    for (let piece = await this.#nextPiece(); piece !== undefined; piece = await this.#nextPiece()) yield piece;
  }

  async skipContent(): Promise<void> {
    while ((await this.#nextPiece()) !== undefined);
  }

  async leave(): Promise<void> {
    await this.#source.return?.();
  }

  /** Starts with the line end of the headers, which is the delimiter's if the content is empty. */
  #hasLineEnd = true;

  async #nextPiece(): Promise<Buffer | undefined> {
    while (this.#isInContent) {
      const at = this.#delimiterAt();
      if (at === 'unknown') {
        await this.#needMore(true);
        continue;
      }
      const from = this.#hasLineEnd ? 2 : 0;
      if (at !== undefined) {
        this.#isInContent = false;
        const piece = this.#buffer.subarray(from, at);
        this.#buffer = this.#buffer.subarray(at);
        this.#hasLineEnd = true;
        if (piece.length === 0 || at < from) return undefined;
        return piece;
      }
      const size = this.#safeSize();
      if (size > from) {
        const piece = this.#buffer.subarray(from, size);
        this.#buffer = this.#buffer.subarray(size);
        this.#hasLineEnd = false;
        return piece;
      }
      await this.#needMore(true);
    }
    return undefined;
  }

  /** Where the content ends; `unknown` when more bytes have to tell; `undefined` when not in what is here. */
  #delimiterAt(): number | 'unknown' | undefined {
    for (let at = this.#buffer.indexOf(this.#delimiter); at >= 0; at = this.#buffer.indexOf(this.#delimiter, at + 1)) {
      const next = this.#buffer[at + this.#delimiter.length];
      if (next === undefined) return this.#isEnded ? undefined : 'unknown';
      // Longer text that begins like the boundary is content (Go `matchAfterPrefix`).
      if (' \t\r\n-'.includes(String.fromCharCode(next))) return at;
    }
    return undefined;
  }

  /** Bytes at the start that cannot be part of a delimiter. */
  #safeSize(): number {
    const { length } = this.#buffer;
    const at = this.#buffer.indexOf('\r', Math.max(0, length - this.#delimiter.length));
    return at < 0 ? length : at;
  }

  async #needMore(isInContent = false): Promise<void> {
    const next = this.#isEnded ? undefined : await this.#source.next();
    if (next === undefined || next.done === true) {
      this.#isEnded = true;
      if (!isInContent) throw truncated('multipart: NextPart: EOF');
      throw truncated('unexpected EOF');
    }
    const bytes = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.length);
    this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
  }
}

function partOf(headers: ReadonlyMap<string, string>, content: AsyncIterable<Uint8Array>): UploadPart {
  const { parameters } = parseMediaType(headers.get('content-disposition') ?? '');
  const { type } = parseMediaType(headers.get('content-type') ?? '');
  const encoded = headers.get('abspath-encoded');
  return {
    path: cleanPath(unescapeForm(parameters.get('filename') ?? '')),
    type:
      type === 'application/x-directory' || type === 'multipart/form-data'
        ? 'directory'
        : type === 'application/symlink'
          ? 'symlink'
          : 'file',
    absPath: encoded === undefined ? (headers.get('abspath') ?? '') : unescapeForm(encoded),
    content,
  };
}

/** Names in lower case; of repeated ones the first counts. */
function parseHeaders(text: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  // A line that begins with a blank goes on with the one before.
  for (const line of text.replace(/\r\n[ \t]+/g, ' ').split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    if (name !== '' && !headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  return headers;
}

interface MediaType {
  /** In lower case. */
  readonly type: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** `type; name=value; name="value"`, and `name*=UTF-8''value` (RFC 5987). Source: Go `mime.ParseMediaType`. */
function parseMediaType(text: string): MediaType {
  const [type = ''] = text.split(';', 1);
  const parameters = new Map<string, string>();
  const parameter = /;\s*([^\s=;*]+)(\*?)\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s;]*))/g;
  for (const [, name = '', star, quoted, plain = ''] of text.matchAll(parameter)) {
    const key = name.toLowerCase();
    // A backslash before a letter is part of a path of Windows.
    const value = quoted === undefined ? plain : quoted.replace(/\\([()<>@,;:\\"/[\]?=])/g, '$1');
    if (star === '*') {
      const encoded = /^utf-8'[^']*'(.*)$/i.exec(value)?.[1];
      if (encoded !== undefined && !parameters.has(key)) parameters.set(key, decodeOr(encoded, encoded));
    } else parameters.set(key, value);
  }
  return { type: type.trim().toLowerCase(), parameters };
}

/** Go's `url.QueryUnescape`; text that does not decode is taken as it is (boxo `files.fileName`). */
function unescapeForm(text: string): string {
  return decodeOr(text.replaceAll('+', ' '), text);
}

function decodeOr(text: string, otherwise: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return otherwise;
  }
}

/** Go's `path.Clean("/" + text)` without the slash in front, so that no path leads outside. */
function cleanPath(text: string): string {
  const names: string[] = [];
  for (const name of text.split('/')) {
    if (name === '' || name === '.') continue;
    if (name === '..') names.pop();
    else names.push(name);
  }
  return names.join('/');
}

function badUpload(message: string): OperatingError {
  return new OperatingError('http/bad-upload', message);
}

function truncated(message: string): OperatingError {
  return new OperatingError('http/truncated-upload', message);
}
