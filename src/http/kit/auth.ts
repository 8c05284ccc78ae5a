/**
 * Who may use an API. Source: Go `api/common/api.go` `authHandler`; RFC 7617.
 */
import { createHash, timingSafeEqual } from 'node:crypto';

/** Passwords by user. */
export interface Credentials {
  /** May do everything. */
  readonly full: Readonly<Record<string, string>>;
  /** May use the routes that change nothing. A user who is also in `full` counts there. */
  readonly readOnly: Readonly<Record<string, string>>;
}

/** Who asks, as far as the API cares. */
export interface Principal {
  readonly user: string;
  readonly access: 'read' | 'write';
}

export type AuthResult =
  | { readonly isAllowed: true; readonly principal: Principal }
  | { readonly isAllowed: false; readonly message: string; readonly challenges: readonly string[] };

const realm = 'realm="Restricted IPFS Cluster API"';

/** Decides on the `Authorization` header. The time it takes does not tell how much of a password was right. */
export function authenticate(credentials: Credentials, header: string | undefined): AuthResult {
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
  const isFull = Object.hasOwn(credentials.full, user);
  const passwords = isFull ? credentials.full : credentials.readOnly;
  const isKnown = Object.hasOwn(passwords, user);
  const matches = isEqual(decoded.slice(colon + 1), isKnown ? (passwords[user] ?? '') : '');
  if (isKnown && matches) return { isAllowed: true, principal: { user, access: isFull ? 'write' : 'read' } };
  return { isAllowed: false, message: 'unauthorized: access denied', challenges: [`Basic ${realm}`] };
}

function isEqual(given: string, expected: string): boolean {
  return timingSafeEqual(createHash('sha256').update(given).digest(), createHash('sha256').update(expected).digest());
}
