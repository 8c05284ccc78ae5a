/** A bare client of the Kubo RPC for the contract suite: sends exactly what a case says and hands back all of the answer. */
import { createHash } from 'node:crypto';
import { request } from 'undici';

export interface RpcResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly trailers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  text(): string;
  json(): unknown;
  lines(): unknown[];
}

export interface UploadPart {
  /** Absent: no `filename` at all. */
  readonly path?: string;
  readonly type?: string;
  readonly content?: string | Uint8Array;
}

export interface SendOptions {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'OPTIONS' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly parts?: readonly UploadPart[];
  readonly body?: Uint8Array;
}

const boundary = '------------------------contract4f1d';

/** `path` starts after `/api/v0/`. */
export async function send(url: string, path: string, options: SendOptions = {}): Promise<RpcResponse> {
  const body = options.parts === undefined ? options.body : multipart(options.parts);
  const type = options.parts === undefined ? {} : { 'content-type': `multipart/form-data; boundary=${boundary}` };
  const response = await request(`${url}/api/v0/${path}`, {
    method: options.method ?? 'POST',
    headers: { ...type, ...options.headers },
    ...(body === undefined ? {} : { body }),
  });
  const bytes = Buffer.from(await response.body.arrayBuffer());
  return {
    status: response.statusCode,
    headers: response.headers,
    trailers: response.trailers,
    body: bytes,
    text: () => bytes.toString('utf8'),
    json: () => JSON.parse(bytes.toString('utf8')),
    lines: () =>
      bytes
        .toString('utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line)),
  };
}

/** The body as boxo's `MultiFileReader` writes it. */
export function multipart(parts: readonly UploadPart[]): Buffer {
  const pieces: (string | Uint8Array)[] = [];
  for (const part of parts) {
    const name = part.path === undefined ? '' : `; filename="${encodeURIComponent(part.path)}"`;
    pieces.push(
      `--${boundary}\r\nContent-Disposition: form-data; name="file"${name}\r\n`,
      `Content-Type: ${part.type ?? 'application/octet-stream'}\r\n\r\n`,
      part.content ?? '',
      '\r\n',
    );
  }
  pieces.push(`--${boundary}--\r\n`);
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
}

/** Bytes that look random and are the same everywhere. */
export function noise(size: number): Buffer {
  const out = Buffer.alloc(size);
  for (let offset = 0, i = 0; offset < size; i += 1) {
    const block = createHash('sha256').update(`noise ${i}`).digest();
    offset += block.copy(out, offset);
  }
  return out;
}
