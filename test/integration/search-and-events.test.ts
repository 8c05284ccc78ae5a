/** Pages, searches and events of a whole peer, over plain HTTP. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createClient } from '../../src/client/index.ts';
import { type Cluster, createCluster } from '../../src/index.ts';
import { collect } from '../support/collect.ts';
import { cidNumber } from '../support/pins.ts';

const loopback = ['/ip4/127.0.0.1/tcp/0'];
const pinCount = 12;

let folder: string;
let cluster: Cluster;
let url: string;

async function start(): Promise<void> {
  cluster = await createCluster({
    folder,
    listen: loopback,
    http: { listen: loopback },
    ipfs: { type: 'embedded', swarmListen: loopback },
  });
  await cluster.ready;
  url = (cluster.doors.http[0] ?? '').replace(/^\/ip4\/([^/]+)\/tcp\/(\d+)$/, 'http://$1:$2');
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-search-'));
  await start();
  for (let n = 0; n < pinCount; n++) {
    const metadata = { tenant: n % 3 === 0 ? 'a' : 'b', kind: 'x' };
    await cluster.pin(cidNumber(n).toString(), { name: `${n % 2 === 0 ? 'site' : 'photo'} ${n}`, metadata });
  }
});
after(async () => {
  await cluster.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Page {
  readonly items: readonly Record<string, unknown>[];
  readonly end: { readonly items: number; readonly errors: readonly string[]; readonly next?: string };
}

async function page(path: string): Promise<Page> {
  const response = await fetch(url + path);
  const body = await response.text();
  assert.equal(response.status, 200, body);
  const lines = body.trimEnd().split('\n');
  const items = lines.map((line): Record<string, unknown> => JSON.parse(line));
  const { end_of_stream: isEnd, ...end } = items.pop() ?? {};
  assert.equal(isEnd, true);
  // What the peers of this version send as the last line.
  return { items, end: end as Page['end'] };
}

async function walk(path: string): Promise<Record<string, unknown>[]> {
  const all: Record<string, unknown>[] = [];
  let cursor = '';
  do {
    const { items, end } = await page(`${path}${cursor === '' ? '' : `&cursor=${cursor}`}`);
    assert.deepEqual([end.items, end.errors], [items.length, []]);
    all.push(...items);
    cursor = end.next ?? '';
  } while (cursor !== '');
  return all;
}

async function refused(path: string): Promise<string> {
  const response = await fetch(url + path);
  const { code, message } = (await response.json()) as { readonly code: number; readonly message: string };
  assert.equal(response.status, code);
  return `${code} ${message}`;
}

describe('pages and searches over HTTP', () => {
  it('pages have every pin, and the same lines as the whole list', async () => {
    const whole = (await (await fetch(`${url}/allocations`)).text()).trimEnd().split('\n');
    assert.equal(whole.length, pinCount);
    for (const limit of [1, 5, 12, 1000]) {
      const all = await walk(`/allocations?limit=${limit}`);
      assert.deepEqual(
        all.map((item) => JSON.stringify(item)),
        whole,
      );
    }
    assert.equal((await page('/allocations?limit=5')).items.length, 5);
    assert.deepEqual(await walk('/allocations?limit=5&filter=meta-pin'), []);
    assert.equal((await walk('/allocations?limit=5&filter=pin&linearizable=true')).length, pinCount);
  });

  it('searches find by name, by its beginning, by metadata and by time', async () => {
    const names = async (query: string): Promise<unknown[]> =>
      (await walk(`/allocations?limit=2&${query}`)).map(({ name }) => name).sort();
    assert.deepEqual(await names('name=site+4'), ['site 4']);
    assert.deepEqual(await names('name-prefix=photo+1'), ['photo 1', 'photo 11']);
    assert.deepEqual(await names('meta-tenant=a&meta-kind=x'), ['photo 3', 'photo 9', 'site 0', 'site 6']);
    assert.deepEqual(await names('meta-tenant=a&name-prefix=photo'), ['photo 3', 'photo 9']);
    assert.deepEqual(await names('meta-tenant=c'), []);
    assert.equal((await names('created-after=2020-01-01T00:00:00Z')).length, pinCount);
    assert.deepEqual(await names('created-before=2020-01-01T00:00:00Z'), []);
    await cluster.pin(cidNumber(4).toString(), { name: 'renamed', metadata: { tenant: 'c' } });
    assert.deepEqual(await names('name=site+4'), []);
    assert.deepEqual(await names('meta-tenant=c'), ['renamed']);
    await cluster.pin(cidNumber(4).toString(), { name: 'site 4', metadata: { tenant: 'b', kind: 'x' } });
  });

  it('statuses come in pages too, of all peers and of this one', async () => {
    const cids = async (path: string): Promise<unknown[]> => (await walk(path)).map(({ cid }) => cid);
    const whole = (await page('/pins?end-record=true')).items.map(({ cid }) => cid);
    assert.equal(whole.length, pinCount);
    assert.deepEqual(await cids('/pins?limit=5'), whole);
    assert.deepEqual(await cids('/pins?limit=4&local=true'), whole);
    assert.deepEqual(await cids('/pins?limit=4&filter=unpinning'), []);
  });

  it('what cannot be understood is refused, and says what it was', async () => {
    const { next = '' } = (await page('/allocations?limit=5')).end;
    const cursor = /^400 parameter cursor: found ".*", expected the "next" of a page of this very list$/;
    for (const path of [
      '/allocations?cursor=nonsense',
      `/allocations?cursor=${next.slice(0, -1)}`,
      `/allocations?filter=pin&cursor=${next}`,
      `/allocations?name=x&cursor=${next}`,
      `/pins?cursor=${next}`,
      '/pins?limit=3&cursor=%00',
    ]) {
      assert.match(await refused(path), cursor, path);
    }
    for (const limit of ['0', '1001', '-1', 'x', '1e2']) {
      const text = `400 parameter limit: found "${limit}", expected a whole number from 1 to 1000`;
      assert.equal(await refused(`/allocations?limit=${limit}`), text);
      assert.equal(await refused(`/pins?limit=${limit}`), text);
    }
    assert.match(await refused('/allocations?created-after=today'), /^400 parameter created-after: found "today"/);
    assert.match(await refused(`/pins?cids=${cidNumber(1)}&limit=3`), /^400 cids are listed whole/);
  });
});

interface Stream {
  readonly response: IncomingMessage;
  /** Resolves with all that has come when there is this in it. */
  until(text: string): Promise<string>;
  close(): void;
}

async function open(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Stream> {
  const sent = request(url + path, { headers, agent: false });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  let onText = (): void => {};
  response.setEncoding('utf8');
  response.on('data', (piece: string) => {
    text += piece;
    onText();
  });
  return {
    response,
    until: async (wanted) => {
      const found = Promise.withResolvers<void>();
      onText = () => {
        if (text.includes(wanted)) found.resolve();
      };
      onText();
      await found.promise;
      return text;
    },
    close: () => sent.destroy(),
  };
}

describe('events over HTTP', () => {
  const cid = cidNumber(100).toString();

  it('are told as they happen, go on behind the last one that was read, and are reset when they cannot', async () => {
    const first = await open('/events?types=pin,status');
    assert.equal(first.response.statusCode, 200);
    const { 'content-type': type, 'cache-control': cache, 'transfer-encoding': encoding } = first.response.headers;
    assert.deepEqual([type, cache, encoding], ['text/event-stream', 'no-cache', 'chunked']);
    const opening = await first.until('\n\n');
    assert.match(opening, /^retry: 1000\n:\nid: [0-9a-z]+-0\n\n$/);
    await cluster.pin(cid, { name: 'one' });
    const text = await first.until('"status":"pin_queued"');
    const [, pinned, queued] = text.split('\n\n');
    const [, id = '', data = ''] = /^id: (\S+)\nevent: pin\ndata: (.*)$/.exec(pinned ?? '') ?? [];
    const listed = await (await fetch(`${url}/allocations/${cid}`)).text();
    assert.equal(data, `{"cid":"${cid}","pin":${listed.trimEnd()}}`);
    assert.match(queued ?? '', /^id: \S+\nevent: status\ndata: \{"cid":".*"status":"pin_queued"/);
    first.close();

    await cluster.unpin(cid);
    for (const [path, headers] of [
      ['/events?types=pin', { 'Last-Event-ID': id }],
      [`/events?types=pin&last-event-id=${id}`, {}],
    ] as const) {
      const again = await open(path, headers);
      const rest = await again.until('event: unpin');
      assert.equal(rest.includes('event: pin\n'), false);
      assert.match(rest, /event: unpin\ndata: \{"cid":"bafkrei/);
      again.close();
    }
    const lost = await open('/events', { 'Last-Event-ID': 'another-17' });
    assert.match(await lost.until('\n\n'), /^retry: 1000\nid: \S+\nevent: reset\ndata: \{"reason":"gone"\}\n\n$/);
    lost.close();
    assert.equal(
      await refused('/events?types=pin,pins'),
      '400 parameter types: found "pins", expected some of pin, status, peer, alert, with commas between',
    );
  });

  it('the client of this package reads lists, pages, searches and events', async () => {
    const client = createClient({ url });
    const whole = client.allocations();
    assert.equal((await collect(whole)).length, pinCount);
    assert.equal(whole.complete, true);
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const list = client.allocations({ namePrefix: 'site', limit: 4, ...(cursor === undefined ? {} : { cursor }) });
      for await (const { name } of list) found.push(name);
      assert.equal(list.complete, true);
      cursor = list.next;
    } while (cursor !== undefined);
    assert.equal(found.length, pinCount / 2);
    assert.ok('' in (await client.bandwidth()));

    const first = await open('/events?types=pin');
    const [, id = ''] = /^id: (\S+)$/m.exec(await first.until('\n\n')) ?? [];
    first.close();
    await cluster.pin(cid, { name: 'for the client' });
    for await (const { type, data } of client.events({ types: ['pin'], lastEventId: id })) {
      assert.equal(type, 'pin');
      assert.equal(JSON.parse(data).pin.name, 'for the client');
      break;
    }
    await cluster.unpin(cid);
  });

  it('end with the peer, as a whole answer; an index that was made is right after the restart', async () => {
    const reader = await open('/events');
    await reader.until('\n\n');
    const ended = once(reader.response, 'end');
    await cluster.stop();
    await ended;
    assert.equal(reader.response.complete, true);

    await start();
    assert.equal((await walk('/allocations?name-prefix=site')).length, pinCount / 2);
    await cluster.unpin(cidNumber(0).toString());
    assert.equal((await walk('/allocations?name-prefix=site')).length, pinCount / 2 - 1);
  });
});
