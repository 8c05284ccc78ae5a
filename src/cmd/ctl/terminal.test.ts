/** What is only for people: colours, hints, the line at the bottom. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { closedPort } from '../../../test/support/closed-port.ts';
import { runCtl } from '../../../test/support/ctl.ts';
import { type FakeAnswer, startFakeApi } from '../../../test/support/fake-api.ts';
import { RequestError } from '../../client/index.ts';
import { uploadProgress } from './add/progress.ts';
import type { CtlIo } from './command.ts';
import { hintFor } from './hint.ts';
import { paintFor } from './paint.ts';
import { statusLineOf } from './status-line.ts';

const cid = 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o';
const status = (name: string): string =>
  JSON.stringify({ cid, name: 'n', peer_map: { a: { status: name }, b: { status: 'pin_error', error: 'no' } } });
const both = { stdout: true, stderr: true };

async function withAnswer<T>(answer: FakeAnswer | undefined, act: (host: string) => Promise<T>): Promise<T> {
  const api = await startFakeApi(() => answer);
  try {
    return await act(api.host);
  } finally {
    await api.close();
  }
}

test('paintFor: colours on a terminal, and where they are forced; not where they are refused', () => {
  const isColoured = (isTerminal: boolean, environment: Record<string, string>): boolean =>
    paintFor(isTerminal, environment)('good', 'x') !== 'x';
  const cases: readonly [boolean, Record<string, string>, boolean][] = [
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '' }, true],
    [true, { TERM: 'dumb' }, false],
    [false, { FORCE_COLOR: '1' }, true],
    [false, { FORCE_COLOR: '' }, true],
    [true, { FORCE_COLOR: '0' }, false],
    [true, { FORCE_COLOR: 'false' }, false],
    [false, { FORCE_COLOR: '3', NO_COLOR: '1' }, true],
  ];
  for (const [isTerminal, environment, expected] of cases) {
    assert.equal(isColoured(isTerminal, environment), expected, JSON.stringify([isTerminal, environment]));
  }
  assert.equal(paintFor(true, {})('bad', 'x'), '\u001b[31mx\u001b[39m');
});

test('a status has colours on a terminal, the same letters without, and JSON never has any', async () => {
  await withAnswer({ body: status('pinned') }, async (host) => {
    const plain = await runCtl(['--host', host, 'status', cid]);
    const coloured = await runCtl(['--host', host, 'status', cid], { isTerminal: both });
    assert.ok(coloured.stdout.includes('\u001b[32mPINNED\u001b[39m'));
    assert.ok(coloured.stdout.includes('\u001b[31mPIN_ERROR\u001b[39m'));
    assert.equal(stripVTControlCharacters(coloured.stdout), plain.stdout);
    for (const encoding of ['json', 'ndjson']) {
      const json = await runCtl(['--host', host, '--enc', encoding, 'status', cid], { isTerminal: both });
      assert.ok(!json.stdout.includes('\u001b'));
    }
  });
});

test('--enc ndjson prints a line for each document, failures included', async () => {
  await withAnswer({ body: [status('pinned'), status('pinning')], trailers: ['broke off'] }, async (host) => {
    const { stdout, exit } = await runCtl(['--host', host, '--enc', 'ndjson', 'status']);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map((line) => line.cid ?? line.message),
      [cid, cid, 'broke off'],
    );
    assert.equal(exit, 2);
  });
});

test('hintFor: what to try', () => {
  const hints: readonly [number, string, { isTls?: boolean; hasCredentials?: boolean }, RegExp | undefined][] = [
    [0, 'Get "http://h:1/id": dial tcp h:1: connect: connection refused', {}, /is the peer running.*than \/ip4\/h/],
    [0, 'Get "http://restapi/id": dial unix /s: connect: no such file or directory', {}, /no socket is there/],
    [0, 'Get "http://restapi/id": dial unix /s: connect: permission denied', {}, /may not open/],
    [0, 'Get "http://h:1/id": dial tcp h:1: lookup failed: no such host', {}, /could not be resolved/],
    [0, 'Get "https://h:1/id": http: server gave HTTP response to HTTPS client', {}, /leave --https out/],
    [
      0,
      'Get "https://h:1/id": http: server gave HTTP response to HTTPS client',
      { hasCredentials: true },
      /--force-http/,
    ],
    [0, 'Get "https://h:1/id": x509: certificate signed by unknown authority', {}, /NODE_EXTRA_CA_CERTS/],
    [0, 'Get "https://h:1/id": x509: certificate is not valid for the name or address in --host', {}, /\/dns4/],
    [0, 'Get "libp2p://p/id": failed to dial: incoming message was too large', {}, /private network: --secret/],
    [0, 'Get "libp2p://p/id": failed to dial: the other side does not use the same cluster secret', {}, /not the one/],
    [
      0,
      'Get "http://h:1/id": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
      {},
      /--timeout/,
    ],
    [0, 'Get "http://h:1/id": malformed HTTP response: found something else than an HTTP API at x', {}, /9094/],
    [0, 'Post "http://h:1/add": Get "http://o:2/f": dial tcp o:2: connect: connection refused', {}, undefined],
    [0, 'Get "http://h:1/id": read: connection reset', {}, undefined],
    [400, 'Client sent an HTTP request to an HTTPS server.\n', {}, /--https$/],
    [400, 'layout parameter is invalid', {}, /--layout takes balanced or trickle/],
    [400, 'invalid cid', {}, undefined],
    [401, 'unauthorized: no auth provided', {}, /--basic-auth user:password, or CLUSTER_CREDENTIALS/],
    [401, 'unauthorized: access denied', { hasCredentials: true }, /does not accept these credentials/],
    [403, 'forbidden', { hasCredentials: true }, /read only/],
    [404, '404 page not found\n', {}, /does not have the call/],
    [404, 'pin is not part of the pinset', {}, undefined],
    [405, 'status 405 without a body', {}, /does not have the call/],
    [500, 'not enough peers', {}, undefined],
  ];
  for (const [code, message, situation, expected] of hints) {
    const error = new RequestError('client/refused', message, { status: code });
    const hint = hintFor(error, { host: '/ip4/h', isTls: false, hasCredentials: false, ...situation });
    if (expected === undefined) assert.equal(hint, undefined, message);
    else assert.match(hint ?? '', expected);
  }
});

test('a hint goes to stderr, and leaves the recorded output as it is', async () => {
  const host = `/ip4/127.0.0.1/tcp/${await closedPort()}`;
  const { stdout, stderr } = await runCtl(['--host', host, '--enc', 'json', 'id']);
  assert.equal(JSON.parse(stdout).code, 0);
  assert.match(stderr, /^hint: nothing listens there: /);
});

/** What a terminal would show: its last line, and all that stays above. */
function screenOf(written: readonly string[]): string {
  return written
    .join('')
    .split('\n')
    .map((line) => line.split('\r\u001b[K').at(-1))
    .join('\n');
}

test('StatusLine is redrawn, cut to the width, gone before anything else, and absent where no one looks', () => {
  const written: string[] = [];
  const write = (text: string): void => void written.push(text);
  const world = {
    stdout: write,
    stderr: write,
    environment: {},
    isTerminal: both,
    columns: () => 11,
  } as unknown as CtlIo; // the rest is not touched
  let nowMs = 0;
  const { io, statusLine } = statusLineOf(world, () => nowMs);
  statusLine.show('1234567890\u001b[2Jabc');
  assert.equal(screenOf(written), '1234567890');
  statusLine.show('not shown: too early');
  assert.equal(screenOf(written), '1234567890');
  nowMs = 100;
  statusLine.show('next');
  assert.equal(screenOf(written), 'next');
  io.stdout('a result\n');
  assert.equal(screenOf(written), 'a result\n');
  nowMs = 200;
  statusLine.show('again');
  statusLine.clear();
  statusLine.clear();
  assert.equal(screenOf(written), 'a result\n');
  for (const changed of [{ isTerminal: { stdout: true, stderr: false } }, { environment: { TERM: 'dumb' } }]) {
    const { statusLine: none } = statusLineOf({ ...world, ...changed }, () => nowMs);
    const before = written.length;
    none.show('x');
    assert.deepEqual([none.isShown, written.length], [false, before]);
  }
});

test('uploadProgress tells share, rate and time left, and no more than it knows', () => {
  let nowMs = 0;
  const lineFor = uploadProgress(10_000_000, () => nowMs);
  assert.equal(lineFor(0), '[------------------------]  0% 0 B of 10 MB, 0 B/s');
  nowMs = 1000;
  assert.equal(lineFor(2_500_000), '[######------------------] 25% 2.5 MB of 10 MB, 2.5 MB/s, 3s left');
  nowMs = 21_000;
  // Long ago is forgotten.
  lineFor(2_600_000);
  nowMs = 26_000;
  lineFor(2_900_000);
  nowMs = 26_500;
  assert.equal(lineFor(3_000_000), '[#######-----------------] 30% 3.0 MB of 10 MB, 73 kB/s, 1m37s left');
  assert.equal(lineFor(10_000_000), '10 MB sent, waiting for the peer');
  const unknown = uploadProgress(undefined, () => nowMs);
  nowMs += 2000;
  assert.equal(unknown(1_000_000), '1.0 MB sent, 500 kB/s');
  // Sent anew, to another peer.
  assert.match(unknown(10), /^10 B sent, 0 B\/s$/);
});

test('--wait tells on a terminal how many peers have it, and nothing in a pipe', async () => {
  const pin = JSON.stringify({ cid, replication_factor_min: 2, type: 'pin' });
  const names = ['pinning', 'pinned'];
  const api = await startFakeApi((method, _path, count) => {
    const second = names[count % 4 === 2 ? 0 : 1];
    return {
      body:
        method === 'POST' ? pin : JSON.stringify({ cid, peer_map: { a: { status: 'pinned' }, b: { status: second } } }),
    };
  });
  try {
    const argv = ['--host', api.host, 'pin', 'add', '--wait', '--ns', cid];
    const seen = await runCtl(argv, { isTerminal: both, statusDelayMs: 120 });
    assert.match(seen.stderr, /waiting until it is pinned, 0s/);
    assert.match(seen.stderr, /pinned on 1 of 2 peers, 1 pinning, 0s/);
    assert.ok(seen.stderr.endsWith('\r\u001b[K'));
  } finally {
    await api.close();
  }
  await withAnswer({ body: status('pinned') }, async (host) => {
    assert.equal((await runCtl(['--host', host, 'status', cid])).stderr, '');
  });
});
