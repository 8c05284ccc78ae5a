/**
 * The pinning service of the reference as it was recorded, exchange for exchange, over a pinset like the recorded one. Ours goes
 * by the public specification; where the reference does not, the tables name the case and the reason.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { settle } from '../../../test/support/fake-clock.ts';
import { MemoryCluster } from '../../../test/support/memory-cluster.ts';
import { pinOf } from '../../../test/support/pins.ts';
import {
  type Answer,
  comparableHeaders,
  type Exchange,
  readExchanges,
  recordedHeaders,
  send,
} from '../../../test/support/rest-vectors.ts';
import { OperatingError, silentLogger } from '../../base/index.ts';
import { Cid, parseTime, timeFromNanos } from '../../model/index.ts';
import type { ApiOptions } from '../kit/index.ts';
import { bindPinsvcApi, type PinsvcApi } from './index.ts';

/** The configuration that the reference's `init` writes. */
const options: ApiOptions = {
  listen: ['/ip4/127.0.0.1/tcp/0'],
  limits: {
    readTimeoutMs: 0,
    readHeaderTimeoutMs: 5_000,
    writeTimeoutMs: 0,
    idleTimeoutMs: 120_000,
    maxHeaderBytes: 4_096,
  },
  cors: {
    allowedOrigins: ['*'],
    allowedMethods: ['GET'],
    allowedHeaders: [],
    exposedHeaders: ['Content-Type', 'X-Stream-Output', 'X-Chunked-Output', 'X-Content-Length'],
    allowCredentials: true,
    maxAgeSeconds: 0,
  },
  headers: {},
};

interface Status {
  readonly requestid: string;
  readonly status: string;
  readonly created: string;
  readonly pin: { readonly cid: string; readonly name?: string; readonly meta?: Record<string, string> };
}
interface List {
  readonly count: number;
  readonly results: readonly Status[];
}

/** A case that is answered in another way than in the recording. */
interface Change {
  readonly why: string;
  readonly status?: number;
  /** Of what `comparable` makes of the recorded body. */
  readonly body?: (recorded: unknown) => unknown;
}

const failure = (reason: string, details: string) => ({ error: { reason, details } });
const accepted: Change = { why: '202: the pin is accepted', status: 202 };
const refused = (
  details: string,
  why = 'what is malformed is the request, and the text says what was expected',
): Change => ({
  why,
  status: 400,
  body: () => failure('BAD_REQUEST', details),
});
const emptyList = { count: 0, results: [] };

const changes: Readonly<Record<string, Change>> = {
  'list-default': {
    why: 'without a filter only what is pinned, newest first',
    body: () => ({ count: 19, results: newest(10) }),
  },
  'list-limit-1': {
    why: 'without a filter only what is pinned, newest first',
    body: () => ({ count: 19, results: newest(1) }),
  },
  'list-limit-0': refused('parameter limit: found "0", expected 1 to 1000'),
  'list-limit-2000': refused('parameter limit: found "2000", expected 1 to 1000'),
  'list-limit-bad': refused('parameter limit: found "x", expected 1 to 1000'),
  'list-limit-negative': refused('parameter limit: found "-1", expected 1 to 1000'),
  'list-cid-status-ignored': { why: 'filters combine', body: () => emptyList },
  'list-cid-bad': refused(
    'parameter cid: found "foo", expected a CID (invalid cid: encoding/hex: invalid byte: U+006F \'o\')',
  ),
  'list-status-bad': refused('parameter status: found "foo", expected queued, pinning, pinned, failed'),
  'list-status-partially-bad': refused('parameter status: found "foo", expected queued, pinning, pinned, failed'),
  'list-match-unknown': refused('parameter match: found "foo", expected exact, iexact, partial, ipartial'),
  'list-name-too-long': refused('parameter name: found 256 characters, expected at most 255'),
  'list-before-bad': refused(
    'parameter before: found "yesterday", expected an RFC 3339 time such as 2020-07-27T17:32:28.276Z',
  ),
  'list-meta-bad': refused('parameter meta: found "foo", expected a JSON object whose values are texts'),
  add: accepted,
  'add-no-content-type': accepted,
  'add-already-pinned': accepted,
  'add-no-cid': refused(
    'error decoding request body: cid: found none, expected the CID to pin',
    'nothing is left unanswered',
  ),
  'add-null-cid': refused(
    'error decoding request body: cid: found none, expected the CID to pin',
    'nothing is left unanswered',
  ),
  'add-bad-cid': refused("error decoding request body: cid: invalid cid: encoding/hex: invalid byte: U+006F 'o'"),
  'add-bad-json': refused('error decoding request body: expected JSON, found "{"'),
  'add-bad-origin': refused(
    'error decoding request body: origins[0]: failed to parse multiaddr "foo": must begin with /',
  ),
  'add-origin-without-peer': accepted,
  'add-name-255': accepted,
  'add-name-256': refused('error decoding request body: name: found 256 characters, expected at most 255'),
  'add-meta-non-string': refused('error decoding request body: meta: a: expected a text, found 1'),
  'add-unknown-field': accepted,
  replace: accepted,
  'replace-unknown': { why: 'one text for a pin that is not there', body: () => failure('NOT_FOUND', 'pin not found') },
  'replace-same-cid-unpins': { ...accepted, why: 'a pin that is replaced by itself stays' },
  'get-after-replace-same': {
    why: 'a pin that was replaced by itself is there',
    status: 200,
    body: () => ({
      requestid: replacement,
      status: 'pinned',
      created: '<time>',
      pin: { cid: replacement, name: 'same' },
    }),
  },
  'replace-bad-id': {
    why: 'a refused request does nothing, and has one document',
    body: (recorded) => (recorded as unknown[])[0],
  },
  'remove-unknown': { why: 'one text for a pin that is not there', body: () => failure('NOT_FOUND', 'pin not found') },
  'cors-simple': refused('parameter limit: found "0", expected 1 to 1000'),
};

const replacement = 'bafkreieoltxmuosdqe247ujxf2x6s2omyrcapghdpdmlr3jeeqxqe2tqj4';
/** Content that nobody has. */
const missing = 'bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
/** Content that takes long, in the recording. */
const slow = 'QmQuDGcTUH8KuJpRWLqm6TfD9Jyn15mxpPwXcWcdpoUBG3';

const reasons: Readonly<Record<number, string>> = {
  400: 'BAD_REQUEST',
  401: 'UNAUTHORIZED',
  404: 'NOT_FOUND',
  500: 'BAD_REQUEST',
};

let cluster: MemoryCluster;
let api: PinsvcApi;
let base = '';
let recordedPins: readonly Status[] = [];

before(async () => {
  const recorded = (await readExchanges('pinsvc', 'pinsvcapi')).find(({ name }) => name === 'list-limit-2000');
  recordedPins = (JSON.parse(recorded?.response.body ?? '') as List).results;
  cluster = new MemoryCluster();
  await cluster.start(1);
  cluster.node(0).ipfs.onAct = async (act, cid, signal) => {
    if (cid.toString() === missing) throw new OperatingError('ipfs/x', 'context canceled');
    if (act === 'unpin' || cid.toString() !== slow) return;
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  };
  for (const { created, pin } of recordedPins) {
    const { cid, name = '', meta: metadata = null } = pin;
    cluster.agree('pin', pinOf(Cid.parse(cid), { name, metadata, timestamp: parseTime(created) }));
  }
  await settle();
  api = await bindPinsvcApi(options);
  const { peer } = cluster.node(0);
  api.serve({ cluster: peer, log: silentLogger, now: () => timeFromNanos(cluster.clock.wallNanos()) });
  base = `http://127.0.0.1:${/tcp\/(\d+)/.exec(api.addresses()[0] ?? '')?.[1]}`;
});
after(async () => {
  await api?.close();
  await cluster?.stop();
});

/** By the seconds of the recording, then by what our peer makes of them: the answer itself is what tells it. */
function newest(count: number): unknown {
  return { newest: count };
}

describe('the pinning service as recorded', async () => {
  const exchanges = await readExchanges('pinsvc', 'pinsvcapi');
  for (const name of Object.keys(changes)) {
    assert.ok(
      exchanges.some((exchange) => exchange.name === name),
      `no case ${name}`,
    );
  }
  for (const exchange of exchanges) {
    const change = changes[exchange.name];
    it(change === undefined ? exchange.name : `${exchange.name}, but: ${change.why}`, async () => {
      check(await send(base, exchange.request), exchange, change);
      await settle();
    });
  }
});

describe('credentials of the pinning service as recorded', async () => {
  let guarded: PinsvcApi;
  before(async () => {
    guarded = await bindPinsvcApi({ ...options, credentials: { full: { alice: 'secret1' }, readOnly: {} } });
    const { peer } = cluster.node(0);
    guarded.serve({ cluster: peer, log: silentLogger, now: () => timeFromNanos(cluster.clock.wallNanos()) });
  });
  after(() => guarded?.close());
  for (const exchange of await readExchanges('auth', 'pinsvcapi')) {
    it(exchange.name, async () => {
      const answer = await send(
        `http://127.0.0.1:${/tcp\/(\d+)/.exec(guarded.addresses()[0] ?? '')?.[1]}`,
        exchange.request,
      );
      const change: Change = { why: 'the pinset is another one by now', body: () => comparable(answer.body, 200) };
      check(answer, exchange, exchange.name === 'pinsvc-token-use-from-restapi' ? change : undefined);
    });
  }
});

function check(answer: Answer, exchange: Exchange, change: Change | undefined): void {
  const { response } = exchange;
  const status = change?.status ?? response.status;
  assert.equal(answer.status, status, answer.body);
  const headers = comparableHeaders(recordedHeaders(exchange), status);
  // The reference sends nothing at all where it does not know what to say.
  if (response.body === '' && answer.body !== '') headers.unshift('content-type: application/json');
  assert.deepEqual(comparableHeaders(answer.headers, answer.status), headers);
  const recorded = comparable(response.body, response.status);
  const expected = change?.body === undefined ? recorded : change.body(recorded);
  const found = comparable(answer.body, answer.status);
  const limit = (expected as { results?: { newest?: number } } | undefined)?.results?.newest;
  if (limit === undefined) {
    assert.deepEqual(found, expected);
    return;
  }
  // Which of the pins of one second come first is not recorded; that they are among the newest is.
  const { count, results } = JSON.parse(answer.body) as List;
  assert.deepEqual([count, results.length], [(expected as List).count, limit]);
  const seconds = recordedPins.filter(({ status }) => status === 'pinned').map(({ created }) => created);
  const due = seconds.sort().reverse().slice(0, limit);
  assert.deepEqual(
    results.map(({ created }) => created.replace(/\.\d+Z$/, 'Z')),
    due,
  );
}

/**
 * What must be equal: documents without times, delegates and `info`, whose values are others here; lists in order of their CIDs;
 * errors in the form of the specification, where the reference has its text as the reason.
 */
function comparable(body: string, status: number): unknown {
  if (!/^[[{]/.test(body)) return body;
  const documents = body
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => comparableDocument(JSON.parse(line) as Record<string, unknown>, status));
  return documents.length === 1 ? documents[0] : documents;
}

function comparableDocument(document: Record<string, unknown>, status: number): unknown {
  if ('error' in document) {
    const { reason, details } = document.error as { reason: string; details?: string };
    return details === undefined ? failure(reasons[status] ?? '', reason) : document;
  }
  if ('results' in document) {
    const { count, results } = document as unknown as List;
    return { count, results: results.map(comparableStatus).sort((a, b) => (a.requestid < b.requestid ? -1 : 1)) };
  }
  return 'requestid' in document ? comparableStatus(document as unknown as Status) : document;
}

function comparableStatus(found: Status): Status {
  assert.deepEqual(Object.keys(found), ['requestid', 'status', 'created', 'pin', 'delegates', 'info']);
  const { requestid, status, pin } = found;
  return { requestid, status, created: '<time>', pin };
}
