/** `POST /add` of two real peers answers as the reference did, exchange for exchange; see `rest.test.ts`. */
import { after, before, describe } from 'node:test';
import { settled } from './content.ts';
import { type Scene, startScene } from './peers.ts';
import { createReplay, nameParts } from './replay.ts';

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
    skipped: { 'add-shard-no-size': 'shards have the default size here, so that nothing fails' },
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
