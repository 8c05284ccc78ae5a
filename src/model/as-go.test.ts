/**
 * What has gone wrong between clients and clusters before, each against everything that was recorded of the reference: whatever it
 * has answered is read, and printed to the same bytes.
 */
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { type Exchange, readExchanges } from '../../test/support/rest-vectors.ts';
import {
  alertsJson,
  Cid,
  connectGraphJson,
  decodePin,
  encodePin,
  globalPinInfoJson,
  globalRepoGcJson,
  idJson,
  type Json,
  metricsJson,
  multiaddrFromBytes,
  multiaddrToBytes,
  parsePinOptions,
  parseQuery,
  pinJson,
  stateKey,
  textsJson,
  versionJson,
} from './index.ts';

const files = ['basic', 'pins', 'lists', 'paths', 'cid-forms', 'recover', 'failures', 'peers', 'follower', 'shards'];
const exchanges = (await Promise.all(files.map((file) => readExchanges(file)))).flat();
const peer = '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5';
const now = { seconds: 1_700_000_000, nanos: 5 };

const pinForm = { name: 'pins', json: pinJson as Json<unknown> };
const statusForm = { name: 'states of pins', json: globalPinInfoJson as Json<unknown> };

/** What a route answers with, by method and path. */
const forms: readonly (readonly [RegExp, { readonly name: string; readonly json: Json<unknown> }])[] = [
  [/^GET \/allocations/, pinForm],
  [/^POST \/pins.*\/recover/, statusForm],
  [/^(POST|DELETE) \/pins/, pinForm],
  [/^GET \/pins/, statusForm],
  [/^(GET \/id|GET \/peers|POST \/peers)/, { name: 'ids', json: idJson as Json<unknown> }],
  [/^GET \/version/, { name: 'versions', json: versionJson as Json<unknown> }],
  [/^GET \/health\/graph/, { name: 'graphs', json: connectGraphJson as Json<unknown> }],
  [/^GET \/health\/alerts/, { name: 'alerts', json: alertsJson as Json<unknown> }],
  [/^GET \/monitor\/metrics\/./, { name: 'metrics', json: metricsJson as Json<unknown> }],
  [/^GET \/monitor\/metrics/, { name: 'names of metrics', json: textsJson as Json<unknown> }],
  [/^POST \/ipfs\/gc/, { name: 'collections', json: globalRepoGcJson as Json<unknown> }],
];

/** Lines of successful answers, by form. */
function recorded(): Map<string, { readonly json: Json<unknown>; readonly lines: [name: string, line: string][] }> {
  const found = new Map<string, { readonly json: Json<unknown>; readonly lines: [string, string][] }>();
  for (const { name, request, response } of exchanges) {
    if (response.status !== 200) continue;
    const form = forms.find(([pattern]) => pattern.test(`${request.method} ${request.path}`))?.[1];
    if (form === undefined) continue;
    const lines = response.body.split('\n').filter((line) => line !== '');
    const known = found.get(form.name) ?? { json: form.json, lines: [] };
    known.lines.push(...lines.map((line): [string, string] => [name, line]));
    found.set(form.name, known);
  }
  return found;
}

describe('JSON empties, nulls and zero times are as Go prints them (R40)', () => {
  const all = recorded();
  it('all forms are recorded', () => assert.equal(all.size, new Set(forms.map(([, { name }]) => name)).size));
  for (const [form, { json, lines }] of all) {
    it(`${lines.length} ${form}`, () => {
      for (const [name, line] of lines) assert.equal(json.print(json.parse(line)), line, name);
    });
  }
  it('absent, null and zero of a pin are one on reading, and the zero time is none', () => {
    const cid = 'QmQuDGcTUH8KuJpRWLqm6TfD9Jyn15mxpPwXcWcdpoUBG3';
    const bare = pinJson.parse(`{"cid":"${cid}"}`);
    const zeros =
      `{"replication_factor_min":0,"replication_factor_max":0,"name":"","mode":"recursive","shard_size":0,` +
      `"user_allocations":null,"expire_at":"0001-01-01T00:00:00Z","metadata":null,"pin_update":null,"origins":null,` +
      `"cid":"${cid}","type":"bad-type","allocations":null,"max_depth":0,"reference":null,"timestamp":"0001-01-01T00:00:00Z"}`;
    assert.deepEqual(pinJson.parse(zeros), bare);
    assert.equal(pinJson.print(bare), zeros);
    assert.deepEqual([bare.expireAt, bare.timestamp, bare.metadata, bare.allocations], [null, null, null, null]);
    assert.equal(parsePinOptions(parseQuery('expire-at=0001-01-01T00:00:00Z'), now).expireAt, null);
  });
});

test('a CID has one identity, its bytes: version 0 and 1 are different pins, any base the same, the text is as in Go (R37)', () => {
  // One of the recorded requests names this CID in base 16.
  const v1 = Cid.parse('f0170122060bb28bc9eafe8a3f19ffdaf7bc8bee4a4c460e32d641159e88d4b9093c59d0c');
  const v0 = Cid.decode(v1.bytes.subarray(2));
  assert.match(v0.toString(), /^Qm/);
  assert.notEqual(stateKey(v0), stateKey(v1));
  assert.equal(v0.equals(v1), false);
  assert.equal(v1.toString(), v1.toString().toLowerCase());
  assert.match(v1.toString(), /^bafybei/);
  // As recorded: asked for in base 58, told in base 32; what was pinned as version 0 is not found as version 1.
  const asked = new Map(exchanges.map((exchange) => [exchange.name, exchange]));
  const pathEnd = ({ request }: Exchange): string => /\/([^/?]+)(\?.*)?$/.exec(request.path)?.[1] ?? '';
  const base58 = asked.get('status-base58-v1');
  assert.ok(base58 !== undefined);
  assert.equal(globalPinInfoJson.parse(base58.response.body).cid.toString(), Cid.parse(pathEnd(base58)).toString());
  const other = asked.get('allocation-base16-v1-not-same-as-v0');
  assert.ok(other !== undefined);
  assert.equal(other.response.status, 404);
  assert.equal(Cid.parse(pathEnd(other)).toString(), v1.toString());
  // Every CID that was recorded is printed as it was.
  let count = 0;
  for (const { response } of exchanges) {
    for (const [, text = ''] of response.body.matchAll(/"cid":"([^"]+)"/g)) {
      assert.equal(Cid.parse(text).toString(), text);
      count++;
    }
  }
  assert.ok(count > 100, `${count} CIDs`);
});

test('a multiaddr with unknown protocols is kept as text, wherever it comes from, and throws nowhere (R38)', () => {
  const unknown = '/ip4/1.2.3.4/udp/4001/quic-v9/webwhatever/abc';
  const line = JSON.stringify({ id: peer, addresses: [unknown], ipfs: { id: peer, addresses: [unknown] } });
  const id = idJson.parse(line);
  assert.deepEqual(id.addresses, [unknown]);
  assert.deepEqual(id.ipfs?.addresses, [unknown]);
  assert.equal(idJson.parse(idJson.print(id)).addresses?.[0], unknown);
  const status = globalPinInfoJson.parse(
    `{"cid":"QmQuDGcTUH8KuJpRWLqm6TfD9Jyn15mxpPwXcWcdpoUBG3","peer_map":{"a":{"ipfs_peer_addresses":["${unknown}"]}}}`,
  );
  assert.deepEqual(status.peerMap.a?.ipfsAddresses, [unknown]);
  assert.ok(globalPinInfoJson.print(status).includes(unknown));
  // From a newer peer's bytes, as a stored pin has them: the text gives the bytes back.
  const bytes = Uint8Array.from([0x04, 1, 2, 3, 4, 0xff, 0xff, 0x03, 9, 9]);
  const text = multiaddrFromBytes(bytes);
  assert.deepEqual(multiaddrToBytes(text), bytes);
  const cid = Cid.parse('QmQuDGcTUH8KuJpRWLqm6TfD9Jyn15mxpPwXcWcdpoUBG3');
  const pin = { ...pinJson.parse(`{"cid":"${cid}","type":"pin","max_depth":-1}`), origins: [text] };
  assert.deepEqual(decodePin(encodePin(pin), cid).origins, [text]);
  assert.deepEqual(pinJson.parse(pinJson.print(pin)).origins, [text]);
});

test('optional fields survive round trips, and unknown ones do no harm (R39)', () => {
  const cid = Cid.parse('QmQuDGcTUH8KuJpRWLqm6TfD9Jyn15mxpPwXcWcdpoUBG3');
  const origins = [`/ip4/1.2.3.4/tcp/4001/p2p/${peer}`, `/dns4/example.org/tcp/4001/p2p/${peer}`];
  const metadata = { '': 'empty key', __proto__x: 'y', ключ: 'значение', a: '', 'new\nline': '\u0000' };
  const full = {
    ...pinJson.parse(`{"cid":"${cid}","type":"pin","max_depth":-1,"name":"n\\u2028","shard_size":7}`),
    origins,
    metadata,
    pinUpdate: Cid.parse('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy'),
    expireAt: { seconds: 1_900_000_000, nanos: 0 },
    timestamp: { seconds: 1_700_000_000, nanos: 0 },
    reference: cid,
    allocations: [peer],
  };
  assert.deepEqual(decodePin(encodePin(full), cid), full);
  assert.deepEqual(pinJson.parse(pinJson.print(full)), full);
  // A newer peer's JSON, in which there is more than we know.
  const more = pinJson.print(full).replace('{', '{"new_field":{"a":[1,2,{"b":null}]},');
  assert.deepEqual(pinJson.parse(more), full);
  // And its stored pins: field 15 (bytes) and field 20 (number) behind those that are known.
  const stored = Buffer.concat([encodePin(full), Uint8Array.of(0x7a, 2, 1, 2), Uint8Array.of(0xa0, 0x01, 5)]);
  assert.deepEqual(decodePin(stored, cid), full);
});
