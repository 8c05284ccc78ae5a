import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Cid, type Pin, pinJson } from '../../../model/index.ts';
import { importPin } from './import-pin.ts';

const asTheyAre = { replicationMin: 0, replicationMax: 0, allocations: [] };
const cid = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy';
const peer = '12D3KooWBCJm4uy27rCNUQPwtsC3Wtc3M9YTP4i9c7fLFfC3ZYWT';

test('recorded export lines are imported as they are', () => {
  const file = new URL('../../../../test/vectors/wire/state.json', import.meta.url);
  const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: { type: string; decoded: string }[] };
  const lines = vectors.filter(({ type }) => type.startsWith('NDJSON')).map(({ decoded }) => decoded);
  assert.ok(lines.length >= 9);
  for (const line of lines.filter((text) => !text.includes('"cid":null'))) {
    assert.deepEqual(importPin(line, asTheyAre), pinJson.parse(line));
  }
});

const cases: readonly (readonly [Readonly<Record<string, unknown>>, Partial<Pin>])[] = [
  [{}, { type: 'pin', maxDepth: -1, replicationFactorMin: -1, replicationFactorMax: -1 }],
  [{ mode: 'direct' }, { type: 'pin', maxDepth: 0 }],
  [{ max_depth: 0 }, { maxDepth: 0 }],
  [
    { type: 'bad-type', max_depth: 2 },
    { type: 'pin', maxDepth: 2 },
  ],
  [{ type: 'shard-pin' }, { type: 'shard-pin', maxDepth: 1 }],
  [{ type: 'meta-pin' }, { type: 'meta-pin', maxDepth: 0 }],
  [{ replication_factor_min: 2 }, { replicationFactorMin: 2, replicationFactorMax: 0 }],
  [
    { Name: 'a', REPLICATION_FACTOR_MAX: 3 },
    { name: 'a', replicationFactorMax: 3 },
  ],
  // As before version 0.12.
  [{ cid: { '/': cid } }, { cid: Cid.parse(cid) }],
  [{ metadata: { Key: 'Value' }, unknown: { Any: ['thing'] } }, { metadata: { Key: 'Value' } }],
];

for (const [given, expected] of cases) {
  test(`what ${JSON.stringify(given)} leaves out has the defaults of a new pin`, () => {
    const pin = importPin(JSON.stringify({ cid, ...given }), asTheyAre);
    assert.deepEqual({ ...pin, ...expected }, pin);
  });
}

test('what the command line says replaces what is there', () => {
  const text = JSON.stringify({ cid, replication_factor_min: 5, replication_factor_max: 6, allocations: [] });
  const pin = importPin(text, { replicationMin: 1, replicationMax: 2, allocations: [peer] });
  assert.deepEqual([pin.replicationFactorMin, pin.replicationFactorMax, pin.allocations], [1, 2, [peer]]);
  assert.deepEqual(importPin(text, { ...asTheyAre, replicationMin: -1, replicationMax: -1 }).replicationFactorMin, -1);
});

for (const [given, expected] of [
  [{ cid: undefined }, /^cid: found nothing, expected a CID$/],
  [{ cid: 'foo' }, /^cid: /],
  [{ cid: { '?': cid } }, /^cid: /],
  [{ type: 'pni' }, /^type: found "pni", expected one of pin, meta-pin, clusterdag-pin, shard-pin$/],
  [{ type: 2 }, /^type: /],
  [{ name: 7 }, /^name: /],
  [{ replication_factor_max: 2 }, /^replication factors: found 3 to 2, expected/],
] as const) {
  test(`a pin with ${JSON.stringify(given)} is refused`, () => {
    const overrides = { ...asTheyAre, replicationMin: 'replication_factor_max' in given ? 3 : 0 };
    assert.throws(
      () => importPin(JSON.stringify({ cid, ...given }), overrides),
      (error: Error) => {
        assert.match(error.message.replace(/^.*?: (?=cid|type|name)/, ''), expected);
        return true;
      },
    );
  });
}
