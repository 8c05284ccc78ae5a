/**
 * Options in front of the command: which peer to talk to, how, and how to print.
 */
import { errorMessage, hexDecode } from '../../base/index.ts';
import { type Client, createClient, failoverTransport, type Transport } from '../../client/index.ts';
import { type CtlIo, LocalFailure, type OptionSpec, type OptionValues } from './command.ts';
import { parseEndpoint } from './endpoint.ts';
import { nodeTransport } from './node-transport.ts';
import type { Encoding } from './print.ts';

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
  { names: ['encoding', 'enc'], kind: 'text', summary: 'How to print results, text or json', fallback: 'text' },
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
  { names: ['force-http', 'f'], kind: 'boolean', summary: 'No TLS even with credentials' },
  { names: ['help', 'h'], kind: 'boolean', summary: 'Print this help' },
  { names: ['version', 'v'], kind: 'boolean', summary: 'Print the version' },
];

/** Throws `LocalFailure`. */
export function encodingOf(options: OptionValues): Encoding {
  const encoding = options.text('encoding');
  if (encoding !== 'text' && encoding !== 'json') throw new LocalFailure('', 'unsupported encoding');
  return encoding;
}

/** The client that the options ask for. Throws `LocalFailure`. */
export function clientOf(io: CtlIo, options: OptionValues): Client {
  checkSecret(options.text('secret'));
  const credentials = credentialsOf(options.text('basic-auth') || (io.environment.CLUSTER_CREDENTIALS ?? ''));
  const isTls = options.flag('https') || (credentials !== undefined && !options.flag('force-http'));
  const [first, ...others] = options
    .text('host')
    .split(',')
    .map((address) => transportOf(io, options, address, isTls));
  if (first === undefined) throw new LocalFailure('parsing host multiaddress', 'empty multiaddr');
  const transport = failoverTransport([first, ...others]);
  const timeout = options.integer('timeout');
  return createClient({
    transport: options.flag('debug') ? traced(io, transport) : transport,
    ...(credentials === undefined ? {} : { credentials }),
    ...(timeout > 0 ? { timeoutMs: timeout * 1000 } : {}),
  });
}

/** Bad hex is an error even where no secret is needed. */
function checkSecret(secret: string): void {
  try {
    hexDecode(secret);
  } catch (error) {
    throw new LocalFailure('parsing secret', errorMessage(error));
  }
}

function credentialsOf(text: string): { readonly user: string; readonly password: string } | undefined {
  const at = text.indexOf(':');
  const user = at < 0 ? text : text.slice(0, at);
  return user === '' ? undefined : { user, password: at < 0 ? '' : text.slice(at + 1) };
}

function transportOf(io: CtlIo, options: OptionValues, address: string, isTls: boolean): Transport {
  try {
    const endpoint = parseEndpoint(address, isTls);
    return nodeTransport(endpoint, {
      isCertificateChecked: !options.flag('no-check-certificate'),
      environment: io.environment,
    });
  } catch (error) {
    const isAddress = error instanceof Error && 'code' in error && error.code === 'ctl/bad-endpoint';
    throw new LocalFailure(isAddress ? 'creating API client' : 'parsing host multiaddress', errorMessage(error));
  }
}

function traced(io: CtlIo, transport: Transport): Transport {
  return async (request) => {
    io.stderr(`DEBUG ${request.method} ${request.path}\n`);
    const response = await transport(request);
    io.stderr(`DEBUG status ${response.status}\n`);
    return response;
  };
}
