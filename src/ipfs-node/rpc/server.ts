/**
 * The HTTP server of the node's RPC (Kubo's, `/api/v0/…`).
 *
 * Way of a request: method and origin are checked → fastify finds the command → required arguments and upload are
 * checked → the command runs with a signal that ends with the client or with `timeout` → whatever it throws becomes the
 * error answer. Nothing here is limited in time, since adds and pins may take hours.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import fastify, { type FastifyInstance } from 'fastify';
import { errorCode, errorMessage, type Logger, silentLogger } from '../../base/index.ts';
import {
  type BoundServer,
  bindServer,
  type HttpLimits,
  isOriginAllowed,
  parseSocketAddress,
  readUpload,
  type UploadPart,
  uploadRefusal,
} from '../../http/kit/index.ts';
import { parseGoDuration } from '../../model/index.ts';
import type { IpfsNode, RpcServer } from '../ports.ts';
import { Answer, sendText } from './answer.ts';
import type { Command } from './command.ts';
import { commands } from './commands/index.ts';
import { rpcError } from './errors.ts';
import { Query } from './query.ts';

const prefix = '/api/v0/';
const serverName = 'ipfs-cluster-node';
/** Longest timer of Node. */
const timerMax = 2 ** 31 - 1;

const limits: HttpLimits = {
  readTimeoutMs: 0,
  readHeaderTimeoutMs: 10_000,
  writeTimeoutMs: 0,
  idleTimeoutMs: 60_000,
  // Arguments are paths and travel in the request line.
  maxHeaderBytes: 64 * 1024,
};

/** Where the RPC is served. */
export interface RpcServerOptions {
  /** Multiaddr; port 0 takes a free one. */
  readonly listen: string;
  readonly logger?: Logger;
}

/** The server of a node. `start` throws `http/listen` or `http/bad-address`. */
export function createRpcServer(node: IpfsNode, options: RpcServerOptions): RpcServer {
  return new KuboRpcServer(node, options);
}

class KuboRpcServer implements RpcServer {
  readonly #node: IpfsNode;
  readonly #options: RpcServerOptions;
  readonly #logger: Logger;
  #bound: BoundServer | undefined;
  #app: FastifyInstance | undefined;
  #port: number | undefined;
  readonly #running = new Set<AbortController>();

  constructor(node: IpfsNode, options: RpcServerOptions) {
    this.#node = node;
    this.#options = options;
    this.#logger = (options.logger ?? silentLogger).scope('ipfs-rpc');
  }

  async start(): Promise<void> {
    const bound = await bindServer({ listen: [this.#options.listen], limits });
    try {
      const app = this.#createApp();
      await app.ready();
      this.#bound = bound;
      this.#app = app;
      const address = parseSocketAddress(bound.addresses()[0] ?? '');
      this.#port = 'port' in address ? address.port : undefined;
      bound.serve((request, response) => this.#handle(app, request, response));
    } catch (error) {
      await bound.close();
      throw error;
    }
  }

  async stop(): Promise<void> {
    const [bound, app] = [this.#bound, this.#app];
    this.#bound = undefined;
    this.#app = undefined;
    for (const running of this.#running) running.abort(rpcError('ipfs-rpc/client-gone', 'the node is stopping'));
    await bound?.close();
    await app?.close();
  }

  url(): string {
    const address = parseSocketAddress(this.#bound?.addresses()[0] ?? '');
    if ('path' in address) return `unix:${address.path}`;
    return `http://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
  }

  #createApp(): FastifyInstance {
    const app = fastify({
      routerOptions: { maxParamLength: limits.maxHeaderBytes },
      // Only an unreadable URL gets here.
      frameworkErrors: (_error, _request, reply) => {
        reply.hijack();
        sendText(reply.raw, 400, '400 Bad Request');
      },
    });
    // Bodies are read by the commands, as they come.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _body, done) => done(null));
    app.setNotFoundHandler((_request, reply) => {
      reply.hijack();
      sendText(reply.raw, 404, '404 page not found');
    });
    for (const command of commands) {
      for (const path of [command.path, `${command.path}/*`]) {
        app.post<{ Params: { '*'?: string } }>(prefix + path, (request, reply) => {
          reply.hijack();
          void this.#run(command, request.raw, reply.raw, request.params['*']);
        });
      }
    }
    return app;
  }

  #handle(app: FastifyInstance, request: IncomingMessage, response: ServerResponse): void {
    if (request.method === 'OPTIONS') {
      const isPreflight = request.headers['access-control-request-method'] !== undefined;
      response.writeHead(
        204,
        isPreflight
          ? { Vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers' }
          : { Allow: 'OPTIONS, POST', Vary: 'Origin' },
      );
      response.end();
    } else if (request.method !== 'POST') {
      sendText(response, 405, '405 - Method Not Allowed', { Allow: 'OPTIONS, POST' });
    } else if (!isOriginAllowed(request.headers, this.#port)) {
      sendText(response, 403, '403 - Forbidden');
    } else {
      // An empty type, such as Go cluster peers send, is none; the router would refuse it.
      if (request.headers['content-type'] === '') delete request.headers['content-type'];
      app.routing(request, response);
    }
  }

  /** Never rejects. */
  async #run(
    command: Command,
    request: IncomingMessage,
    response: ServerResponse,
    pathArg: string | undefined,
  ): Promise<void> {
    const answer = new Answer(response, serverName);
    const ending = new AbortController();
    this.#running.add(ending);
    response.on('close', () => {
      // After a whole answer nothing is left to end.
      if (!response.writableFinished) ending.abort(rpcError('ipfs-rpc/client-gone', 'the client has left'));
    });
    // A socket that breaks is told by `close`; its error has no other listener.
    response.on('error', () => {});
    let timer: NodeJS.Timeout | undefined;
    try {
      const url = request.url ?? '';
      const query = new Query(url.includes('?') ? url.slice(url.indexOf('?') + 1) : '', pathArg);
      checkArguments(command, request, query);
      timer = startTimeout(query, ending);
      await command.run({
        node: this.#node,
        query,
        answer,
        signal: ending.signal,
        parts: () => readParts(request),
      });
      await answer.end();
    } catch (error) {
      const reason: unknown = ending.signal.aborted ? ending.signal.reason : error;
      const isDeadline = reason instanceof Error && 'code' in reason && reason.code === 'ipfs-rpc/deadline';
      const text = errorMessage(reason);
      answer.fail(reason, isDeadline && !response.headersSent ? `${command.deadlinePrefix ?? ''}${text}` : text);
      this.#logger.debug('request failed', { command: command.path, error: text });
    } finally {
      clearTimeout(timer);
      this.#running.delete(ending);
    }
  }
}

function checkArguments(command: Command, request: IncomingMessage, query: Query): void {
  const missing = command.args?.[query.args.length];
  if (missing !== undefined) throw rpcError('ipfs-rpc/bad-request', `argument "${missing}" is required`);
  if (command.upload === undefined) return;
  const type = request.headers['content-type'];
  if (!/^multipart\/form-data/i.test(type ?? '')) {
    throw rpcError('ipfs-rpc/bad-request', `file argument '${command.upload}' is required`);
  }
  const refusal = uploadRefusal(type);
  if (refusal !== undefined) throw rpcError('ipfs-rpc/bad-request', refusal);
}

/** What the client still sends after an early answer is read and dropped, so that it gets to read the answer. */
async function* readParts(request: IncomingMessage): AsyncGenerator<UploadPart> {
  try {
    yield* readUpload(request);
  } catch (error) {
    if (!errorCode(error).startsWith('http/')) throw error;
    throw rpcError('ipfs-rpc/bad-upload', `cannot read the upload: ${errorMessage(error)}`, error);
  } finally {
    request.resume();
  }
}

function startTimeout(query: Query, ending: AbortController): NodeJS.Timeout | undefined {
  const text = query.text('timeout', '');
  if (text === '') return undefined;
  let timeoutMs: number;
  try {
    timeoutMs = parseGoDuration(text);
  } catch (error) {
    throw rpcError('ipfs-rpc/bad-request', `option "timeout": ${errorMessage(error)}`, error);
  }
  const end = (): void => ending.abort(rpcError('ipfs-rpc/deadline', 'context deadline exceeded'));
  return setTimeout(end, Math.min(Math.max(timeoutMs, 0), timerMax));
}
