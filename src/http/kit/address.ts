/**
 * Multiaddrs that an HTTP server can listen on or be reached at: TCP over IP or DNS names, and unix sockets.
 */
import { HttpError } from './errors.ts';

/** Where a socket listens or connects to. Port 0 asks the system for a free one. */
export type SocketAddress = { readonly host: string; readonly port: number } | { readonly path: string };

const ipPattern = /^\/(ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/(\d{1,5})(?:\/https?)?$/;

/** Reads `/ip4/…/tcp/…`, `/ip6/…`, `/dns…/…` and `/unix/<path>`. Throws `http/bad-address`. */
export function parseSocketAddress(address: string): SocketAddress {
  if (address.startsWith('/unix/')) return { path: address.slice('/unix'.length) };
  const match = ipPattern.exec(address);
  const port = Number(match?.[3]);
  if (match?.[2] === undefined || port > 65535) {
    throw new HttpError(
      'http/bad-address',
      `Cannot use address "${address}": expected /ip4/<address>/tcp/<port>, /ip6/…, /dns…/… or /unix/<path>`,
    );
  }
  return { host: match[2], port };
}

/** The inverse of `parseSocketAddress` for an address that is listened on. */
export function formatSocketAddress(address: SocketAddress): string {
  if ('path' in address) return `/unix${address.path}`;
  return `/${address.host.includes(':') ? 'ip6' : 'ip4'}/${address.host}/tcp/${address.port}`;
}
