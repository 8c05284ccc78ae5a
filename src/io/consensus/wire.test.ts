import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { errorCode, hexDecode, hexEncode, SeededRandom } from '../../base/index.ts';
import type { Request, Response } from '../../core/raft/index.ts';
import { decodeRequest, decodeResponse, encodeError, encodeRequest, encodeResponse } from './wire.ts';

interface Vector {
  readonly name: string;
  readonly hex: string;
  readonly decoded: { readonly request_frame_hex?: string };
}

function vectors(file: string): readonly Vector[] {
  const text = readFileSync(new URL(`../../../test/vectors/wire/${file}.json`, import.meta.url), 'utf8');
  return (JSON.parse(text) as { vectors: readonly Vector[] }).vectors;
}

const types = ['append', 'vote', '', 'timeoutNow', 'preVote'] as const;
const leader = '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5';
const follower = '12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq';

/** Both values of a recorded response: an error text and a struct. */
function halves(hex: string): readonly [Uint8Array, Uint8Array] {
  const bytes = hexDecode(hex);
  const tag = bytes[0] ?? 0;
  const length = tag === 0xda ? 3 + (bytes[1] ?? 0) * 256 + (bytes[2] ?? 0) : 1 + (tag & 0x1f);
  return [bytes.subarray(0, length), bytes.subarray(length)];
}

const frames = vectors('raft').filter(({ name }) => name.endsWith('frame') && !name.startsWith('install'));
for (const { name, hex } of frames.filter(({ name }) => name.includes('request frame'))) {
  test(`decodeRequest reads the recorded "${name}", encodeRequest writes its bytes`, () => {
    const bytes = hexDecode(hex);
    const request = decodeRequest(bytes[0] ?? 0, bytes.subarray(1));
    assert.equal(request.type, types[bytes[0] ?? 2]);
    // An entry keeps its instant, not the time zone of the leader that wrote it.
    const expected = hex.replace('735f2003ca4', '735f2ffffa4');
    assert.equal(hexEncode(encodeRequest(leader, request)), expected);
  });
}
for (const [at, { name, hex }] of frames.entries()) {
  if (!name.includes('response frame')) continue;
  const requestType = types[hexDecode(frames[at - 1]?.hex ?? '')[0] ?? 2];
  test(`decodeResponse reads the recorded "${name}", encodeResponse writes its bytes`, () => {
    if (requestType === '' || requestType === undefined) throw new TypeError('a response follows its request');
    const [error, body] = halves(hex);
    if (name.includes('error')) {
      assert.throws(() => decodeResponse(requestType, error, body), {
        code: 'consensus/refused',
        message: 'protocol version 1 is not supported',
      });
    } else assert.equal(hexEncode(encodeResponse(follower, decodeResponse(requestType, error, body))), hex);
  });
}

test('decodeRequest and decodeResponse read what a running Go peer sent and answered', () => {
  const captured = vectors('live-captures').filter(({ decoded }) => decoded.request_frame_hex !== undefined);
  const answers: (Response | string)[] = [];
  for (const { hex, decoded } of captured) {
    const frame = hexDecode(decoded.request_frame_hex ?? '');
    const type = types[frame[0] ?? 2];
    if (type === '' || type === undefined) throw new TypeError('no such type');
    const [error, body] = halves(hex);
    try {
      answers.push(decodeResponse(type, error, body));
      assert.equal(decodeRequest(frame[0] ?? 0, frame.subarray(1)).type, type);
    } catch (failure) {
      answers.push(String(failure));
      assert.throws(() => decodeRequest(frame[0] ?? 0, frame.subarray(1)), { message: /current protocol version/ });
      assert.equal(hexEncode(encodeError('operation not supported with current protocol version')), hex);
    }
  }
  assert.deepEqual(answers, [
    { type: 'preVote', term: 2, granted: false },
    { type: 'vote', term: 2, granted: false },
    { type: 'append', term: 2, lastLog: 5, success: false, noRetryBackoff: false },
    'OperatingError: operation not supported with current protocol version',
  ]);
});

test('decodeRequest reads the entries that a Go leader sent to a new follower', () => {
  const capture = vectors('live-captures').find(({ name }) => name.includes('two LogConfiguration entries'));
  const frame = hexDecode(capture?.hex ?? '');
  const request = decodeRequest(frame[0] ?? 9, frame.subarray(1));
  assert.ok(request.type === 'append');
  assert.deepEqual(
    request.entries.map(({ index, term, type }) => ({ index, term, type })),
    [
      { index: 10, term: 3, type: 'configuration' },
      { index: 11, term: 3, type: 'configuration' },
    ],
  );
  const last = request.entries[1];
  assert.ok(last?.type === 'configuration');
  assert.deepEqual(
    last.configuration.servers.map(({ suffrage }) => suffrage),
    ['voter', 'voter'],
  );
  assert.equal(last.configuration.servers[0]?.id, request.leader);
});

test('decodeRequest refuses junk with an error that is no bug, whatever the bytes', () => {
  const random = new SeededRandom(`wire ${process.env.SEED ?? 1}`);
  const valid = frames.map(({ hex }) => hexDecode(hex));
  for (let round = 0; round < 3000; round++) {
    const bytes = (valid[random.integer(valid.length)] ?? new Uint8Array(1)).slice();
    for (let flips = 1 + random.integer(3); flips > 0; flips--)
      bytes[random.integer(bytes.length)] = random.integer(256);
    const cut = random.integer(4) === 0 ? bytes.subarray(0, random.integer(bytes.length)) : bytes;
    try {
      const request = decodeRequest(cut[0] ?? 0, cut.subarray(1));
      roundTrip(request);
    } catch (error) {
      assert.match(
        errorCode(error),
        /^(consensus\/unsupported|model\/)/,
        `seed ${random.seed}, round ${round}: ${error}`,
      );
    }
  }
});

function roundTrip(request: Request): void {
  const bytes = encodeRequest(leader, request);
  const again = decodeRequest(bytes[0] ?? 9, bytes.subarray(1));
  assert.equal(again.type, request.type);
}
