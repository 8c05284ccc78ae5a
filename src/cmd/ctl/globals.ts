/**
 * Options in front of the command: which peer to talk to, how, and how to print.
 */
import { errorMessage, hexDecode, printable } from '../../base/index.ts';
import { type Client, type Credentials, createClient, failoverTransport, type Transport } from '../../client/index.ts';
import { formatTime } from '../../model/index.ts';
import { type CtlIo, type Encoding, LocalFailure, type OptionSpec, type OptionValues } from './command.ts';
import { type Endpoint, parseEndpoint } from './endpoint.ts';
import type { HintSituation } from './hint.ts';
import { libp2pTransport } from './libp2p-transport.ts';
import { type HttpEndpoint, nodeTransport } from './node-transport.ts';

const secretSizeBytes = 32;

const encodings = ['text', 'json', 'ndjson'] as const;

export const globalOptions: readonly OptionSpec[] = [
  {
    names: ['host', 'l'],
    kind: 'text',
    summary: 'Addresses of the API, tried in this order, with commas between',
    fallback: '/ip4/127.0.0.1/tcp/9094',
  },
  { names: ['secret'], kind: 'text', summary: 'Secret of the cluster in hex, for endpoints over libp2p' },
  { names: ['https', 's'], kind: 'boolean', summary: 'Talk TLS' },
  { names: ['no-check-certificate'], kind: 'boolean', summary: 'Accept any certificate; with --https' },
  {
    names: ['encoding', 'enc'],
    kind: 'text',
    summary: 'How to print results: text, json, or ndjson, which is a line per document',
    fallback: 'text',
    completion: encodings,
  },
  {
    names: ['timeout', 't'],
    kind: 'integer',
    summary: 'Seconds that a request may take; 0 is without limit',
    fallback: '0',
  },
  { names: ['debug', 'd'], kind: 'boolean', summary: 'Print requests and answers to stderr' },
  {
    names: ['basic-auth'],
    kind: 'text',
    summary: 'user[:password] for the API; turns on --https. Also read from CLUSTER_CREDENTIALS',
  },
  {
    names: ['token'],
    kind: 'text',
    summary: 'Token for the API, see "token issue"; turns on --https. Also read from CLUSTER_TOKEN',
  },
  { names: ['force-http', 'f'], kind: 'boolean', summary: 'No TLS even with credentials' },
  { names: ['help', 'h'], kind: 'boolean', summary: 'Print this help' },
  { names: ['version', 'v'], kind: 'boolean', summary: 'Print the version' },
];

/** Throws `LocalFailure`. */
export function encodingOf(options: OptionValues): Encoding {
  const encoding = options.text('encoding');
  const found = encodings.find((name) => name === encoding);
  if (found === undefined) throw new LocalFailure('', 'unsupported encoding');
  return found;
}

/** What the options say of the way to the API. */
export function situationOf(io: CtlIo, options: OptionValues): HintSituation {
  const hasCredentials = credentialsOf(io, options) !== undefined;
  return { host: options.text('host'), hasCredentials, isTls: isTlsWanted(options, hasCredentials) };
}

function isTlsWanted(options: OptionValues, hasCredentials: boolean): boolean {
  return options.flag('https') || (hasCredentials && !options.flag('force-http'));
}

/** A client, and its end: connections over libp2p would keep the program running. */
export interface Connected {
  readonly client: Client;
  close(): Promise<void>;
}

/** The client that the options ask for. Throws `LocalFailure`. */
export function connectionOf(io: CtlIo, options: OptionValues): Connected {
  const secret = readSecret(options.text('secret'));
  const closings: (() => Promise<void>)[] = [];
  const credentials = credentialsOf(io, options);
  const isTls = isTlsWanted(options, credentials !== undefined);
  const [first, ...others] = options
    .text('host')
    .split(',')
    .map((address) => address.trim())
    .map((address) => {
      const endpoint = endpointOf(address, isTls);
      if (endpoint.kind !== 'libp2p') return transportOf(io, options, endpoint);
      if (options.flag('https')) io.stderr('warning: --https is ignored over libp2p, which is encrypted by itself\n');
      const { transport, close } = libp2pTransport(endpoint, { secret: checkedSecret(secret) });
      closings.push(close);
      return transport;
    });
  if (first === undefined) throw new LocalFailure('parsing host multiaddress', 'empty multiaddr');
  const transport = failoverTransport([first, ...others]);
  const timeout = options.integer('timeout');
  const client = createClient({
    transport: options.flag('debug') ? traced(io, transport) : transport,
    ...(credentials === undefined ? {} : { credentials }),
    ...(timeout > 0 ? { timeoutMs: timeout * 1000 } : {}),
  });
  return {
    client,
    close: async () => {
      for (const close of closings) await close();
    },
  };
}

/** Bad hex is an error even where no secret is needed. */
function readSecret(secret: string): Uint8Array {
  try {
    return hexDecode(secret);
  } catch (error) {
    throw new LocalFailure('parsing secret', errorMessage(error));
  }
}

/** Without a secret the API has a libp2p host of its own. Source: go-libp2p `core/pnet`, whose words scripts match. */
function checkedSecret(secret: Uint8Array): Uint8Array | null {
  if (secret.length === 0) return null;
  if (secret.length === secretSizeBytes) return secret;
  throw new LocalFailure('creating API client', `length of ProtectorKey should be ${secretSizeBytes}`);
}

function credentialsOf(io: CtlIo, options: OptionValues): Credentials | undefined {
  // What the command line says counts before the environment.
  const { CLUSTER_TOKEN: tokenOutside = '', CLUSTER_CREDENTIALS: credentialsOutside = '' } = io.environment;
  const isSaid = options.text('basic-auth') !== '';
  const token = options.text('token') || (isSaid ? '' : tokenOutside);
  if (token !== '') return { token };
  const text = options.text('basic-auth') || credentialsOutside;
  const at = text.indexOf(':');
  const user = at < 0 ? text : text.slice(0, at);
  return user === '' ? undefined : { user, password: at < 0 ? '' : text.slice(at + 1) };
}

function transportOf(io: CtlIo, options: OptionValues, endpoint: HttpEndpoint): Transport {
  return nodeTransport(endpoint, {
    isCertificateChecked: !options.flag('no-check-certificate'),
    environment: io.environment,
  });
}

const addressHint =
  '--host takes /ip4/127.0.0.1/tcp/9094, /dns4/<name>/tcp/9094, /unix/<path>, name:9094, or the address of a peer with /p2p/<id>';

function endpointOf(address: string, isTls: boolean): Endpoint {
  try {
    return parseEndpoint(address, isTls);
  } catch (error) {
    const isAddress = error instanceof Error && 'code' in error && error.code === 'ctl/bad-endpoint';
    const doing = isAddress ? 'creating API client' : 'parsing host multiaddress';
    throw new LocalFailure(doing, errorMessage(error), 1, addressHint);
  }
}

/** As lines of the Go program's log begin, without its files. */
function logDebug(io: CtlIo, text: string): void {
  io.stderr(`${formatTime(io.now()).replace(/(\.\d{3})\d*Z$/, '$1Z')}\tDEBUG\tapiclient\t${printable(text)}\n`);
}

function traced(io: CtlIo, transport: Transport): Transport {
  return async (request) => {
    logDebug(io, `${request.method}: ${request.path}`);
    const response = await transport(request);
    logDebug(io, `status ${response.status}`);
    return response;
  };
}
