import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type AddParams, addParameters, parseAddParams, shardSizeDefault } from './add-params.ts';
import { formatQuery, parseQuery } from './query.ts';

const now = { seconds: 1_767_225_600, nanos: 0 };
const parse = (query: string): AddParams => parseAddParams(parseQuery(query), now);

it('parseAddParams has the defaults of the reference', () => {
  const { pin, ...params } = parse('');
  assert.deepEqual(params, {
    chunker: 'size-262144',
    hash: 'sha2-256',
    layout: 'balanced',
    format: 'unixfs',
    local: false,
    recursive: false,
    hidden: false,
    wrap: false,
    shard: false,
    progress: false,
    cidVersion: 0,
    rawLeaves: false,
    streamChannels: true,
    nocopy: false,
    noPin: false,
  });
  assert.equal(pin.shardSize, 0);
});

it('parseAddParams takes raw leaves from the version unless told', () => {
  assert.equal(parse('cid-version=1').rawLeaves, true);
  assert.equal(parse('cid-version=1&raw-leaves=F').rawLeaves, false);
  assert.equal(parse('raw-leaves=1').rawLeaves, true);
});

it('parseAddParams gives shards a size', () => {
  assert.equal(parse('shard=true').pin.shardSize, shardSizeDefault);
  assert.equal(parse('shard=true&shard-size=5').pin.shardSize, 5);
});

it('parseAddParams forgets what makes no sense for adding', () => {
  const { pin } = parse('mode=direct&pin-update=QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn');
  assert.equal(pin.mode, 'recursive');
  assert.equal(pin.pinUpdate, null);
});

it('parseAddParams complains of the first bad parameter, in the order and words of the reference', () => {
  const bad = [
    ['replication-min=x', 'parameter replication-min invalid'],
    ['layout=foo', 'layout parameter is invalid'],
    ['format=foo', 'format parameter is invalid'],
    ['local=yes', 'parameter local invalid'],
    ['recursive=yes', 'parameter recursive invalid'],
    ['hidden=yes', 'parameter hidden invalid'],
    ['wrap-with-directory=yes', 'parameter wrap-with-directory invalid'],
    ['shard=yes', 'parameter shard invalid'],
    ['progress=yes', 'parameter progress invalid'],
    ['cid-version=x', 'parameter cid-version invalid'],
    ['raw-leaves=yes', 'parameter raw-leaves invalid'],
    ['stream-channels=yes', 'parameter stream-channels invalid'],
    ['nocopy=yes', 'parameter nocopy invalid'],
    ['no-pin=yes', 'parameter no-pin invalid'],
  ] as const;
  for (const [i, [, message]] of bad.entries()) {
    const query = bad.slice(i).map(([text]) => text);
    assert.throws(() => parse(query.toReversed().join('&')), { message });
  }
});

it('addParameters are read as they were written', () => {
  for (const query of [
    '',
    'shard=true&shard-size=7&layout=trickle&chunker=rabin&hash=blake3&cid-version=1&raw-leaves=false&name=a b',
    'local=1&recursive=1&hidden=1&wrap-with-directory=1&progress=1&stream-channels=0&nocopy=1&format=car&no-pin=1',
  ]) {
    const params = parse(query);
    // No metadata is written as nothing, which is read as no metadata.
    assert.deepEqual(parse(formatQuery(addParameters(params))), params);
  }
});
