/** The HTTP API of the peer whose folder this is, as its configuration describes it. */
import { readFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { resolve } from 'node:path';
import {
  type Client,
  createClient,
  failoverTransport,
  type Transport,
  type TransportRequest,
  unreachable,
} from '../../../client/index.ts';
import { parseSocketAddress, type SocketAddress } from '../../../http/kit/index.ts';
import type { HttpApiConfig } from '../../../model/config/index.ts';

/** A client of the peer itself, with the first of the credentials that it accepts. */
export async function ownApi(config: HttpApiConfig, folder: string): Promise<Client> {
  const certificate = config.sslCertFile === '' ? undefined : await readFile(resolve(folder, config.sslCertFile));
  const [first, ...others] = config.httpListenMultiaddress.map((address) =>
    socketTransport(connectable(parseSocketAddress(address)), certificate),
  );
  if (first === undefined) throw new Error('api.restapi.http_listen_multiaddress: found nothing, expected an address');
  const [user] = Object.entries(config.basicAuthCredentials ?? config.readOnlyCredentials ?? {});
  return createClient({
    transport: failoverTransport([first, ...others]),
    ...(user === undefined ? {} : { credentials: { user: user[0], password: user[1] } }),
  });
}

/** What listens everywhere is reached on loopback. */
function connectable(address: SocketAddress): SocketAddress {
  if ('path' in address) return address;
  const host = address.host === '0.0.0.0' ? '127.0.0.1' : address.host === '::' ? '::1' : address.host;
  return { ...address, host };
}

/** Sees the trailers, which tell whether a list is whole. */
function socketTransport(address: SocketAddress, certificate: Uint8Array | undefined): Transport {
  const where = 'path' in address ? { socketPath: address.path } : address;
  const base = 'path' in address ? address.path : `${address.host}:${address.port}`;
  return async (request) => {
    try {
      const response = await send(request, where, certificate);
      return { status: response.statusCode ?? 0, body: response, streamErrors: () => streamErrors(response) };
    } catch (error) {
      throw unreachable(
        request.method,
        `${certificate === undefined ? 'http' : 'https'}://${base}${request.path}`,
        error,
      );
    }
  };
}

function send(
  { method, path, headers, body, signal }: TransportRequest,
  where: object,
  certificate: Uint8Array | undefined,
): Promise<IncomingMessage> {
  const options = { ...where, method, path, headers, ...(signal === undefined ? {} : { signal }) };
  // Whatever names it is for, and whoever has signed it: the very certificate of the folder is expected.
  const tls = {
    ca: certificate && Buffer.from(certificate),
    allowPartialTrustChain: true,
    checkServerIdentity: () => undefined,
  };
  return new Promise((done, reject) => {
    const outgoing = certificate === undefined ? httpRequest(options) : httpsRequest({ ...options, ...tls });
    outgoing.once('response', done);
    outgoing.once('error', reject);
    // Nothing is uploaded through this.
    outgoing.end(typeof body === 'string' ? body : undefined);
  });
}

function streamErrors({ trailers }: IncomingMessage): string[] {
  const error = trailers['x-stream-error'];
  return error === undefined ? [] : [error].flat();
}
