/** Texts, JSON, msgpack and protobuf of the model: what comes in requests and messages. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { isFlatService, readFlatService, readService } from '../../../src/model/config/index.ts';
import * as model from '../../../src/model/index.ts';
import { parseChunker } from '../../../src/unixfs/chunker.ts';
import { bytesOf, type FuzzTarget, utf8 } from '../target.ts';

const vectorFile = (name: string): string => readFileSync(new URL(`../../vectors/${name}`, import.meta.url), 'utf8');

interface Vector {
  readonly name: string;
  readonly type: string;
  readonly hex: string;
}

/** Recorded bytes of the files, all or those whose type matches. */
export function recorded(files: readonly string[], type: RegExp = /./): Uint8Array[] {
  return files.flatMap((file) => {
    const { vectors } = JSON.parse(vectorFile(`wire/${file}.json`)) as { vectors: Vector[] };
    return vectors.filter((vector) => type.test(vector.type)).map(({ hex }) => Buffer.from(hex, 'hex'));
  });
}

const cids = [
  'QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN',
  'bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am',
  'bafyreihltcnuuyqp2jm24aqydpnlj7b6w3ogwrplomrjtg5rifv44mmjey',
  'f01551220c3c4733ec8affd06cf9e9ff50ffc6bcd2ec85a6170004bb709669c31de94391a',
  'zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA',
  'uAXASIMPEcz7Ir_0Gz56f9Q_8a80uyFphcABLtwlmnDHelDka',
  'k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8',
  'bafkqablimvwgy3y',
];
const addresses = [
  '/ip4/127.0.0.1/tcp/9096/p2p/12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5',
  '/ip6zone/eth0/ip6/fe80::1/udp/4001/quic-v1/webtransport/certhash/uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g',
  '/dns4/example.org/tcp/443/wss',
  '/unix/tmp/api.sock',
  '/ip4/10.0.0.1/ipcidr/8',
  '/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:1234',
  '/dnsaddr/bootstrap.libp2p.io',
];
const peers = [
  '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5',
  'QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC',
  'bafzaajaiaejcbpeg4n7ux2lqtxmlkzhkvjcnl5bmcsyh3wdzsmuyiu2pu4mcjqzr',
  'k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8',
];
const query =
  'replication-min=1&replication-max=3&name=a%20b&mode=direct&shard-size=100&user-allocations=a,b&expire-at=2030-01-02T03:04:05Z' +
  `&expire-in=24h&pin-update=${cids[0]}&meta-a=b&meta-%C3%A9=%ff&origins=${encodeURIComponent(addresses[0] ?? '')}&arg=x&arg=/ipfs/${cids[1]}`;

const now = model.timeFromNanos(1_700_000_000_000_000_000n);
/** Those of the texts that have a binary form: not all that is read as text has one. */
function binary(list: readonly string[], encode: (text: string) => Uint8Array): Uint8Array[] {
  return list.flatMap((text) => {
    try {
      return [encode(text)];
    } catch {
      // A seed of the text form only.
      return [];
    }
  });
}

const texts =
  (list: readonly string[]): (() => Uint8Array[]) =>
  () =>
    list.map(bytesOf);

const jsonSeeds: readonly string[] = ['lists', 'pins', 'basic', 'peers', 'recover', 'add']
  .map((file) => vectorFile(`rest/${file}.json`))
  .flatMap((text) =>
    [...text.matchAll(/"body": ("(?:[^"\\]|\\.)*")/g)].map(([, body = '""']) => String(JSON.parse(body))),
  )
  .flatMap((body) => body.split('\n'))
  .filter((line) => line.startsWith('{') || line.startsWith('['));

const jsons = Object.entries(model).flatMap(([name, value]) =>
  name.endsWith('Json') && typeof value === 'object' && 'parse' in value && 'print' in value
    ? [value as model.Json<unknown>]
    : [],
);

interface AnyCodec {
  encode(value: never): Uint8Array;
  decode(bytes: Uint8Array): unknown;
  decodeAt(bytes: Uint8Array, offset: number): { readonly value: unknown; readonly end: number } | undefined;
}

const isCodec = (value: unknown): value is AnyCodec =>
  typeof value === 'object' && value !== null && 'decode' in value && 'decodeAt' in value;

const rpcCodecs: readonly AnyCodec[] = [
  ...Object.values(model.methods).flatMap((rows) => Object.values(rows).flatMap((row) => [row.argument, row.reply])),
  ...Object.values(model.raftLeaderMethods).flatMap((row) => [row.argument, row.reply]),
  model.metricCodec,
  model.rpcResponseCodec,
  model.serviceIdCodec,
  model.raftCommandCodec,
  model.snapshotRecordCodec,
];
const raftCodecs: readonly AnyCodec[] = Object.entries(model)
  .filter(([name]) => /^(raft(?!Command)|append|request|install|timeout)\w*Codec$/.test(name))
  .flatMap(([, value]) => (isCodec(value) ? [value] : []));

/** Each codec on its own, so that the refusal of one does not hide the next; refusals are counted, anything else is thrown. */
function eachOf<T>(items: readonly T[], read: (item: T) => unknown, isRefusal: (error: unknown) => boolean): unknown[] {
  return items.map((item) => {
    try {
      return read(item);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return undefined;
    }
  });
}

const isCoded = (error: unknown): boolean =>
  error instanceof Error &&
  /^(model|base)\//.test(String((error as { code?: unknown }).code)) &&
  (error as { code?: unknown }).code !== 'base/assertion';

function decodeAll(codecs: readonly AnyCodec[], input: Uint8Array): unknown[] {
  return eachOf(
    codecs,
    (codec) => {
      const found = codec.decodeAt(input, 0);
      if (found === undefined) return undefined;
      assert.ok(found.end <= input.length);
      // What was read can be written, and is read again as the same.
      const written = codec.encode(found.value as never);
      const again = codec.decode(written);
      assert.deepEqual(Buffer.from(codec.encode(again as never)), Buffer.from(written));
      return found.value;
    },
    isCoded,
  );
}

const msgpackWeight = 64 * (rpcCodecs.length + raftCodecs.length);

/** Targets of the model. */
export const modelTargets: readonly FuzzTarget[] = [
  {
    name: 'query',
    form: 'text',
    seeds: texts([query, ...query.split('&'), 'filter=pinned,error', 'filter=all', '2h45m', '-1.5us', '1ms']),
    words: ['meta-', 'origins=', 'expire-in=', '%', '&', '=', '+', 'h', 'm', 's', '-', '.', ','],
    parse: (input) => {
      const text = utf8(input);
      return eachOf(
        [
          () => model.parseQuery(text),
          () => model.parsePinOptions(model.parseQuery(text), now),
          () => model.parseStatusFilter(text.replace(/^filter=/, '')),
          () => model.parsePinTypeFilter(text.replace(/^filter=/, '')),
          () => model.parseGoDuration(text),
          () => model.parseTime(text),
        ],
        (read) => read(),
        isCoded,
      );
    },
    weightPerByteMax: 256,
  },
  {
    name: 'add-params',
    form: 'text',
    seeds: texts([
      'layout=trickle&chunker=size-262144&raw-leaves=true&hidden=true&wrap-with-directory=true&progress=true&cid-version=1',
      'hash=sha2-512&format=car&shard=true&local=true&stream-channels=false&nocopy=true&no-pin=true&chunker=rabin-16-64-128',
      `name=a&${query}`,
    ]),
    words: ['chunker=', 'rabin-', 'size-', 'buzhash', 'hash=', 'layout=', '-', '&', '=', 'true', 'false'],
    parse: (input) => {
      const params = model.parseAddParams(model.parseQuery(utf8(input)), now);
      parseChunker(params.chunker);
      return params;
    },
  },
  {
    name: 'time',
    form: 'text',
    seeds: texts([
      '2030-01-02T03:04:05Z',
      '2030-01-02T03:04:05.123456789+05:30',
      '0001-01-01T00:00:00Z',
      '9999-12-31T23:59:59Z',
    ]),
    words: ['Z', 'T', '+', '-', ':', '.', '24', '60', '00'],
    parse: (input) => {
      const time = model.parseTime(utf8(input));
      const text = model.formatTime(time);
      assert.deepEqual(model.parseTime(text), time);
      return text;
    },
  },
  {
    name: 'cid',
    form: 'text',
    seeds: texts(cids),
    words: ['b', 'z', 'f', 'Qm', 'u', 'k', 'm', '9'],
    parse: (input) => {
      const cid = model.Cid.parse(utf8(input));
      assert.ok(model.Cid.parse(cid.toString()).equals(cid));
      return [cid.bytes, cid.toString(), cid.codec, cid.multihash];
    },
  },
  {
    name: 'cid-bytes',
    form: 'bytes',
    seeds: () => binary(cids, (text) => model.Cid.parse(text).bytes),
    parse: (input) => {
      const cid = model.Cid.decode(input);
      assert.ok(model.Cid.parse(cid.toString()).equals(cid));
      return [cid.bytes, cid.toString(), cid.codec, cid.multihash];
    },
  },
  {
    name: 'multiaddr',
    form: 'text',
    seeds: texts(addresses),
    words: [
      '/',
      '/ip4/',
      '/ip6/',
      '/tcp/',
      '/p2p/',
      '/ipfs/',
      '/dns4/',
      '/unix/',
      '/onion3/',
      '/certhash/',
      '/ipcidr/',
      '%',
      '::',
    ],
    parse: (input) => {
      const address = model.parseMultiaddr(utf8(input));
      return [address, model.peerIdOfMultiaddr(address), model.multiaddrToBytes(address)];
    },
  },
  {
    name: 'multiaddr-bytes',
    form: 'bytes',
    seeds: () => binary(addresses, (text) => model.multiaddrToBytes(text)),
    parse: (input) => {
      const address = model.multiaddrFromBytes(input);
      return [address, model.peerIdOfMultiaddr(address)];
    },
  },
  {
    name: 'peer-id',
    form: 'text',
    seeds: texts(peers),
    parse: (input) => {
      const peer = model.parsePeerId(utf8(input));
      assert.equal(model.peerIdFromBytes(model.peerIdToBytes(peer)), peer);
      return peer;
    },
  },
  {
    name: 'peer-id-bytes',
    form: 'bytes',
    seeds: () => binary(peers, (text) => model.peerIdToBytes(model.parsePeerId(text))),
    parse: (input) => model.peerIdFromBytes(input),
  },
  {
    name: 'json',
    form: 'json',
    seeds: texts(jsonSeeds),
    parse: (input) => eachOf(jsons, (json) => json.print(json.parse(utf8(input))), isCoded),
    // Printing writes all fields, wanted or not, for each of the types.
    weightPerByteMax: 64 * jsons.length,
  },
  {
    name: 'msgpack',
    form: 'msgpack',
    seeds: () => recorded(['rpc-types', 'decode-tolerance', 'pubsub-metrics', 'raft-logop', 'live-captures', 'state']),
    parse: (input) => decodeAll(rpcCodecs, input),
    weightPerByteMax: msgpackWeight,
  },
  {
    name: 'msgpack-raft',
    form: 'msgpack',
    seeds: () => recorded(['raft', 'live-captures']),
    parse: (input) => decodeAll(raftCodecs, input),
    weightPerByteMax: msgpackWeight,
  },
  {
    name: 'protobuf-pin',
    form: 'protobuf',
    seeds: () => recorded(['state'], /pb\.Pin/),
    parse: (input) => {
      const cid = model.Cid.parse(cids[1] ?? '');
      const pin = model.decodePin(input, cid);
      const written = model.encodePin(pin);
      assert.deepEqual(Buffer.from(model.encodePin(model.decodePin(written, cid))), Buffer.from(written));
      const stored = new model.StoredPin(model.stateKey(cid), input);
      const lines = new model.PinLines();
      lines.add(stored);
      assert.equal(utf8(lines.take()), `${model.pinJson.print(pin)}\n`);
      return pin;
    },
  },
  {
    name: 'status-rows',
    form: 'bytes',
    seeds: () => {
      const writer = new model.StatusRowWriter();
      for (const text of cids.slice(0, 3)) {
        const key = model.stateKey(model.Cid.parse(text));
        writer.add({
          key,
          status: 'pin_error',
          timestamp: now,
          error: 'why',
          attemptCount: 3,
          priorityPin: true,
          pin: pinHeader(text),
        });
      }
      return [writer.take()];
    },
    parse: (input) =>
      model.readStatusRows(input).map(({ pin, ...row }) => [row, pin?.cid.toString(), pin?.name, pin?.allocations]),
  },
  {
    name: 'config',
    form: 'json',
    seeds: () => ['config/service.raft.json', 'config/service.seed-2017.json'].map((file) => bytesOf(vectorFile(file))),
    words: ['"-1"', '"1h"', '"/ip4/0.0.0.0/tcp/0"'],
    parse: (input) => {
      const json = JSON.parse(utf8(input));
      return isFlatService(json) ? readFlatService(json, 'host', () => {}) : readService(json, () => {});
    },
    // `io/config` parses the text, and tells where it broke.
    isRefusal: (error) => error instanceof SyntaxError,
  },
];

function pinHeader(text: string): model.PinHeader {
  const cid = model.Cid.parse(text);
  return { cid, name: 'name', allocations: [peers[0] ?? ''], origins: null, metadata: { a: 'b' }, timestamp: now };
}
