/**
 * The request target as the reference routes it: on the decoded path, one way to write each path.
 * Source: gorilla/mux `Router` with `StrictSlash`-like redirects in Go `api/common/api.go`.
 */

export interface RequestTarget {
  /** Percent-decoded; starts with `/`. */
  readonly path: string;
  /** Without `?`; empty when there is none. */
  readonly query: string;
}

/** Splits and decodes; `undefined` when an escape is malformed. The host of an absolute target is ignored. */
export function parseTarget(url: string): RequestTarget | undefined {
  const relative = url.startsWith('/') ? url : url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i, '');
  const queryStart = relative.indexOf('?');
  const rawPath = queryStart < 0 ? relative : relative.slice(0, queryStart);
  const query = queryStart < 0 ? '' : relative.slice(queryStart + 1);
  const path = rawPath === '' ? '/' : rawPath;
  if (!path.includes('%')) return { path, query };
  try {
    return { path: decodeURIComponent(path), query };
  } catch {
    return undefined;
  }
}

export interface Redirect {
  readonly status: 301 | 307;
  readonly location: string;
}

/** A path that ends in `/` loses one slash (307); one with empty or dot segments is cleaned (301). */
export function redirectOf(target: RequestTarget): Redirect | undefined {
  const { path } = target;
  if (path.endsWith('/')) {
    return { status: 307, location: withQuery(path === '/' ? '/' : path.slice(0, -1), target.query) };
  }
  if (!/\/(?:\/|\.{1,2}(?:\/|$))/.test(path)) return undefined;
  return { status: 301, location: withQuery(cleanPath(path), target.query) };
}

function withQuery(path: string, query: string): string {
  // Two slashes at the start would name a host.
  const escaped = encodePath(path).replace(/^\/{2,}/, '/');
  return query === '' ? escaped : `${escaped}?${query}`;
}

/** Escapes what a path segment may not hold, so that decoding gives the path back. */
function encodePath(path: string): string {
  return path.split('/').map(encodeSegment).join('/');
}

function encodeSegment(segment: string): string {
  return /^[A-Za-z0-9._~!$&'()*+,;=:@-]*$/.test(segment)
    ? segment
    : encodeURIComponent(segment).replace(/%(3A|40|24|2C|2B|26|3D|3B)/g, (escaped) => decodeURIComponent(escaped));
}

/** Resolves empty, `.` and `..` segments (RFC 3986 §5.2.4, never above the root). */
function cleanPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') segments.pop();
    else segments.push(segment);
  }
  return `/${segments.join('/')}`;
}
