/** `POST /add` of two real peers answers as the reference did, exchange for exchange; see `rest.test.ts`. */
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { settled } from './content.ts';
import { type Scene, startScene } from './peers.ts';
import { createReplay, nameParts } from './replay.ts';

const withoutSize = 'add-shard-no-size';

let scene: Scene;
const { replay, running } = createReplay(() => scene);

before(async () => {
  scene = await startScene();
  nameParts(scene, running);
});
after(() => scene?.end());

describe('add', () =>
  replay({
    file: 'add',
    // Last: what it adds would be in the lists.
    elsewhere: [withoutSize],
    // One of two peers is chosen freely.
    parameters: { 'add-options': () => `&user-allocations=${scene.second.id}` },
  }));

describe('add, special', async () => {
  before(() => settled(scene.first));
  await replay({ file: 'add-special', only: /^(?!shard-)/ });
});

describe('shards', async () => {
  before(() => settled(scene.first));
  // The one replica of each shard went to the first peer.
  const onFirst = (): string => `&user-allocations=${scene.first.id}`;
  await replay({ file: 'add-special', only: /^shard-/, parameters: { 'shard-ok': onFirst } });
  await replay({
    file: 'shards',
    changed: {
      'status-meta-pin': {
        why: 'sharded content is shown as sharded by itself as in the list of all',
        body: (recorded) => recorded.replaceAll('"status":"remote"', '"status":"sharded"'),
      },
    },
  });
});

describe('add, without a size of shards', () =>
  replay({
    file: 'add',
    only: /^add-shard-no-size$/,
    changed: {
      [withoutSize]: {
        why: 'shards have the default size, so that nothing fails',
        check: ({ status, body, trailers }) => {
          const lines = body.trimEnd().split('\n');
          const names = lines.map((line) => (JSON.parse(line) as { name: string }).name);
          assert.deepEqual([status, ...names, trailers.size], [200, 's.bin', 'shard-0', 'sh0-clusterDAG', 0]);
        },
      },
    },
  }));
