/**
 * Keeps web pages away: a browser that a stranger's page commands may reach loopback, so requests that carry a browser's
 * marks are refused unless they come from a page of this very server (go-ipfs-cmds `http/handler.go` `allowOrigin`,
 * `allowReferer`, `allowUserAgent`).
 */
import type { IncomingHttpHeaders } from 'node:http';

/** Whether to serve; `port` is the one the server listens on. */
export function isOriginAllowed(headers: IncomingHttpHeaders, port: number | undefined): boolean {
  const { origin, referer } = headers;
  if (origin !== undefined) return isOwnPage(origin, port);
  if (referer !== undefined) return isOwnPage(referer, port);
  // A page's simple POST always has one of the two; a browser without either hides where it comes from.
  return !/^Mozilla/.test(headers['user-agent'] ?? '');
}

function isOwnPage(url: string, port: number | undefined): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname, port: from } = new URL(url);
  const isLoopback = hostname === '127.0.0.1' || hostname === 'localhost' || hostname === '[::1]';
  return protocol === 'http:' && isLoopback && Number(from === '' ? 80 : from) === port;
}
