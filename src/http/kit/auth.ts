/**
 * Who may use an API. Source: Go `api/common/api.go` `authHandler`; RFC 7617, RFC 6750.
 */
import { randomBytes } from 'node:crypto';
import type { RevokedToken, Time } from '../../model/index.ts';
import { isEqual, signToken, tokenHash, verifyToken } from './token.ts';

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
  /** It shows the password, or a token that stands for it for ever; others must not be turned into such a one. */
  readonly mayIssue: boolean;
}

export type AuthResult =
  | { readonly isAllowed: true; readonly principal: Principal }
  | { readonly isAllowed: false; readonly message: string; readonly challenges: readonly string[] };

/** What a new token shall be limited to. */
export interface TokenLimits {
  /** Seconds from now; 0: for ever. */
  readonly expiresIn: number;
  readonly isReadOnly: boolean;
}

export interface AuthenticatorDeps {
  readonly now: () => Time;
  /** Whether the token with this hash counts no more. */
  readonly isRevoked: (hash: string) => boolean;
}

const realm = 'realm="Restricted IPFS Cluster API"';

/** Decides by the `Authorization` header, in a time that does not tell how much of a secret was right. */
export class Authenticator {
  readonly #credentials: Credentials;
  readonly #deps: AuthenticatorDeps;

  constructor(credentials: Credentials, deps: AuthenticatorDeps) {
    this.#credentials = credentials;
    this.#deps = deps;
  }

  check(header: string | undefined): AuthResult {
    const basic = readBasic(header);
    if (basic !== undefined) return this.#checkPassword(basic);
    const token = /^bearer +(\S+)$/i.exec(header ?? '')?.[1];
    if (token !== undefined) return this.#checkToken(token);
    return refused('unauthorized: no auth provided', `Bearer ${realm}`, `Basic ${realm}`);
  }

  /** A new token of the user. Without limits it is the same one each time, here and on Go peers. */
  issue(user: string, { expiresIn, isReadOnly }: TokenLimits): string {
    const isPlain = expiresIn === 0 && !isReadOnly;
    const claims = {
      issuer: user,
      expires: expiresIn === 0 ? 0 : this.#deps.now().seconds + expiresIn,
      scope: isReadOnly ? 'read' : '',
      id: isPlain ? '' : randomBytes(16).toString('hex'),
    };
    return signToken(claims, this.#password(user) ?? '');
  }

  /** What a token is known by on the list of revoked tokens, whether it is on it or not; `undefined`: it counts nowhere anyway. */
  revocationOf(token: string): RevokedToken | undefined {
    const claims = this.#verify(token);
    return claims === undefined ? undefined : { hash: tokenHash(token), expires: claims.expires };
  }

  #checkPassword({ user, password }: { readonly user: string; readonly password: string }): AuthResult {
    const expected = this.#password(user);
    const matches = isEqual(password, expected ?? '');
    if (expected === undefined || !matches) return refused('unauthorized: access denied', `Basic ${realm}`);
    return { isAllowed: true, principal: { user, access: this.#accessOf(user), mayIssue: true } };
  }

  #checkToken(token: string): AuthResult {
    const claims = this.#verify(token);
    if (claims === undefined || this.#deps.isRevoked(tokenHash(token))) {
      return refused('unauthorized: invalid token', `Bearer ${realm}, error="invalid_token"`);
    }
    const { issuer: user, scope, expires, id } = claims;
    const access = scope === 'read' ? 'read' : this.#accessOf(user);
    return { isAllowed: true, principal: { user, access, mayIssue: scope === '' && expires === 0 && id === '' } };
  }

  #verify(token: string): ReturnType<typeof verifyToken> {
    return verifyToken(token, (user) => this.#password(user), this.#deps.now().seconds);
  }

  #password(user: string): string | undefined {
    const { full, readOnly } = this.#credentials;
    if (Object.hasOwn(full, user)) return full[user];
    return Object.hasOwn(readOnly, user) ? readOnly[user] : undefined;
  }

  #accessOf(user: string): 'read' | 'write' {
    return Object.hasOwn(this.#credentials.full, user) ? 'write' : 'read';
  }
}

function readBasic(header: string | undefined): { readonly user: string; readonly password: string } | undefined {
  const encoded = /^basic +([A-Za-z0-9+/=_-]*)$/i.exec(header ?? '')?.[1];
  const decoded = encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
  const colon = decoded?.indexOf(':') ?? -1;
  if (decoded === undefined || colon < 0) return undefined;
  return { user: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

function refused(message: string, ...challenges: string[]): AuthResult {
  return { isAllowed: false, message, challenges };
}
