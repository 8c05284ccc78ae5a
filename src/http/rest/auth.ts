/**
 * HTTP basic authentication. Source: Go `api/common/api.go` `authHandler`; RFC 7617.
 */
import { createHash, timingSafeEqual } from 'node:crypto';

export type Credentials = Readonly<Record<string, string>>;

export type AuthResult =
  | { readonly isAllowed: true }
  | { readonly isAllowed: false; readonly message: string; readonly challenges: readonly string[] };

const realm = 'realm="Restricted IPFS Cluster API"';
const allowed: AuthResult = { isAllowed: true };

/** Decides on the `Authorization` header. The time it takes does not tell how much of a password was right. */
export function checkBasicAuth(credentials: Credentials, header: string | undefined): AuthResult {
  const match = /^basic +([A-Za-z0-9+/=_-]*)$/i.exec(header ?? '');
  const decoded = match?.[1] === undefined ? undefined : Buffer.from(match[1], 'base64').toString('utf8');
  const colon = decoded?.indexOf(':') ?? -1;
  if (decoded === undefined || colon < 0) {
    return {
      isAllowed: false,
      message: 'unauthorized: no auth provided',
      challenges: [`Bearer ${realm}`, `Basic ${realm}`],
    };
  }
  const user = decoded.slice(0, colon);
  const known = Object.hasOwn(credentials, user);
  const matches = isEqual(decoded.slice(colon + 1), known ? (credentials[user] ?? '') : '');
  if (known && matches) return allowed;
  return { isAllowed: false, message: 'unauthorized: access denied', challenges: [`Basic ${realm}`] };
}

function isEqual(given: string, expected: string): boolean {
  return timingSafeEqual(createHash('sha256').update(given).digest(), createHash('sha256').update(expected).digest());
}
