/**
 * Which command a request target names, whatever its spelling. A node reads a target in its own way (it decodes, cleans or
 * redirects it), so what counts is the cleaned form of the path: no spelling of a command that the proxy answers leads past it.
 */

/** A request target, read. */
export interface Target {
  /** As it goes to the node: the absolute form is cut down to its path. Undefined: no path at all. */
  readonly path: string | undefined;
  /** Below `/api/v0`, decoded and cleaned; undefined when it is elsewhere. */
  readonly command: readonly string[] | undefined;
  /** What follows the `?`. */
  readonly search: string;
}

/** Reads what stands between the method and the version of a request line (RFC 9112, 3.2). */
export function parseTarget(target: string): Target {
  const path = originForm(target);
  const at = path.indexOf('?');
  const search = at < 0 ? '' : path.slice(at + 1);
  if (!path.startsWith('/')) return { path: undefined, command: undefined, search };
  return { path, command: commandOf(at < 0 ? path : path.slice(0, at)), search };
}

/** Absolute form (`http://host/path`), which servers take as well as the path alone. */
function originForm(target: string): string {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i.exec(target)?.[0];
  if (authority === undefined) return target;
  const rest = target.slice(authority.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function commandOf(path: string): string[] | undefined {
  const segments = cleaned(decoded(path));
  return segments[0] === 'api' && segments[1] === 'v0' ? segments.slice(2) : undefined;
}

/** Go's `path.Clean` as segments. */
function cleaned(path: string): string[] {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return segments;
}

/** Decoded once, as nodes do. What is no encoding stands for itself: a node that takes it at all reads it so. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // Bytes that are no UTF-8, or a lone `%`: each sequence for itself.
    return path.replace(/%([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
}
