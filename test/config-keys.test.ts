/** Every key of the configuration is gone by somewhere, or is told to have no effect. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  defaultsOf,
  embeddedSection,
  initialService,
  isJsonObject,
  keysWithoutEffect,
  pathsWithoutEffect,
  type ServiceConfig,
  writeService,
} from '../src/model/config/index.ts';

const src = join(import.meta.dirname, '..', 'src');

/** The code that runs a peer: what the simulator, the demo and tests say of a key is no effect. */
const code = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
  .filter((path) => !/^(model|sim|testing|embed|client|cmd\/ctl|cmd\/service\/demo)\//.test(path))
  .map((path) => readFileSync(join(src, path), 'utf8'))
  .join('\n');

const config: ServiceConfig = {
  ...initialService({ hostname: 'host', secret: '' }),
  embedded: defaultsOf(embeddedSection),
};

/** Of each key its place in the file and the name that the code has for it. */
function* keys(value: object, json: object, place: string): Generator<readonly [path: string, name: string]> {
  const names = Object.entries(value);
  for (const [index, [key, part]] of Object.entries(json).entries()) {
    const [name, own] = names[index] ?? ['', undefined];
    const path = `${place}.${key}`;
    // Groups are objects in both forms; so are maps, whose keys are their users'.
    const isGroup = isJsonObject(part) && Object.keys(part).length > 0 && !('group' in part);
    if (isGroup && typeof own === 'object' && own !== null) yield* keys(own, part, path);
    else yield [path, name];
  }
}

function* allKeys(): Generator<readonly [path: string, name: string]> {
  const file = writeService(config, { form: 'display' });
  const sections: readonly (readonly [string, object | undefined])[] = [
    ['cluster', config.cluster],
    ['consensus.raft', config.raft],
    ['api.ipfsproxy', config.ipfsproxy],
    ['api.pinsvcapi', config.pinsvcapi],
    ['api.restapi', config.restapi],
    ['ipfs_connector.embedded', config.embedded],
    ['ipfs_connector.ipfshttp', config.ipfshttp],
    ['pin_tracker.stateless', config.stateless],
    ['monitor.pubsubmon', config.pubsubmon],
    ['allocator.balanced', config.balanced],
    ['informer.disk', config.disk],
    ['informer.pinqueue', config.pinqueue],
    ['informer.tags', config.tags],
    ['observations.metrics', config.metrics],
    ['observations.tracing', config.tracing],
  ];
  for (const [path, value] of sections) {
    const [place = '', name = ''] = path.split('.');
    const group = file[place];
    const json = name === '' ? group : isJsonObject(group) ? group[name] : undefined;
    assert.ok(value !== undefined && isJsonObject(json), path);
    yield* keys(value, json, path);
  }
}

test('every key of the configuration has an effect, or is listed as one without', () => {
  const unread: string[] = [];
  let count = 0;
  for (const [path, name] of allKeys()) {
    count++;
    if (!new RegExp(`\\b${name}\\b`).test(code)) unread.push(path);
  }
  assert.ok(count > 110, `${count} keys`);
  // Names that mean something else elsewhere, and the only key of those that is read by the flags of `daemon`.
  const ambiguous = /\.(id|private_key|enabled|grace_period|enable_stats|enable_tracing)$/;
  const listed = pathsWithoutEffect.filter((path) => !ambiguous.test(path));
  assert.deepEqual(unread.sort(), listed.sort());
});

test('keysWithoutEffect names what was changed in vain', () => {
  assert.deepEqual(keysWithoutEffect(config), []);
  const { cluster, ...rest } = config;
  const changed = { ...rest, cluster: { ...cluster, enableRelayHop: false, peername: 'other', followerMode: true } };
  assert.deepEqual(keysWithoutEffect(changed), ['cluster.enable_relay_hop']);
});
