/** What comes through the newer doors: events, cursors, searches, tokens, the environment, requests of Raft, bytes of a libp2p connection. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import { errorCode, SeededRandom, silentLogger, utf8Encode } from '../../../src/base/index.ts';
import { followEvents } from '../../../src/client/events.ts';
import type { Exchange } from '../../../src/client/exchange.ts';
import { linesOf } from '../../../src/client/lines.ts';
import { EventFeed } from '../../../src/cluster/events/feed.ts';
import { verifyToken } from '../../../src/http/kit/token.ts';
import { decodeRequest, decodeSnapshotRequest } from '../../../src/io/consensus/wire.ts';
import { createHost } from '../../../src/io/p2p/index.ts';
import { ValueBuffer } from '../../../src/io/rpc/value-buffer.ts';
import { initialService, overrideService } from '../../../src/model/config/index.ts';
import { eventTopics, formatCursor, parseCursor, parsePinSearch, parseQuery } from '../../../src/model/index.ts';
import { bytesOf, cut, drain, type FuzzTarget, stream, utf8 } from '../target.ts';
import { recorded } from './model.ts';

const texts =
  (list: readonly string[]): (() => Uint8Array[]) =>
  () =>
    list.map(bytesOf);

/** Time that stands still. */
const clock = { now: () => 0, wallNanos: () => 1_700_000_000_000_000_000n, after: () => () => {} };

/** All events that a peer says in these bytes, until it has said them. */
async function eventsIn(input: Uint8Array): Promise<unknown[]> {
  const exchange = {
    clock,
    random: new SeededRandom('events'),
    open: async () => ({ body: stream(input) }),
    // Proof: events need nothing else of it.
  } as unknown as Exchange;
  const events: unknown[] = [];
  try {
    for await (const event of followEvents(exchange, { attempts: 1 })) events.push(event);
  } catch (error) {
    // What has an end was cut off.
    if (errorCode(error) !== 'client/cut') throw error;
  }
  return events;
}

/** What a reader is told first who comes back with this. */
async function firstPage(after: string): Promise<unknown> {
  const feed = new EventFeed({ clock, onWanted: () => {} } as unknown as ConstructorParameters<typeof EventFeed>[0]);
  const topics = new Set(eventTopics);
  const options = { topics, onCut: () => {} };
  const one = feed.read(options);
  await one.next();
  for (let i = 0; i < 3; i += 1) feed.add('pin', 'pin', `{"i":${i}}`);
  const back = feed.read({ ...options, after });
  const pages = [(await back.next()).value, (await one.next()).value];
  feed.close();
  return pages;
}

const password = 'password';
const base64url = (text: string): string => Buffer.from(text).toString('base64url');

/** Signed well, whatever it says. */
function signed(header: string, claims: string): string {
  const head = `${base64url(header)}.${base64url(claims)}`;
  return `${head}.${createHmac('sha256', password).update(head).digest('base64url')}`;
}

const config = initialService({ hostname: 'host', secret: '00'.repeat(32) });
const environment = [
  `CLUSTER_SECRET=${'11'.repeat(32)}`,
  'CLUSTER_PEERNAME=a',
  'CLUSTER_REPLICATIONFACTORMIN=-1',
  'CLUSTER_LISTENMULTIADDRESS=/ip4/0.0.0.0/tcp/9096,/ip4/0.0.0.0/udp/9096/quic',
  'CLUSTER_RESTAPI_BASICAUTHCREDENTIALS=a:b,c:d',
  'CLUSTER_RESTAPI_HEADERS={"a":["b"]}',
  'CLUSTER_RESTAPI_READTIMEOUT=1m30s',
  'CLUSTER_RESTAPI_CORSALLOWCREDENTIALS=true',
  'CLUSTER_IPFSHTTP_PINTIMEOUT=24h',
  'CLUSTER_RAFT_INITPEERSET=12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5',
];

/** A host of each kind, which the first input starts; it takes the bytes as they are. */
function listening(secret: Uint8Array | null): Pick<FuzzTarget, 'parse' | 'close'> {
  const start = async () => {
    const privateKey = privateKeyToProtobuf(await generateKeyPair('Ed25519'));
    const listen = ['/ip4/127.0.0.1/tcp/0'];
    const host = await createHost({ privateKey, secret, listen }, { logger: silentLogger });
    await host.start();
    return { host, port: Number(/tcp\/(\d+)/.exec(String(host.addresses()[0]))?.[1]) };
  };
  let running: ReturnType<typeof start> | undefined;
  return {
    parse: async (input) => {
      running ??= start();
      const socket = connect({ port: (await running).port, host: '127.0.0.1' });
      let answered = 0;
      try {
        await once(socket, 'connect');
        for (const piece of cut(input)) socket.write(piece);
        socket.end();
        for await (const piece of socket) answered += (piece as Buffer).length;
      } catch (error) {
        if (errorCode(error) !== 'ECONNRESET' && errorCode(error) !== 'EPIPE') throw error;
      } finally {
        socket.destroy();
      }
      return answered;
    },
    close: async () => {
      await (await running)?.host.stop();
      running = undefined;
    },
  };
}

function firstValue(bytes: Uint8Array): Uint8Array {
  const buffer = new ValueBuffer(bytes.length);
  buffer.push(bytes);
  return buffer.next() ?? bytes;
}

const list = 'pins all';

/** Targets of the newer doors. */
export const doorTargets: readonly FuzzTarget[] = [
  {
    name: 'events',
    form: 'text',
    seeds: texts([
      'id: abc-1\nevent: pinned\ndata: {"cid":"a"}\n\n',
      ': hello\n\nid: 1\r\ndata: a\r\ndata: b\r\n\r\nevent: reset\ndata:\n\n',
      'retry: 5\nid\ndata\n\ndata: x',
    ]),
    words: ['\n', '\r\n', '\n\n', 'data:', 'id:', 'event:', ':', '\r'],
    parse: eventsIn,
  },
  {
    name: 'client-lines',
    form: 'json',
    seeds: texts(['{"cid":"a"}\n{"cid":"b"}\n', '\n\n[]', '{"a":']),
    words: ['\n', '\r\n', '{}\n'],
    parse: (input) => drain(linesOf(stream(input))),
  },
  {
    name: 'event-id',
    form: 'text',
    seeds: texts(['gy3k2q8pa0ow-1', `${clock.wallNanos().toString(36)}-2`, '0-0']),
    words: ['-', clock.wallNanos().toString(36), '9007199254740993', '1e3', '-1', '1.5'],
    parse: (input) => firstPage(utf8(input)),
  },
  {
    name: 'cursor',
    form: 'text',
    seeds: texts([formatCursor(utf8Encode('place'), list), formatCursor(new Uint8Array(40), list)]),
    parse: (input) => {
      const text = utf8(input);
      const place = parseCursor(text, list);
      assert.equal(formatCursor(place, list), text);
      return place;
    },
  },
  {
    name: 'pin-search',
    form: 'text',
    seeds: texts([
      'search=name&match=partial&meta-k=v&created-after=2020-01-01T00:00:00Z',
      'name=a&match=iexact&before=2020-01-01T00:00:00Z&after=2019-01-01T00:00:00Z',
    ]),
    words: ['&', '=', 'meta-', 'name=', 'match=', 'before=', 'after=', '%', '%00'],
    parse: (input) => parsePinSearch(parseQuery(utf8(input))),
  },
  {
    name: 'token-claims',
    form: 'json',
    seeds: texts(['{"iss":"user"}', '{"iss":"user","exp":1800000000,"nbf":1,"iat":2,"scope":"read","jti":"x"}']),
    words: ['"exp":', '"nbf":', '"iss":"__proto__"', '1e999', '-1'],
    parse: (input) => {
      const claims = utf8(input);
      const passwordOf = (user: string): string | undefined => (user === 'user' ? password : undefined);
      const found = verifyToken(signed('{"alg":"HS256","typ":"JWT"}', claims), passwordOf, 1_700_000_000);
      if (found !== undefined) assert.equal(found.issuer, 'user');
      // Nothing that is said of the algorithm may make a token of what nobody has signed.
      const unsigned = `${base64url(claims)}.${base64url('{"iss":"user"}')}.`;
      assert.equal(verifyToken(unsigned, passwordOf, 1_700_000_000), undefined);
      return found;
    },
  },
  {
    name: 'environment',
    form: 'text',
    seeds: texts([environment.join('\n'), ...environment]),
    words: ['\n', '=', ',', ':', '/ip4/', 'CLUSTER_', '-1', 'true', '{}', '[]'],
    parse: (input) => {
      const pairs = utf8(input)
        .split('\n')
        .map((line) => line.split(/=(.*)/s, 2));
      return overrideService(config, Object.fromEntries(pairs), () => {});
    },
    // All of the configuration comes back, changed or not.
    weightPerByteMax: 4096,
  },
  {
    name: 'raft-request',
    // A byte, then msgpack.
    form: 'msgpack',
    seeds: () => recorded(['raft'], /request/i),
    parse: (input) => decodeRequest(input[0] ?? 0, input.subarray(1)),
  },
  {
    name: 'raft-snapshot-request',
    form: 'msgpack',
    // What is recorded goes on with the snapshot.
    seeds: () => recorded(['raft'], /snapshot.*request/i).map((bytes) => firstValue(bytes.subarray(1))),
    parse: (input) => decodeSnapshotRequest(input),
  },
  {
    name: 'libp2p',
    form: 'bytes',
    seeds: () => [
      bytesOf('\x13/multistream/1.0.0\n\x07/noise\n'),
      Buffer.concat([bytesOf('\x13/multistream/1.0.0\n\x07/noise\n'), Buffer.alloc(34, 1)]),
      bytesOf('\x13/multistream/1.0.0\n\x0b/tls/1.0.0\n\x16\x03\x01'),
    ],
    words: [bytesOf('\x13/multistream/1.0.0\n'), bytesOf('\x07/noise\n'), bytesOf('\x03ls\n'), bytesOf('\x03na\n')],
    ...listening(null),
  },
  {
    name: 'private-network',
    form: 'bytes',
    seeds: () => [Buffer.alloc(24, 7), Buffer.alloc(100, 7)],
    ...listening(new Uint8Array(32).fill(7)),
  },
];
