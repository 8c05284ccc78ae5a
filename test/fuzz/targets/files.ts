/** Files and what is in them: snapshots, logs, CARs, objects, the folder of a peer. */
import { readFileSync } from 'node:fs';
import { CarBlockIterator } from '@ipld/car';
import * as dagCbor from '@ipld/dag-cbor';
import * as dagPb from '@ipld/dag-pb';
import { CID } from 'multiformats/cid';
import { concatBytes, silentLogger, utf8Encode, varintEncode } from '../../../src/base/index.ts';
import { readSnapshotPins } from '../../../src/cluster/pinset-snapshot.ts';
import { openCar } from '../../../src/io/add/car.ts';
import { parseIdentity } from '../../../src/io/config/index.ts';
import { decodeBase, encodeBase } from '../../../src/io/consensus/base-tag.ts';
import { ndjson } from '../../../src/io/ipfs/ndjson.ts';
import { decodeRecord, RecordEncoder } from '../../../src/io/store/log-record.ts';
import { encodeMeta, readMeta } from '../../../src/io/store/snapshot-meta.ts';
import { readRecordHead } from '../../../src/ipfs-node/repo/record.ts';
import { carSections } from '../../../src/ipfs-node/rpc/car-sections.ts';
import { linksOf, parsePath } from '../../../src/ipfs-node/unixfs/index.ts';
import type { Json } from '../../../src/model/config/index.ts';
import { bytesOf, drain, type FuzzTarget, isOfLibrary, stream, utf8 } from '../target.ts';
import { recorded } from './model.ts';

const rawCid = CID.parse('bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am');
const pbCid = CID.parse('bafybeiffndsajwhk3lwjewwdxqntmjm4b5wxaaanokonsggenkbw6slwk4');
const cborCid = CID.parse('bafyreihltcnuuyqp2jm24aqydpnlj7b6w3ogwrplomrjtg5rifv44mmjey');

const peer = '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5';
const base = {
  index: 7,
  term: 2,
  configuration: { servers: [{ id: peer, suffrage: 'voter' as const }] },
  configurationIndex: 3,
};

const section = (bytes: Uint8Array): Uint8Array => concatBytes([varintEncode(bytes.length), bytes]);

/** A CAR file of two blocks. */
const carFile = concatBytes([
  section(dagCbor.encode({ roots: [rawCid], version: 1 })),
  section(concatBytes([rawCid.bytes, utf8Encode('hello\n')])),
  section(concatBytes([cborCid.bytes, dagCbor.encode({ a: 1 })])),
]);

const mark = new Uint8Array(8);

/** Bodies of records of a log, without their frames: what a checksum has held for. */
function logBodies(): Uint8Array[] {
  const encoder = new RecordEncoder();
  const entry = { type: 'command' as const, index: 8, term: 2, data: Uint8Array.of(1, 2, 3) };
  const bounds = { hard: { term: 2, votedFor: peer }, base, last: 7 };
  const records = [
    { kind: 'segment', start: { sequence: 2, previous: { size: 100, checksum: 7 }, bounds } },
    {
      kind: 'write',
      ops: [
        { type: 'put', entries: [entry] },
        { type: 'cut', from: 8 },
        { type: 'hard', state: bounds.hard },
      ],
    },
    { kind: 'closed' },
  ] as const;
  return records.map((record) => concatBytes(encoder.encode(record, mark, 0).chunks).subarray(16));
}

/** Targets of files and blocks. */
export const fileTargets: readonly FuzzTarget[] = [
  {
    name: 'snapshot',
    form: 'msgpack',
    seeds: () => recorded(['state'], /dsstate/),
    parse: (input) => drain(readSnapshotPins(stream(input), silentLogger)),
  },
  {
    name: 'snapshot-meta',
    form: 'json',
    seeds: () => [bytesOf(encodeMeta({ base, sizeBytes: 10, checksum: 5 }))],
    parse: (input) => readMeta(utf8(input)),
  },
  { name: 'snapshot-base', form: 'json', seeds: () => [encodeBase(base)], parse: (input) => decodeBase(input) },
  { name: 'log-record', form: 'bytes', seeds: logBodies, parse: (input) => decodeRecord(input) },
  {
    name: 'block-record',
    form: 'bytes',
    seeds: () => [
      Buffer.from('00000000060000002401551220', 'hex'),
      Buffer.from('000000000600000002aabb68656c6c6f0a', 'hex'),
    ],
    parse: (input) => readRecordHead(Buffer.from(input), (input[0] ?? 0) % 8),
  },
  {
    name: 'car',
    form: 'bytes',
    seeds: () => [carFile, concatBytes([carFile, carFile])],
    words: [section(concatBytes([rawCid.bytes, utf8Encode('hello\n')])), rawCid.bytes, varintEncode(2 ** 40)],
    parse: async (input) => {
      const blocks = await CarBlockIterator.fromIterable(carSections(stream(input), 1024 * 1024));
      const roots = await blocks.getRoots();
      return [roots.map(String), (await drain(blocks)).length];
    },
    // The reader is a library, whose every error the commands hand on as a failure of the upload.
    isRefusal: isOfLibrary,
  },
  {
    name: 'cluster-car',
    form: 'bytes',
    seeds: () => [carFile, concatBytes([carFile, carFile])],
    words: [section(concatBytes([rawCid.bytes, utf8Encode('hello\n')])), rawCid.bytes, varintEncode(2 ** 40)],
    parse: async (input) => {
      const { root, blocks } = await openCar(stream(input));
      return [root.toString(), (await drain(blocks())).length];
    },
  },
  {
    name: 'dag-pb',
    form: 'protobuf',
    seeds: () => [
      Buffer.from('0a0c080212066869206d756d1806', 'hex'),
      dagPb.encode(
        dagPb.prepare({
          Data: Uint8Array.of(8, 1),
          Links: [
            { Hash: rawCid, Name: 'a', Tsize: 6 },
            { Hash: pbCid, Name: 'b', Tsize: 6 },
          ],
        }),
      ),
    ],
    parse: (input) => linksOf(pbCid, input).map(({ name, cid }) => [name, String(cid)]),
  },
  {
    name: 'dag-cbor',
    form: 'bytes',
    seeds: () => [dagCbor.encode({ a: [1, { b: rawCid }], c: Uint8Array.of(1) }), dagCbor.encode([rawCid, pbCid])],
    words: [Buffer.from('d82a58', 'hex'), Uint8Array.of(0x9b), Uint8Array.of(0x81), Uint8Array.of(0xa1, 0x61, 0x61)],
    parse: (input) => linksOf(cborCid, input).map(({ cid }) => String(cid)),
  },
  {
    name: 'ipfs-path',
    form: 'text',
    seeds: () =>
      [`/ipfs/${rawCid}/a/b`, `${pbCid}`, `/ipns/example.org/x`, `ipfs://${rawCid}`, `/ipld/${cborCid}/a`].map(bytesOf),
    words: ['/ipfs/', '/ipns/', '//', '..', '.', '%2f'],
    parse: (input) => {
      const { namespace, root, rest, ...other } = parsePath(utf8(input)) as unknown as Record<string, unknown>;
      return [namespace, String(root), rest, Object.keys(other)];
    },
  },
  {
    name: 'ndjson',
    form: 'json',
    seeds: () => ['{"Key":{"/":"a"}}\n{"Error":"e"}\n', '{"Pins":["a"]}', '\n\n[]\n'].map(bytesOf),
    words: ['\n', '{', '}'],
    parse: (input) => drain(ndjson('id', stream(input))),
  },
  {
    name: 'identity',
    form: 'json',
    seeds: () => [readFileSync(new URL('../../vectors/config/identity.json', import.meta.url))],
    parse: (input) => {
      const { id, private_key: key } = Object(JSON.parse(utf8(input))) as { id?: Json; private_key?: Json };
      return parseIdentity(id, key, 'identity.json').id;
    },
    // `io/config` parses the text, and tells where it broke.
    isRefusal: (error) => error instanceof SyntaxError,
  },
];
