/**
 * Cross-origin rules with the answers of the reference (rs/cors, as set up in Go `api/common/api.go`).
 */
export interface CorsOptions {
  /** Exact origins, or with one `*` each as a wildcard; `*` alone allows all. */
  readonly allowedOrigins: readonly string[];
  readonly allowedMethods: readonly string[];
  /** Empty means accept, content-type, x-requested-with. */
  readonly allowedHeaders: readonly string[];
  readonly exposedHeaders: readonly string[];
  readonly allowCredentials: boolean;
  /** Seconds that a browser may keep a preflight answer; 0 sends no header. */
  readonly maxAgeSeconds: number;
}

/** What the rules look at. */
export interface CorsRequest {
  readonly method: string;
  readonly origin: string | undefined;
  readonly requestMethod: string | undefined;
  readonly requestHeaders: string | undefined;
}

/** What the rules add to the answer. */
export interface CorsAnswer {
  /** The request is a preflight, answered with 204 and these headers and nothing else. */
  readonly isPreflight: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

const defaultAllowedHeaders = ['accept', 'content-type', 'x-requested-with'];

/** The headers that a request gets, whatever its route answers. */
export function corsAnswer(options: CorsOptions, request: CorsRequest): CorsAnswer {
  const isPreflight = request.method === 'OPTIONS' && request.requestMethod !== undefined;
  const allowed = request.origin !== undefined && isOriginAllowed(options, request.origin);
  return isPreflight
    ? { isPreflight, headers: preflightHeaders(options, request, allowed) }
    : { isPreflight, headers: simpleHeaders(options, request, allowed) };
}

function preflightHeaders(options: CorsOptions, request: CorsRequest, originAllowed: boolean): Record<string, string> {
  const headers: Record<string, string> = {
    Vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
  };
  const method = request.requestMethod ?? '';
  if (!originAllowed || !isMethodAllowed(options, method) || !areHeadersAllowed(options, request.requestHeaders))
    return headers;
  headers['Access-Control-Allow-Origin'] = allowOrigin(options, request);
  headers['Access-Control-Allow-Methods'] = method;
  if (request.requestHeaders) headers['Access-Control-Allow-Headers'] = request.requestHeaders;
  if (options.allowCredentials) headers['Access-Control-Allow-Credentials'] = 'true';
  if (options.maxAgeSeconds > 0) headers['Access-Control-Max-Age'] = String(options.maxAgeSeconds);
  return headers;
}

function simpleHeaders(options: CorsOptions, request: CorsRequest, originAllowed: boolean): Record<string, string> {
  const headers: Record<string, string> = { Vary: 'Origin' };
  if (!originAllowed || !isMethodAllowed(options, request.method)) return headers;
  headers['Access-Control-Allow-Origin'] = allowOrigin(options, request);
  if (options.exposedHeaders.length > 0) headers['Access-Control-Expose-Headers'] = options.exposedHeaders.join(', ');
  if (options.allowCredentials) headers['Access-Control-Allow-Credentials'] = 'true';
  return headers;
}

function allowOrigin(options: CorsOptions, request: CorsRequest): string {
  return options.allowedOrigins.includes('*') ? '*' : (request.origin ?? '');
}

function isMethodAllowed(options: CorsOptions, method: string): boolean {
  return method === 'OPTIONS' || options.allowedMethods.some((allowed) => allowed.toUpperCase() === method);
}

function isOriginAllowed(options: CorsOptions, origin: string): boolean {
  const asked = origin.toLowerCase();
  return options.allowedOrigins.some((allowed) => {
    const pattern = allowed.toLowerCase();
    const star = pattern.indexOf('*');
    if (star < 0) return pattern === asked;
    const prefix = pattern.slice(0, star);
    const suffix = pattern.slice(star + 1);
    return asked.length >= prefix.length + suffix.length && asked.startsWith(prefix) && asked.endsWith(suffix);
  });
}

/** Browsers send the names in lower case, sorted and unique (Fetch standard); anything else is refused. */
function areHeadersAllowed(options: CorsOptions, asked: string | undefined): boolean {
  if (!asked) return true;
  const configured = options.allowedHeaders.length === 0 ? defaultAllowedHeaders : options.allowedHeaders;
  const allowed = configured.map((name) => name.toLowerCase());
  const names = asked.split(',').map((name) => name.trim());
  const sorted = names.every((name, i) => i === 0 || (names[i - 1] ?? '') < name);
  return sorted && (allowed.includes('*') || names.every((name) => allowed.includes(name)));
}
