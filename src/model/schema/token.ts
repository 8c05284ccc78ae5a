/** Tokens on the wire and in JSON. */
import type { RevocationAnswer, RevokedToken, TokenAnswer, TokenClaims } from '../token.ts';
import { field, presentMapType, structType } from './containers.ts';
import { textType, uintType } from './scalars.ts';
import type { Type } from './type.ts';

const claim = field<TokenClaims>();

export const tokenClaimsType: Type<TokenClaims> = structType<TokenClaims>([
  claim('issuer', 'iss', 'iss', textType),
  claim('expires', 'exp', 'exp?', uintType),
  claim('scope', 'scope', 'scope?', textType),
  claim('id', 'jti', 'jti?', textType),
]);

const revoked = field<RevokedToken>();

export const revokedTokenType: Type<RevokedToken> = structType<RevokedToken>([
  revoked('hash', 'hash', 'hash', textType),
  revoked('expires', 'expires', 'expires?', uintType),
]);

export const tokenAnswerType: Type<TokenAnswer> = structType<TokenAnswer>([
  field<TokenAnswer>()('token', 'token', 'token', textType),
]);

export const revocationAnswerType: Type<RevocationAnswer> = structType<RevocationAnswer>([
  field<RevocationAnswer>()('missed', 'missed', 'missed', presentMapType(textType)),
]);
