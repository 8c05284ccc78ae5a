import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import { signToken, verifyToken } from './token.ts';

const now = 1_800_000_000;
const passwords = new Map([
  ['alice', 'secret1'],
  ['bob', ''],
]);
const passwordOf = (user: string): string | undefined => passwords.get(user);

/** A token as anybody might put it together. */
function make(header: object, claims: unknown, key: string | Buffer, hash = 'sha256'): string {
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${signed}.${createHmac(hash, key).update(signed).digest('base64url')}`;
}

const hs256 = { alg: 'HS256', typ: 'JWT' };
const plain = { issuer: 'alice', expires: 0, scope: '', id: '' };

describe('verifyToken', () => {
  it('takes what signToken makes', () => {
    for (const claims of [
      plain,
      { ...plain, issuer: 'bob' },
      { ...plain, expires: now + 1 },
      { ...plain, expires: now + 1, scope: 'read', id: 'x' },
    ]) {
      assert.deepEqual(verifyToken(signToken(claims, passwordOf(claims.issuer) ?? ''), passwordOf, now), claims);
    }
  });

  it('takes times to the second, as long as they are numbers', () => {
    const cases: readonly (readonly [claims: object, isTaken: boolean])[] = [
      [{ exp: now + 1 }, true],
      [{ exp: now + 0.9 }, false],
      [{ exp: now }, false],
      [{ exp: null }, true],
      [{ exp: `${now + 1}` }, false],
      [{ nbf: now }, true],
      [{ nbf: now + 0.9 }, true],
      [{ nbf: now + 1 }, false],
      [{ iat: now }, true],
      [{ iat: now + 1 }, false],
      [{ iat: 'then' }, false],
      [{ exp: now + 2, nbf: now - 1, iat: now - 2 }, true],
      [{ aud: 'anybody', sub: 'anything', more: {} }, true],
    ];
    for (const [claims, isTaken] of cases) {
      const token = make(hs256, { iss: 'alice', ...claims }, 'secret1');
      assert.equal(verifyToken(token, passwordOf, now) !== undefined, isTaken, JSON.stringify(claims));
    }
  });

  it('refuses other algorithms, users, scopes and forms', () => {
    const good = make(hs256, { iss: 'alice' }, 'secret1');
    const [head = '', body = '', signature = ''] = good.split('.');
    assert.notEqual(verifyToken(good, passwordOf, now), undefined);
    // The last character of the signature has bits to spare: another one of the same bytes is another text.
    const lastIndex = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.indexOf(
      signature.at(-1) ?? '',
    );
    const twin =
      signature.slice(0, -1) + 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'[lastIndex ^ 1];
    assert.deepEqual(Buffer.from(twin, 'base64url'), Buffer.from(signature, 'base64url'));
    for (const token of [
      `${head}.${body}.${twin}`,
      `${head}.${body}.${signature}=`,
      `${head}.${body}.${signature}.`,
      `${head}=.${body}.${signature}`,
      `${head}.${body}.`,
      `${head}.${body}`,
      '',
      '..',
      'x'.repeat(10_000),
      make({ alg: 'none' }, { iss: 'alice' }, ''),
      make({ alg: 'hs256' }, { iss: 'alice' }, 'secret1'),
      make({ alg: 'RS256' }, { iss: 'alice' }, 'secret1'),
      make({ alg: 'toString' }, { iss: 'alice' }, 'secret1'),
      make({ alg: 'HS256' }, { iss: 'eve' }, ''),
      make(hs256, { iss: 'toString' }, ''),
      make(hs256, { iss: 5 }, ''),
      make(hs256, {}, ''),
      make(hs256, [], ''),
      make(hs256, null, ''),
      make(hs256, { iss: 'alice' }, 'secret2'),
      make(hs256, { iss: 'alice', scope: 'write' }, 'secret1'),
      make(hs256, { iss: 'alice', scope: ['read'] }, 'secret1'),
    ]) {
      assert.equal(verifyToken(token, passwordOf, now), undefined, token);
    }
  });

  it('refuses a read-only token whose scope is hidden, and makes none that Go peers take for a full one', () => {
    const token = signToken({ ...plain, scope: 'read', id: 'x' }, 'secret1');
    const [head = '', body = '', signature] = token.split('.');
    // What a Go peer checks.
    const asGo = createHmac('sha256', 'secret1').update(`${head}.${body}`).digest('base64url');
    assert.notEqual(signature, asGo);
    assert.equal(verifyToken(make(hs256, { iss: 'alice', scope: 'read' }, 'secret1'), passwordOf, now), undefined);
  });
});
