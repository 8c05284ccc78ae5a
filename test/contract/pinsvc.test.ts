/**
 * The public compliance checks of the IPFS Pinning Service API, with their names and what they expect, against real peers:
 * ipfs-shipyard/pinning-service-compliance `src/checks`. As there, nobody has the content that is pinned, and times are
 * those of a JavaScript `Date`.
 */
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Cid } from '../../src/model/index.ts';
import { type PinningPeers, startPinningPeers } from '../support/pinsvc.ts';

interface PinStatus {
  readonly requestid: string;
  readonly status: 'queued' | 'pinning' | 'pinned' | 'failed';
  readonly created: string;
  readonly pin: { readonly cid: string; readonly name?: string };
  readonly delegates: readonly string[];
}
interface PinResults {
  readonly count: number;
  readonly results: readonly PinStatus[];
}

const allPinStatuses = 'status=queued,pinning,pinned,failed';

let peers: PinningPeers;
let token = '';
/** Pins before all checks. */
let originalPinCount = 0;
/** CIDs that the checks have made. */
const made = new Set<string>();

before(async () => {
  peers = await startPinningPeers({ count: 2, pinsvcapi: { basicAuthCredentials: { alice: 'secret1' } } });
  const response = await fetch(`${peers.services[0]}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from('alice:secret1').toString('base64')}` },
  });
  ({ token } = (await response.json()) as { token: string });
  originalPinCount = (await getPins(allPinStatuses)).count;
});
after(() => peers?.end());

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Every second request goes to the other peer, as through a load balancer. */
let requests = 0;
async function call(method: string, path: string, body?: object, bearer: string | undefined = token): Promise<Answer> {
  const response = await fetch(`${peers.services[requests++ % peers.services.length]}${path}`, {
    method,
    headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.text() };
}

async function postPin(pin: { readonly cid: string; readonly name?: string }, requestid = ''): Promise<PinStatus> {
  made.add(pin.cid);
  const { status, body } = await call('POST', requestid === '' ? '/pins' : `/pins/${requestid}`, pin);
  assert.equal(status, 202, body);
  const answer: unknown = JSON.parse(body);
  assertPinStatus(answer);
  return answer;
}

async function getPins(query: string): Promise<PinResults> {
  const { status, body } = await call('GET', `/pins?${query}`);
  assert.equal(status, 200, body);
  const answer = JSON.parse(body) as PinResults;
  assert.ok(Number.isInteger(answer.count) && answer.count >= 0, body);
  assert.ok(Array.isArray(answer.results) && answer.results.length <= 1000, body);
  for (const one of answer.results) assertPinStatus(one);
  return answer;
}

/** What the specification demands of the object. */
function assertPinStatus(value: unknown): asserts value is PinStatus {
  const { requestid, status, created, pin, delegates } = value as PinStatus;
  const text = JSON.stringify(value);
  assert.ok(typeof requestid === 'string' && requestid !== '', text);
  assert.ok(['queued', 'pinning', 'pinned', 'failed'].includes(status), text);
  assert.ok(!Number.isNaN(Date.parse(created)), text);
  assert.ok(typeof pin.cid === 'string', text);
  assert.ok(delegates.length >= 1 && delegates.length <= 20, text);
  assert.ok(
    delegates.every((address) => /\/p2p\/[^/]+$/.test(address)),
    text,
  );
}

function assertFailure(body: string): void {
  const { error } = JSON.parse(body) as { error: { reason: string; details?: unknown } };
  assert.match(error.reason, /^[A-Z_]+$/);
  assert.equal(typeof (error.details ?? ''), 'string');
}

/** A raw CID of content that nobody has. */
function inlineCid(): string {
  const digest = createHash('sha256').update(randomUUID()).digest();
  return Cid.decode(Buffer.concat([Uint8Array.of(1, 0x55, 0x12, 32), digest])).toString();
}

/** With the resolution of a `Date`. */
const oldest = ({ results }: PinResults): string =>
  new Date(Math.min(...results.map(({ created }) => Date.parse(created)))).toISOString();

describe('pinning service compliance', () => {
  it('checkEmptyBearerToken: request with no authentication token', async () => {
    const { status, body } = await call('GET', '/pins', undefined, '');
    assert.equal(status, 401);
    assertFailure(body);
    const without = await fetch(`${peers.services[0]}/pins`);
    assert.equal(without.status, 401);
    assertFailure(await without.text());
  });

  it('checkInvalidBearerToken: request with invalid token', async () => {
    const { status, body } = await call('GET', '/pins', undefined, 'purposefullyInvalid');
    assert.equal(status, 401);
    assertFailure(body);
  });

  it('addPin: a pin is queued, pinning or pinned at first', async () => {
    const { status } = await postPin({ cid: inlineCid() });
    assert.notEqual(status, 'failed');
  });

  it('deleteNewPin: can create and then delete a new pin', async () => {
    const { requestid } = await postPin({ cid: inlineCid() });
    assert.equal((await call('DELETE', `/pins/${requestid}`)).status, 202);
  });

  it('getAllPins: list pin objects in all states', async () => {
    await getPins(allPinStatuses);
  });

  it("replacePin: can create and replace a pin's CID", async () => {
    const { requestid } = await postPin({ cid: inlineCid() });
    const newCid = inlineCid();
    const replaced = await postPin({ cid: newCid }, requestid);
    assert.equal(replaced.pin.cid, newCid);
    assert.notEqual(replaced.requestid, requestid);
    const original = await call('GET', `/pins/${requestid}`);
    assert.equal(original.status, 404);
    assertFailure(original.body);
    assert.equal((await call('GET', `/pins/${replaced.requestid}`)).status, 200);
  });

  it('matchPin: can retrieve a pin by name in all ways of matching', async () => {
    const name = randomUUID();
    assert.equal((await postPin({ name, cid: inlineCid() })).pin.name, name);
    const part = name.slice(9, -9);
    for (const [match, asked] of [
      ['exact', name],
      ['iexact', name.toUpperCase()],
      ['partial', part],
      ['ipartial', part.toUpperCase()],
    ]) {
      // The peer that is asked may hear of the pin only now.
      const { count, results } = await until(
        () => getPins(`match=${match}&name=${asked}`),
        (found) => found.count > 0,
      );
      assert.deepEqual([count, results[0]?.pin.name], [1, name], match);
    }
  });

  it('testPagination: the second page has none of the pins of the first', async () => {
    const needed = 15 - (await getPins(allPinStatuses)).count;
    for (let i = 0; i < needed; i++) await postPin({ cid: inlineCid() });
    const first = await until(
      () => getPins(allPinStatuses),
      ({ count }) => count >= 15,
    );
    assert.ok(first.results.length < first.count);
    const second = await getPins(`${allPinStatuses}&before=${oldest(first)}`);
    const ids = [...first.results, ...second.results].map(({ requestid }) => requestid);
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(ids.length, first.count, 'and all that is left, when the two hold all');
  });

  it('deleteAllPins: can delete all pins created during compliance checks', async () => {
    let before = '';
    for (let pages = 0; pages < 10; pages++) {
      const page = await getPins(`${allPinStatuses}${before}`);
      if (page.results.length === 0) break;
      for (const { requestid, pin } of page.results) {
        if (made.has(pin.cid)) assert.equal((await call('DELETE', `/pins/${requestid}`)).status, 202);
      }
      before = `&before=${oldest(page)}`;
    }
    const { count } = await until(
      () => getPins(allPinStatuses),
      (found) => found.count === originalPinCount,
    );
    assert.equal(count, originalPinCount);
  });
});

/** Asks again until the answer is good, or for ten seconds: then the last answer. */
async function until<T>(ask: () => Promise<T>, isGood: (answer: T) => boolean): Promise<T> {
  const end = performance.now() + 10_000;
  for (;;) {
    const answer = await ask();
    if (isGood(answer) || performance.now() > end) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
