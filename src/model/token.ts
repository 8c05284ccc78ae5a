/** Tokens that stand for a user's credentials, and those of them that count no more. */
import type { PeerId } from './peer.ts';

/** What a token says. Source of `iss` alone: Go `api/common/api.go` `generateSignedTokenString`; the others are ours. */
export interface TokenClaims {
  /** The user whose password signs it. */
  readonly issuer: string;
  /** Seconds since 1970 from which on it counts no more; 0: it never expires. */
  readonly expires: number;
  /** `read`: it may change nothing, whoever its user is; empty: whatever its user may do. */
  readonly scope: string;
  /** Makes two tokens of one user differ; may be empty. */
  readonly id: string;
}

/** A token that counts no more. */
export interface RevokedToken {
  /** SHA-256 of its text, in hex: the list gives no token away. */
  readonly hash: string;
  /** Seconds since 1970 from which on it would be refused anyway; 0: it is on the list for good. */
  readonly expires: number;
}

/** The body of `POST /token`. */
export interface TokenAnswer {
  readonly token: string;
}

/** The body of `POST /token/revoke`. */
export interface RevocationAnswer {
  /** Members where the token may still be used, with the cause. */
  readonly missed: Readonly<Record<PeerId, string>>;
}
