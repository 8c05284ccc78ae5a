/**
 * Headers that answers of the proxy itself borrow from the node, so that web clients see one server: its cross-origin
 * answers for the client's origin, and the configured rest. Both are remembered, since each costs a request.
 * Source: Go `api/ipfsproxy/headers.go`.
 */
import type { IncomingMessage } from 'node:http';
import { errorMessage, type Logger, version } from '../../base/index.ts';
import type { IpfsProxyConfig } from '../../model/config/index.ts';
import type { Upstream, UpstreamAnswer } from './upstream.ts';

/** Taken from an OPTIONS request for the client's origin. */
const corsHeaders = ['Access-Control-Allow-Origin', 'Vary', 'Access-Control-Allow-Credentials'];
/** Taken from the answer of `extractHeadersPath`, with the configured ones. */
const plainHeaders = ['Access-Control-Expose-Headers'];

/** A node that does not answer must not hold up what needs no node. */
const askTimeoutMs = 2_000;
/** After a failure the node is left alone for a moment. */
const failureTtlMs = 1_000;
/** Origins remembered; beyond that the oldest is forgotten. */
const originsMax = 256;

type Headers = Readonly<Record<string, string>>;

interface Remembered {
  readonly until: number;
  readonly headers: Promise<Headers>;
}

export interface NodeHeadersDeps {
  readonly upstream: Upstream;
  readonly log: Logger;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}

export class NodeHeaders {
  readonly #config: IpfsProxyConfig;
  readonly #deps: NodeHeadersDeps;
  readonly #remembered = new Map<string, Remembered>();

  constructor(config: IpfsProxyConfig, deps: NodeHeadersDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  /** All headers of an answer of our own. Never rejects: what the node does not tell is left out. */
  async of(request: IncomingMessage): Promise<Record<string, string>> {
    const [cors, plain] = await Promise.all([this.#cors(request), this.#plain()]);
    return {
      ...plain,
      ...cors,
      'Content-Type': 'application/json',
      Server: `ipfs-cluster/ipfsproxy/${version}`,
    };
  }

  #cors(request: IncomingMessage): Promise<Headers> {
    const origin = request.headers.origin ?? '';
    const method = oneValue(request.headers['access-control-request-method']);
    const headers = ['Origin', origin, 'Access-Control-Request-Method', method];
    return this.#recall(`${origin} ${method}`, corsHeaders, {
      method: 'OPTIONS',
      path: '/api/v0/version',
      headers: headers.filter((_text, i) => headers[i | 1] !== ''),
    });
  }

  #plain(): Promise<Headers> {
    return this.#recall('', [...plainHeaders, ...this.#config.extractHeadersExtra], {
      method: 'POST',
      path: this.#config.extractHeadersPath,
      headers: [],
    });
  }

  #recall(
    key: string,
    names: readonly string[],
    request: { readonly method: string; readonly path: string; readonly headers: readonly string[] },
  ): Promise<Headers> {
    const now = this.#deps.now();
    const known = this.#remembered.get(key);
    if (known !== undefined && now < known.until) return known.headers;
    const ttlMs = this.#config.extractHeadersTtlMs;
    const headers = this.#ask(names, request).catch((error: unknown): Headers => {
      this.#deps.log.debug('headers of the IPFS node not available', { error: errorMessage(error) });
      this.#remembered.set(key, { until: this.#deps.now() + failureTtlMs, headers: Promise.resolve({}) });
      return {};
    });
    this.#remembered.delete(key);
    this.#remembered.set(key, { until: ttlMs === 0 ? Number.POSITIVE_INFINITY : now + ttlMs, headers });
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > originsMax && oldest !== undefined) this.#remembered.delete(oldest);
    return headers;
  }

  async #ask(
    names: readonly string[],
    request: { readonly method: string; readonly path: string; readonly headers: readonly string[] },
  ): Promise<Headers> {
    const answer = await this.#deps.upstream.send({
      ...request,
      body: null,
      signal: AbortSignal.timeout(askTimeoutMs),
    });
    await answer.body.dump();
    return picked(answer, names);
  }
}

function picked(answer: UpstreamAnswer, names: readonly string[]): Headers {
  const found: Record<string, string> = {};
  for (const wanted of names) {
    const values = answer.headers.filter(
      (_value, i, all) => i % 2 === 1 && all[i - 1]?.toLowerCase() === wanted.toLowerCase(),
    );
    if (values.length > 0) found[wanted] = values.join(', ');
  }
  return found;
}

function oneValue(header: string | string[] | undefined): string {
  return (Array.isArray(header) ? header[0] : header) ?? '';
}
