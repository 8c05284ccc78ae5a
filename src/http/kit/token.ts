/**
 * Tokens: JSON Web Tokens (RFC 7519) signed with the password of their user. Source: Go `api/common/api.go`
 * `generateSignedTokenString`, `verifyToken`; golang-jwt `RegisteredClaims.Valid`.
 *
 * Written out rather than taken from a library: one family of algorithms, no waiting on the way of every request, and the
 * passwords are what they are, which libraries refuse as too short for keys.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { type TokenClaims, tokenClaimsJson } from '../../model/index.ts';

/** Longer ones are not looked at; the headers of a request are shorter anyway. */
const tokenLengthMax = 8192;

const algorithms: Readonly<Record<string, string>> = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };

/** As the Go peer writes it, so that plain tokens are the same everywhere. */
const header = base64url('{"alg":"HS256","typ":"JWT"}');

/** The token with these claims. */
export function signToken(claims: TokenClaims, password: string): string {
  const signed = `${header}.${base64url(tokenClaimsJson.print(claims))}`;
  return `${signed}.${signatureOf(signed, 'sha256', keyOf(password, claims.scope))}`;
}

/** The claims of a token that counts at this time; `undefined` for any other. */
export function verifyToken(
  token: string,
  passwordOf: (user: string) => string | undefined,
  nowSeconds: number,
): TokenClaims | undefined {
  const [head = '', body = '', signature = '', ...more] = token.length > tokenLengthMax ? [] : token.split('.');
  const algorithm = readPart(head)?.alg;
  const claims = readPart(body);
  if (more.length > 0 || typeof algorithm !== 'string' || claims === undefined) return undefined;
  const hash = Object.hasOwn(algorithms, algorithm) ? algorithms[algorithm] : undefined;
  const { iss: issuer, scope = '', jti: id = '' } = claims;
  if (hash === undefined || typeof issuer !== 'string' || typeof id !== 'string') return undefined;
  // What a scope means that is not known here is not known either; it must not mean everything.
  if (scope !== '' && scope !== 'read') return undefined;
  const password = passwordOf(issuer);
  const expected = signatureOf(`${head}.${body}`, hash, keyOf(password ?? '', scope));
  // The text is compared, not its bytes: they have several spellings, and a token that is revoked is known by its text.
  if (!isEqual(signature, expected) || password === undefined) return undefined;
  const expires = secondsOf(claims.exp, Number.POSITIVE_INFINITY);
  const begins = Math.max(secondsOf(claims.nbf, 0), secondsOf(claims.iat, 0));
  if (!(nowSeconds < expires && nowSeconds >= begins)) return undefined;
  return { issuer, scope, id, expires: Number.isFinite(expires) ? expires : 0 };
}

/** What the list of revoked tokens knows it by. */
export function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Whether both are the same; the time it takes tells nothing but the length of what was given. */
export function isEqual(given: string, expected: string): boolean {
  return timingSafeEqual(createHash('sha256').update(given).digest(), createHash('sha256').update(expected).digest());
}

/** Go peers do not know of scopes, and would take a token that may only read for a full one: they are signed otherwise. */
function keyOf(password: string, scope: string): string | Buffer {
  return scope === '' ? password : createHmac('sha256', password).update(`ipfs-cluster token scope ${scope}`).digest();
}

function signatureOf(signed: string, hash: string, key: string | Buffer): string {
  return createHmac(hash, key).update(signed).digest('base64url');
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url');
}

function readPart(part: string): Readonly<Record<string, unknown>> | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    // Proof: an object has some value, or none, under each name.
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    // No token of ours.
    return undefined;
  }
}

/** Whole seconds; NaN, which no comparison holds for, when it is no number. */
function secondsOf(value: unknown, absent: number): number {
  if (value === undefined || value === null) return absent;
  return typeof value === 'number' ? Math.trunc(value) : Number.NaN;
}
