/**
 * The client's transport over Node's HTTP: TCP, TLS and unix sockets, with trailers, proxies from the environment, and
 * failures worded as the Go client words them.
 */
import { lookup as systemLookup } from 'node:dns';
import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { LookupFunction } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errorCode, errorMessage, OperatingError } from '../../base/index.ts';
import { type Transport, type TransportRequest, type TransportResponse, unreachable } from '../../client/index.ts';
import type { Endpoint } from './endpoint.ts';

/** What Node's HTTP reaches by itself. */
export type HttpEndpoint = Exclude<Endpoint, { readonly kind: 'libp2p' }>;

export interface NodeTransportOptions {
  /** Check the server's certificate. Default true. */
  readonly isCertificateChecked?: boolean;
  /** Where `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` are looked up. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Finds the addresses of a name. Default: as the system does. */
  readonly lookup?: typeof systemLookup;
}

/** A transport to one endpoint. Connections are kept for the next request and do not keep the process alive. */
export function nodeTransport(endpoint: HttpEndpoint, options: NodeTransportOptions = {}): Transport {
  let door = openDoor(endpoint, options);
  let isSystemTrusted = false;
  const base = baseUrl(endpoint);
  const send = async (request: TransportRequest): Promise<TransportResponse> =>
    exchange(open(endpoint, await door, request, options.lookup ?? systemLookup), request);
  /** Nothing of a request is sent to a server whose certificate is not trusted, so it can be sent again. */
  const sendTrusting = async (request: TransportRequest): Promise<TransportResponse> => {
    try {
      return await send(request);
    } catch (error) {
      if (isSystemTrusted || !untrustedCodes.has(errorCode(error))) throw error;
      isSystemTrusted = true;
      // Go trusts what the system trusts, Node what it brings along. Reading them takes a tenth of a second.
      const { getCACertificates } = await import('node:tls');
      door = openDoor(endpoint, options, [...getCACertificates('default'), ...getCACertificates('system')]);
      return await send(request);
    }
  };
  return async (request) => {
    const url = base + request.path;
    try {
      return await sendTrusting(request);
    } catch (error) {
      throw unreachable(request.method, url, inGoWords(error, endpoint, request.signal));
    }
  };
}

function baseUrl(endpoint: HttpEndpoint): string {
  if (endpoint.kind === 'unix') return 'http://restapi';
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return `${endpoint.isTls ? 'https' : 'http'}://${host}:${endpoint.port}`;
}

/** What requests go through: connections that are kept, and how one begins. */
interface Door {
  readonly agent: Agent;
  readonly request: typeof httpRequest;
}

/** `ca`: the certificates that are trusted instead of Node's, PEM. Everything of TLS is loaded only where there is some. */
async function openDoor(endpoint: HttpEndpoint, options: NodeTransportOptions, ca?: string[]): Promise<Door> {
  const proxyEnv =
    endpoint.kind === 'tcp' && !isLoopback(endpoint.host) && options.environment !== undefined
      ? { proxyEnv: options.environment }
      : {};
  if (endpoint.kind === 'unix' || !endpoint.isTls) {
    return { agent: new Agent({ keepAlive: true, ...proxyEnv }), request: httpRequest };
  }
  const { Agent: TlsAgent, request } = await import('node:https');
  const checking = { rejectUnauthorized: options.isCertificateChecked !== false, ...(ca === undefined ? {} : { ca }) };
  return { agent: new TlsAgent({ keepAlive: true, ...checking, ...proxyEnv }), request };
}

/** Never through a proxy, as in Go. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.[0-9.]+$/.test(host);
}

function open(
  endpoint: HttpEndpoint,
  door: Door,
  { method, path, headers, signal }: TransportRequest,
  lookup: typeof systemLookup,
): ClientRequest {
  const where =
    endpoint.kind === 'unix'
      ? { socketPath: endpoint.path }
      : { host: endpoint.host, port: endpoint.port, lookup: lookupOf(endpoint.family, lookup), autoSelectFamily: true };
  return door.request({
    ...where,
    agent: door.agent,
    method,
    path,
    headers,
    ...(signal === undefined ? {} : { signal }),
  });
}

/** All addresses of the family: connecting tries one after the other, which it does for 0 only when it is told the family itself. */
function lookupOf(family: 0 | 4 | 6, lookup: typeof systemLookup): LookupFunction {
  return (host, options, found) => lookup(host, { ...options, family }, found);
}

/** Sends the body; resolves when the head of the answer is there. Rejects with what Node says. */
export function exchange(outgoing: ClientRequest, { body, signal }: TransportRequest): Promise<TransportResponse> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', (response: IncomingMessage) =>
      resolve({
        status: response.statusCode ?? 0,
        body: readBody(response, signal),
        streamErrors: () => streamErrors(response.rawTrailers),
      }),
    );
    // An answer that comes before all is sent ends the sending, which is no failure.
    outgoing.on('error', reject);
    if (body === undefined || typeof body === 'string') outgoing.end(body);
    else pipeline(Readable.from(body.stream()), outgoing).catch(reject);
  });
}

/** What breaks off is told in Go's words. */
async function* readBody(response: IncomingMessage, signal: AbortSignal | undefined): AsyncIterable<Uint8Array> {
  try {
    yield* response;
  } catch (error) {
    const broken = errorCode(error) === 'ECONNRESET' ? 'unexpected EOF' : errorMessage(error);
    const text = signal?.aborted === true ? abortText(signal, 'or context cancellation while reading body') : broken;
    throw new OperatingError('ctl/transport', text, { cause: error });
  }
}

function streamErrors(rawTrailers: readonly string[]): string[] {
  const errors: string[] = [];
  for (let i = 0; i + 1 < rawTrailers.length; i += 2) {
    if (rawTrailers[i]?.toLowerCase() === 'x-stream-error') errors.push(rawTrailers[i + 1] ?? '');
  }
  return errors;
}

/** Why an exchange was given up, in Go's words. */
export function abortText(signal: AbortSignal, where: string = 'exceeded while awaiting headers'): string {
  const isTimeout = signal.reason instanceof Error && signal.reason.name === 'TimeoutError';
  return isTimeout ? `context deadline exceeded (Client.Timeout ${where})` : 'context canceled';
}

/** Scripts match these texts. */
function inGoWords(error: unknown, endpoint: HttpEndpoint, signal: AbortSignal | undefined): OperatingError {
  return new OperatingError('ctl/transport', goText(error, endpoint, signal), { cause: error });
}

function goText(error: unknown, endpoint: HttpEndpoint, signal: AbortSignal | undefined): string {
  if (signal?.aborted === true) return abortText(signal);
  const code = errorCode(error);
  const dial = endpoint.kind === 'unix' ? `dial unix ${endpoint.path}` : `dial tcp ${endpoint.host}:${endpoint.port}`;
  if (code === 'ECONNREFUSED') return `${dial}: connect: connection refused`;
  if (code === 'ENOENT') return `${dial}: connect: no such file or directory`;
  if (code === 'EACCES') return `${dial}: connect: permission denied`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `${dial}: lookup failed: no such host`;
  if (code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER') {
    return 'http: server gave HTTP response to HTTPS client';
  }
  if (code.startsWith('HPE_'))
    return `malformed HTTP response: found something else than an HTTP API at ${dial.slice('dial '.length)}`;
  const problem = untrustedCodes.has(code) ? 'certificate signed by unknown authority' : certificateProblems.get(code);
  if (problem !== undefined) return `tls: failed to verify certificate: x509: ${problem}`;
  return errorMessage(error);
}

/** Source: Go `crypto/x509` `CertificateInvalidError`, `HostnameError`. */
const certificateProblems: ReadonlyMap<string, string> = new Map([
  ['CERT_HAS_EXPIRED', 'certificate has expired or is not yet valid'],
  ['CERT_NOT_YET_VALID', 'certificate has expired or is not yet valid'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'certificate is not valid for the name or address in --host'],
]);

const untrustedCodes: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
