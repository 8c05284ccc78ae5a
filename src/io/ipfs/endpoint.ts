/** Where the Kubo RPC is: from the multiaddr of the configuration to what an HTTP client needs. */
import type { Multiaddr } from '../../model/index.ts';
import { ipfsFailure } from './errors.ts';

export interface Endpoint {
  /** `http://<host>:<port>`, for the client and for messages. */
  readonly origin: string;
  /** Path of the unix socket, when it is one. */
  readonly socketPath?: string;
}

/**
 * Reads `/ip4/…/tcp/…`, `/ip6/…/tcp/…`, `/dns/…/tcp/…` (and dns4, dns6) and `/unix/<path>`.
 * **Errors**: `ipfs/bad-address`.
 */
export function endpointOf(address: Multiaddr): Endpoint {
  const [, protocol, host, transport, port] = address.split('/');
  if (protocol === 'unix' && host !== undefined && host !== '') {
    return { origin: 'http://unix', socketPath: address.slice('/unix'.length) };
  }
  const isHost = protocol !== undefined && ['ip4', 'ip6', 'dns', 'dns4', 'dns6'].includes(protocol);
  if (!isHost || host === undefined || host === '' || transport !== 'tcp' || !/^[0-9]{1,5}$/.test(port ?? '')) {
    throw ipfsFailure(
      'ipfs/bad-address',
      `Cannot use "${address}" as the address of the IPFS node: ` +
        'expected /ip4/<address>/tcp/<port>, /ip6/…, /dns/<name>/tcp/<port> or /unix/<path>',
    );
  }
  return { origin: `http://${protocol === 'ip6' ? `[${host}]` : host}:${port}` };
}
