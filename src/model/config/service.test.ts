import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { errorCode, errorMessage } from '../../base/index.ts';
import type { Json } from './json.ts';
import { initialService, overrideService, readService, writeService } from './service.ts';
import type { ServiceConfig } from './types.ts';

const vectors = new URL('../../../test/vectors/config/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, vectors), 'utf8');
const raftFile = read('service.raft.json');
const ignore = (): void => {};
const load = (json: Json, environment: Record<string, string> = {}): ServiceConfig =>
  overrideService(readService(json, ignore), environment, ignore);

test('readService and writeService give back the file of Go byte for byte', () => {
  const config = readService(JSON.parse(raftFile), (message) => assert.fail(message));
  assert.equal(JSON.stringify(writeService(config, { form: 'file' }), null, 2), raftFile);
});

test('initialService writes the file that Go writes', () => {
  const secret = '0123456789abcdef'.repeat(4);
  const written = writeService(initialService({ hostname: 'myhost', secret }), { form: 'file' });
  assert.equal(JSON.stringify(written, null, 2), raftFile);
});

test('overrideService gives every recorded variable the recorded effect', () => {
  const rows = read('env-vars.tsv')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'));
  const ours = rows.filter(([variable = '']) => !/^CLUSTER_(CRDT|PEBBLE|BADGER|BADGER3|LEVELDB)_/.test(variable));
  const environment = Object.fromEntries(ours.map(([variable, value]) => [variable, value]));
  const written = writeService(load(JSON.parse(raftFile), environment), { form: 'file' });
  for (const [variable, , key = '', result = ''] of ours) {
    const found = key.split('.').reduce<unknown>((at, name) => Object(at)[name], written);
    assert.deepEqual(found ?? null, JSON.parse(result), variable);
  }
  assert.ok(ours.length > 90, `only ${ours.length} variables were compared`);
});

test('keys of healing are optional, read from file and environment, and written only when they are not the default', () => {
  const json = JSON.parse(raftFile);
  const { repinGracePeriodMs, repinMaxPerSecond } = load(json).cluster;
  assert.deepEqual([repinGracePeriodMs, repinMaxPerSecond], [120_000, 100]);
  json.cluster.repin_grace_period = '30s';
  const changed = load(json, { CLUSTER_REPINMAXPERSECOND: '7' });
  assert.deepEqual([changed.cluster.repinGracePeriodMs, changed.cluster.repinMaxPerSecond], [30_000, 7]);
  const written = Object(writeService(changed, { form: 'file' }).cluster);
  assert.deepEqual([written.repin_grace_period, written.repin_max_per_second], ['30s', 7]);
  const refused: readonly (readonly [string, Record<string, string>])[] = [
    ['CLUSTER_REPINGRACEPERIOD (cluster.repin_grace_period)', { CLUSTER_REPINGRACEPERIOD: '0s' }],
    ['CLUSTER_REPINMAXPERSECOND (cluster.repin_max_per_second)', { CLUSTER_REPINMAXPERSECOND: '-1' }],
  ];
  for (const [where, environment] of refused) {
    assert.throws(
      () => load(JSON.parse(raftFile), environment),
      (error) => errorMessage(error).startsWith(where) && errorMessage(error).endsWith('expected more than 0'),
    );
  }
});

/** Where we refuse what Go takes silently, or with a default: the file says something that cannot be meant. */
const stricter = new Set([
  'RAFT consensus.raft.wait_for_leader_timeout = "x"',
  'RAFT consensus.raft.init_peerset = ["foo"]',
]);

test('readService and overrideService accept and refuse what Go does', () => {
  let compared = 0;
  for (const [, entry = '', exit] of read('validation.txt').matchAll(/^\* (.*): exit (\d)$/gm)) {
    const changed = changedService(entry);
    if (changed === undefined) continue;
    compared++;
    const expected = stricter.has(entry) ? '1' : exit;
    try {
      load(changed.json, changed.environment);
      assert.equal('0', expected, entry);
    } catch (error) {
      assert.equal(errorCode(error), 'config/bad-value', `${entry}: ${errorMessage(error)}`);
      assert.equal('1', expected, `${entry}: ${errorMessage(error)}`);
      assert.match(errorMessage(error), /^[A-Za-z_. ()0-9]+: found .+, expected .+$/);
    }
  }
  assert.ok(compared > 50, `only ${compared} entries were compared`);
});

/** The recorded change applied to the file; `undefined` for what concerns CRDT, its databases, and files. */
function changedService(entry: string): { json: Json; environment: Record<string, string> } | undefined {
  if (/crdt|datastore|CRDT|CLUSTER_ID|CLUSTER_PRIVATEKEY|^consensus|ssl_cert_file|json|comma|file$/.test(entry)) {
    return undefined;
  }
  const json = JSON.parse(raftFile);
  const variable = /^ENV \{'(.*)': '(.*)'\}$/.exec(entry);
  if (variable !== null) return { json, environment: { [variable[1] ?? '']: variable[2] ?? '' } };
  if (entry === '{}') return { json: {}, environment: {} };
  const [path = '', value = ''] = entry.replace(/^RAFT /, '').split(/ = (.*)/s);
  const names = path.split('.');
  const last = names.pop() ?? '';
  const at = names.reduce((node, name) => node[name], json);
  if (value === '"DEL"') delete at[last];
  else at[last] = JSON.parse(value);
  return { json, environment: {} };
}

test('readService tells unknown keys with the nearest known one', () => {
  const warnings: string[] = [];
  const json = JSON.parse(raftFile);
  json.cluster.repication_factor_min = 2;
  json.api.restappi = {};
  json.consensus.raft.zzzzzzzzzzzz = 1;
  readService(json, (message) => warnings.push(message));
  assert.deepEqual(warnings.sort(), [
    'unknown key api.restappi has no effect; did you mean api.restapi?',
    'unknown key cluster.repication_factor_min has no effect; did you mean cluster.replication_factor_min?',
    'unknown key consensus.raft.zzzzzzzzzzzz has no effect',
  ]);
});

test('overrideService tells unknown variables with the nearest known one', () => {
  const warnings: string[] = [];
  const config = readService(JSON.parse(raftFile), ignore);
  overrideService(config, { CLUSTER_PEERNAMES: 'x', CLUSTER_CREDENTIALS: 'a:b', HOME: '/' }, (message) =>
    warnings.push(message),
  );
  assert.deepEqual(warnings, [
    'unknown environment variable CLUSTER_PEERNAMES has no effect; did you mean CLUSTER_PEERNAME?',
  ]);
});

test('readService takes keys of any letter case, and null as missing', () => {
  const json = JSON.parse(raftFile);
  json.CLUSTER = { ...json.cluster, SECRET: 'AB'.repeat(32), peername: null };
  delete json.cluster;
  delete json.CLUSTER.secret;
  const { cluster } = load(json);
  assert.equal(cluster.secret, 'ab'.repeat(32));
  assert.equal(cluster.peername, '');
});

test('readService leaves out what has no section, and gives the rest its defaults', () => {
  const config = load({ cluster: { listen_multiaddress: '/ip4/127.0.0.1/tcp/1' } });
  assert.equal(config.restapi, undefined);
  assert.equal(config.raft, undefined);
  assert.equal(config.ipfshttp.pinTimeoutMs, 120_000);
  assert.deepEqual(config.balanced.allocateBy, ['freespace']);
  // Hand-written files without these keys mean false, as in Go.
  assert.equal(config.cluster.disableRepinning, false);
  assert.equal(config.cluster.connectionManager.highWater, 400);
});

test('the embedded IPFS node is configured by a section of its own', () => {
  const json = JSON.parse(raftFile);
  json.ipfs_connector.embedded = { storage_max_bytes: 5 };
  assert.equal(load(json).embedded?.storageMaxBytes, 5);
  assert.equal(load(json).embedded?.repoFolder, 'ipfs');
  assert.equal(load(json, { CLUSTER_EMBEDDED_REPOFOLDER: 'other' }).embedded?.repoFolder, 'other');
  assert.equal(load(JSON.parse(raftFile)).embedded, undefined);
});

test('errors name the key, what was found and what was expected', () => {
  const cases: [string, Json, string][] = [
    ['dial_peer_timeout', 5, 'cluster.dial_peer_timeout: found 5, expected a duration such as "30s" or "1h30m"'],
    ['dial_peer_timeout', '0s', 'cluster.dial_peer_timeout: found "0s", expected more than 0'],
    ['listen_multiaddress', null, 'cluster.listen_multiaddress: found nothing, expected at least one value'],
    ['replication_factor_min', '1', 'cluster.replication_factor_min: found "1", expected an integer'],
    [
      'secret',
      'abcd',
      'cluster.secret: found "XXX_hidden_XXX", expected 64 hexadecimal digits, or an empty text for an open network',
    ],
  ];
  for (const [key, value, text] of cases) {
    const json = JSON.parse(raftFile);
    json.cluster[key] = value;
    assert.throws(() => load(json), { message: text });
  }
  assert.throws(() => load(JSON.parse(raftFile), { CLUSTER_REPLICATIONFACTORMIN: 'x' }), {
    message: 'CLUSTER_REPLICATIONFACTORMIN (cluster.replication_factor_min): found "x", expected an integer',
  });
});

test('writeService masks what must not be seen', () => {
  const json = JSON.parse(raftFile);
  json.api.restapi.basic_auth_credentials = { user: 'password' };
  const text = JSON.stringify(writeService(load(json), { form: 'display' }));
  assert.doesNotMatch(text, /0123456789abcdef|password"/);
  assert.match(text, /"secret":"XXX_hidden_XXX"/);
});

test('informer.numpin is there when its section is, and read like the others', () => {
  const withNumpin = (section: Json): Json => {
    const file = JSON.parse(raftFile) as { informer: Record<string, Json> }; // the file of Go has the section
    return { ...file, informer: { ...file.informer, numpin: section } };
  };
  assert.equal(load(JSON.parse(raftFile)).numpin, undefined);
  assert.deepEqual(load(withNumpin({})).numpin, { metricTtlMs: 10_000 });
  const config = load(withNumpin({ metric_ttl: '20s' }), { CLUSTER_NUMPIN_METRICTTL: '30s' });
  assert.deepEqual(config.numpin, { metricTtlMs: 30_000 });
  const written = writeService(config, { form: 'file' });
  assert.deepEqual(Object(written.informer).numpin, { metric_ttl: '30s' });
  assert.throws(() => load(withNumpin({ metric_ttl: '0s' })), {
    code: 'config/bad-value',
    message: /informer.numpin.metric_ttl/,
  });
});
