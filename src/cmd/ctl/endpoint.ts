/**
 * Where `--host` points to.
 */
import { errorMessage, OperatingError } from '../../base/index.ts';
import { type Multiaddr, parseMultiaddr, peerIdOfMultiaddr } from '../../model/index.ts';

export type Endpoint =
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      readonly isTls: boolean;
      /** Of the addresses that a name has, which count: all with 0. */
      readonly family: 0 | 4 | 6;
    }
  | { readonly kind: 'unix'; readonly path: string }
  /** Of a peer, with its id at the end; or `/dnsaddr/<name>`, which stands for such. */
  | { readonly kind: 'libp2p'; readonly address: Multiaddr };

/**
 * The endpoint of one address: a multiaddress, a URL without a path, or `host:port` as in 2017.
 * Throws `ctl/bad-host` for what is no address, `ctl/bad-endpoint` for one that HTTP cannot use.
 */
export function parseEndpoint(text: string, isTls: boolean): Endpoint {
  const short = /^(https?:\/\/)?([A-Za-z0-9.-]+):([0-9]{1,5})\/?$/.exec(text);
  if (short !== null) return tcp(short[2] ?? '', short[3] ?? '', 0, isTls || short[1] === 'https://');
  // A path has slashes, which the multiaddress library wants escaped.
  if (text.startsWith('/unix/')) return { kind: 'unix', path: decodePath(text.slice('/unix'.length)) };
  let address: string;
  try {
    address = parseMultiaddr(text);
  } catch (error) {
    throw new OperatingError('ctl/bad-host', errorMessage(error), { cause: error });
  }
  const parts = address.split('/').slice(1);
  if (parts[0] === 'p2p') throw new OperatingError('ctl/bad-endpoint', 'APIAddr only includes a Peer ID');
  if (parts.includes('p2p') || parts[0] === 'dnsaddr') {
    if (peerIdOfMultiaddr(address) !== undefined || parts[0] === 'dnsaddr') return { kind: 'libp2p', address };
    throw new OperatingError('ctl/bad-endpoint', `expected the id of the peer behind it, /p2p/<id>, found "${text}"`);
  }
  const [kind = '', host = '', protocol = '', port = ''] = parts;
  if (!['ip4', 'ip6', 'dns', 'dns4', 'dns6'].includes(kind) || protocol !== 'tcp') {
    throw new OperatingError(
      'ctl/bad-endpoint',
      `expected /ip4|ip6|dns4|dns6/<host>/tcp/<port> or /unix/<path>, found "${text}"`,
    );
  }
  const family = kind.endsWith('4') ? 4 : kind.endsWith('6') ? 6 : 0;
  return tcp(host, port, family, isTls || parts.includes('https') || parts.includes('tls'));
}

function tcp(host: string, port: string, family: 0 | 4 | 6, isTls: boolean): Endpoint {
  return { kind: 'tcp', host, port: Number(port), isTls, family };
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path).replace(/^\/+/, '/');
  } catch {
    // A percent sign of the path itself.
    return path;
  }
}
