/**
 * One line a request, in the common log format of the Apache web server. Source: gorilla/handlers `LoggingHandler`, as
 * set up in Go `api/common/api.go`. Secrets that clients put into addresses are left out.
 */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { errorMessage } from '../../base/index.ts';
import type { Time } from '../../model/index.ts';
import type { CountedResponse } from './counted-response.ts';
import { HttpError } from './errors.ts';

/** What the disk has not taken yet, in bytes; lines beyond are lost rather than kept in memory. */
const waitingSizeMax = 1024 * 1024;

/** Where the lines go. */
export interface AccessLog {
  /** Without a line end. Never waits and never throws. */
  write(line: string): void;
  close(): Promise<void>;
}

/** Appends to a file, which is made when there is none. Throws `http/log-file`. */
export async function openAccessLog(path: string): Promise<AccessLog> {
  const stream = createWriteStream(path, { flags: 'a', mode: 0o644 });
  try {
    await once(stream, 'open');
  } catch (error) {
    throw new HttpError('http/log-file', `Cannot write log file "${path}": ${errorMessage(error)}`, { cause: error });
  }
  // A disk that is full must not end the peer.
  stream.on('error', () => {});
  return {
    write: (line) => {
      if (stream.writable && stream.writableLength < waitingSizeMax) stream.write(`${line}\n`);
    },
    close: async () => {
      if (stream.destroyed) return;
      const closed = new Promise<void>((done) => stream.once('close', () => done()));
      stream.end();
      await closed;
    },
  };
}

/** Who sent the request: an IP address, the peer id over libp2p, `@` through a unix socket. */
export function remoteHost(request: IncomingMessage): string {
  return request.socket.remoteAddress?.replace(/^::ffff:(?=[0-9.]+$)/, '') ?? '@';
}

/** `host - - [time] "request line" status bytes`. */
export function accessLine(host: string, request: IncomingMessage, response: CountedResponse, at: Time): string {
  // `JSON.stringify` escapes what could forge a line.
  const line = JSON.stringify(`${request.method} ${withoutSecrets(request.url ?? '')} HTTP/${request.httpVersion}`);
  return `${host} - - [${commonTime(at)}] ${line} ${response.statusCode} ${response.bodyBytes}`;
}

const secretName = /token|secret|passw|auth|credential|api[-_]?key/i;

/** Names of parameters that are looked at one by one: some sound like secrets, or are escaped and may. */
const mayHideSecret = /\?.*(?:%|token|secret|passw|auth|credential|api[-_]?key)/i;

/** User and password before the host, and the values of parameters that sound like secrets. */
function withoutSecrets(url: string): string {
  if (url.startsWith('/') && !mayHideSecret.test(url)) return url;
  const [path = '', ...query] = url.split('?');
  const open = path.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1***@');
  if (query.length === 0) return open;
  const pairs = query.join('?').split('&');
  const shown = pairs.map((pair) => (secretName.test(nameOf(pair)) ? `${pair.split('=')[0]}=***` : pair));
  return `${open}?${shown.join('&')}`;
}

function nameOf(pair: string): string {
  const name = pair.split('=')[0] ?? '';
  try {
    return decodeURIComponent(name);
  } catch {
    // Not a name that anything is read by.
    return name;
  }
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The last time that was printed: most requests come in the same second as the one before. */
let printed = { seconds: Number.NaN, text: '' };

/** `02/Jan/2006:15:04:05 -0700` in the time zone of the machine. */
function commonTime({ seconds }: Time): string {
  if (printed.seconds !== seconds) printed = { seconds, text: printTime(seconds) };
  return printed.text;
}

function printTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const offset = -date.getTimezoneOffset();
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  const day = `${two(date.getDate())}/${months[date.getMonth()]}/${date.getFullYear()}`;
  return `${day}:${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ${zone}`;
}
