/** The routes that give and take tokens, which all APIs have. Source: Go `api/common/api.go` `generateTokenHandler`. */
import { errorMessage } from '../../base/index.ts';
import {
  parseGoDuration,
  type RevocationAnswer,
  type RevokedToken,
  revocationAnswerJson,
  tokenAnswerJson,
} from '../../model/index.ts';
import { type ApiCall, sendJson } from './api-call.ts';
import type { Authenticator } from './auth.ts';
import { RequestError } from './request-error.ts';

/** Ten years: a longer time is a mistake, or meant to be for ever. */
const expiresInSecondsMax = 10 * 366 * 86_400;

/** `POST /token`. Without parameters as the Go peer; `expires-in` and `scope=read` are ours. */
export async function issueToken(call: ApiCall): Promise<void> {
  const { authenticator, principal, query } = call;
  if (authenticator === undefined || principal === undefined) throw new RequestError(401, 'unauthorized');
  const limits = {
    expiresIn: readExpiresIn(query.get('expires-in')),
    isReadOnly: readScope(query.get('scope')) === 'read',
  };
  if (!principal.mayIssue) {
    throw new RequestError(403, 'forbidden: a token that is limited cannot issue tokens; use the password');
  }
  const token = authenticator.issue(principal.user, limits);
  if (!authenticator.check(`Bearer ${token}`).isAllowed) {
    const text = 'the token of this user is revoked: give a parameter expires-in, or change the password';
    throw new RequestError(403, `forbidden: ${text}`);
  }
  await sendJson(call, tokenAnswerJson.print({ token }));
}

/** `POST /token/revoke`. `revoke` keeps it here, tells the members, and names those that did not take it. */
export async function revokeToken(
  call: ApiCall,
  revoke: (token: RevokedToken) => Promise<RevocationAnswer>,
): Promise<void> {
  const { authenticator } = call;
  if (authenticator === undefined) throw new RequestError(401, 'unauthorized');
  const revoked = revokedTokenOf(authenticator, readToken(await call.text()));
  await sendJson(call, revocationAnswerJson.print(await revoke(revoked)));
}

/** What counts nowhere need not be on the list. One that is on it may be told to members again. */
function revokedTokenOf(authenticator: Authenticator, token: string): RevokedToken {
  const revoked = authenticator.revocationOf(token);
  if (revoked !== undefined) return revoked;
  throw new RequestError(400, 'token: it is not one of this API, or has expired: nothing to revoke');
}

function readToken(body: string): string {
  let token: unknown;
  try {
    token = tokenAnswerJson.parse(body).token;
  } catch {
    // The text of the body may be the token itself, which must not go into an answer.
    token = '';
  }
  if (typeof token !== 'string' || token === '') {
    throw new RequestError(400, 'error decoding request body: expected {"token":"<token>"}');
  }
  return token;
}

function readExpiresIn(text: string): number {
  if (text === '') return 0;
  let milliseconds: number;
  try {
    milliseconds = parseGoDuration(text);
  } catch (error) {
    throw new RequestError(400, `parameter expires-in: ${errorMessage(error)}`);
  }
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds >= 1 && seconds <= expiresInSecondsMax) return seconds;
  throw new RequestError(400, `parameter expires-in: found ${JSON.stringify(text)}, expected 1s to 87840h`);
}

function readScope(text: string): '' | 'read' {
  if (text === '' || text === 'read') return text;
  throw new RequestError(400, `parameter scope: found ${JSON.stringify(text)}, expected "read" or nothing`);
}
