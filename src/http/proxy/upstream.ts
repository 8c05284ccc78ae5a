/**
 * The IPFS node behind the proxy.
 *
 * A connection pool of undici, and not a ready-made proxy, because the trailers of the node's answers (`X-Stream-Error`
 * is how a stream tells that it failed) must reach the client.
 */
import { connect, isIP, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { type Dispatcher, Pool } from 'undici';
import type { IpfsProxyConfig } from '../../model/config/index.ts';
import { parseSocketAddress } from '../kit/index.ts';
import type { Receive } from './splice.ts';

/** An answer on its way: flat list of header names and values as they came, and a body to be read to its end. */
export interface UpstreamAnswer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Dispatcher.ResponseData['body'];
  /** Complete when the body has ended. */
  readonly trailers: Readonly<Record<string, string>>;
}

export interface UpstreamRequest {
  readonly method: string;
  readonly path: string;
  /** Flat list of names and values. */
  readonly headers: readonly string[];
  readonly body: Readable | null;
  readonly signal: AbortSignal;
}

/** Takes an answer piece by piece, as it arrives: no stream lies between. Calls come in this order. */
export interface AnswerSink {
  /** The request can be ended, or held back, from now on. */
  onStart(flow: AnswerFlow): void;
  onHead(status: number, headers: readonly string[]): void;
  onData(bytes: Uint8Array): void;
  /** The whole answer has arrived; a flat list of names and values. */
  onEnd(trailers: readonly string[]): void;
  /** Last call, in place of `onEnd`; nothing may have come before. */
  onError(error: unknown): void;
}

/** Holds a running answer. */
export interface AnswerFlow {
  pause(): void;
  resume(): void;
  /** Ends the request; `onError` tells. */
  abort(reason: Error): void;
}

export interface Upstream {
  send(request: UpstreamRequest): Promise<UpstreamAnswer>;
  /** The same without a stream between: for what is passed on. Never throws. */
  pass(request: Omit<UpstreamRequest, 'signal'>, sink: AnswerSink): void;
  /** A connection of its own, on its way. `receive` gets what comes, and is told when it may have more by `resume` of the socket. */
  connect(receive: Receive): Socket;
  /** What its `Host` header says. */
  readonly host: string;
  close(): Promise<void>;
}

/** Time to reach the node. Once reached it may take as long as it likes: pins and adds take hours. */
const connectTimeoutMs = 10_000;

/** Of one read. */
const readBytes = 262_144;

type NodeAddress = Pick<IpfsProxyConfig, 'nodeMultiaddress' | 'nodeHttps'>;

/** Throws `http/bad-address`. */
export function createUpstream(config: NodeAddress): Upstream {
  const { origin, socketPath } = nodeOrigin(config);
  const pool = new Pool(origin, {
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: connectTimeoutMs, ...(socketPath === undefined ? {} : { socketPath }) },
  });
  return {
    send: async ({ method, path, headers, body, signal }) => {
      const answer = await pool.request({
        // The method has been checked by the server's parser.
        method: method as Dispatcher.HttpMethod,
        path,
        headers: [...headers],
        body,
        signal,
        responseHeaders: 'raw',
      });
      return {
        status: answer.statusCode,
        headers: flatTexts(answer.headers),
        body: answer.body,
        trailers: answer.trailers,
      };
    },
    pass: ({ method, path, headers, body }, sink) => {
      pool.dispatch(
        { method: method as Dispatcher.HttpMethod, path, headers: [...headers], body },
        {
          onRequestStart: (controller) => sink.onStart(controller),
          onResponseStart: ({ rawHeaders }, status) => sink.onHead(status, flatTexts(rawHeaders)),
          onResponseData: (_controller, chunk) => sink.onData(chunk),
          onResponseEnd: ({ rawTrailers }) => sink.onEnd(flatTexts(rawTrailers)),
          onResponseError: (_controller, error) => sink.onError(error),
        },
      );
    },
    connect: (receive) => connectTo(config, receive),
    host: new URL(origin).host,
    close: () => pool.destroy(),
  };
}

function connectTo({ nodeMultiaddress, nodeHttps }: NodeAddress, receive: Receive): Socket {
  const address = parseSocketAddress(nodeMultiaddress);
  const place = 'path' in address ? address : { host: address.host, port: address.port, noDelay: true };
  if (nodeHttps) {
    // The name that the pool asks for too: without one a node behind a front by names would show another certificate.
    const servername = 'path' in address ? 'localhost' : address.host;
    const socket = connectTls({ ...place, ...(isIP(servername) === 0 ? { servername } : {}) });
    return socket.on('data', (bytes) => {
      if (!receive(bytes, () => {})) socket.pause();
    });
  }
  // Memory that is used again: for new memory with each read the collector would take as much time as all the rest.
  const free: Uint8Array[] = [];
  return connect({
    ...place,
    onread: {
      buffer: () => free.pop() ?? Buffer.allocUnsafeSlow(readBytes),
      callback: (length, buffer) => receive(buffer.subarray(0, length), () => free.push(buffer)),
    },
  });
}

/** Raw headers of undici are a flat list, of bytes or texts; its types allow more. */
function flatTexts(raw: unknown): string[] {
  if (!Array.isArray(raw)) return [];
  return raw.map((text: unknown) => (Buffer.isBuffer(text) ? text.toString('latin1') : String(text)));
}

function nodeOrigin(config: NodeAddress): { readonly origin: string; readonly socketPath?: string } {
  const scheme = config.nodeHttps ? 'https' : 'http';
  const address = parseSocketAddress(config.nodeMultiaddress);
  if ('path' in address) return { origin: `${scheme}://localhost`, socketPath: address.path };
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return { origin: `${scheme}://${host}:${address.port}` };
}
