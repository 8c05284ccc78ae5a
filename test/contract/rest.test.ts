/**
 * The HTTP API of two real peers answers as the reference did, exchange for exchange. The recordings follow each other
 * on one shared pinset, so do the tests here. The recorded peers agreed by CRDT, ours by Raft, which makes a difference
 * in few cases; these, and those in which we do better on purpose, are named in the tables.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type PeerState, pin, waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import { addText } from '../../src/cmd/service/demo/content.ts';
import { answersTo, httpForms } from '../support/http-forms.ts';
import { type Answer, comparableHeaders, readExchanges, recordedHeaders, send } from '../support/rest-vectors.ts';
import { makeContent, settled } from './content.ts';
import { type Scene, startScene, waitLimitMs } from './peers.ts';
import { createReplay, nameParts, recordedIds } from './replay.ts';

/** Content that nobody has. */
const missing = 'bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
const pinnedFile = 'QmUzA3j2VBbmajMVJwCL5JYim86WaJuAj5B4HVWpFyQZLV';
/** The first recorded upload, which stays pinned. */
const heldFile = 'QmccvEeJ1S95baJ6brLwNCKc6uq89vpVEoUGcEXc5FHhaX';
const directTarget = 'QmXZfSR438c4utAwoVYxREDxg1zpXHj47XK4E3PBtxh5Lf';

let scene: Scene;
const { replay, running } = createReplay(() => scene);

/** The two Raft peers of the recordings, which had the IPFS nodes of the others. */
const recordedRaftIds: readonly (readonly [string, string])[] = [
  ['12D3KooWJEr5U7pkSG9vhyRK4UX7nqEvF7pYxretQMDfZFXbhPyC', '<first>'],
  ['12D3KooWPbHNZp4MM5dxspnQXVQJoTEzsfwJ1MxL3GuT4dX4Rvea', '<second>'],
  ...recordedIds.slice(2, 4),
];

before(async () => {
  scene = await startScene();
  nameParts(scene, running);
});
after(() => scene?.end());

/** Waits for a status of a CID on so many peers. */
async function waitStatus(cid: string, status: string, count: number): Promise<void> {
  await waitFor(
    async () => {
      const response = await fetch(`${scene.first.apiUrl}/pins/${cid}`);
      return Object.values(((await response.json()) as { peer_map: Record<string, PeerState> }).peer_map);
    },
    (peers) => peers.filter((peer) => peer.status === status).length === count,
    (peers) => `${cid} is ${peers.map((peer) => peer.status).join(', ')}, not ${status}`,
    waitLimitMs,
  );
}

async function pinAgain(cid: string, options = ''): Promise<void> {
  for (const method of ['DELETE', 'POST']) {
    const response = await fetch(`${scene.first.apiUrl}/pins/${cid}${options}`, { method });
    assert.equal(response.status, 200, await response.text());
  }
}

const isDirect = (body: string): string =>
  body.replace(/"mode":"\w+"/, '"mode":"direct"').replace('"max_depth":-1', '"max_depth":0');
const directIsHonoured = { why: 'mode=direct is honoured for a CID too', body: isDirect };
/** The second peer says the same as the first. */
function withSecondPeer(body: string): string {
  const status = JSON.parse(body) as { readonly peer_map: Record<string, unknown> };
  const [first = '', second = ''] = recordedIds.map(([id]) => id);
  const [, , firstIpfs = '', secondIpfs = ''] = recordedIds.map(([id]) => id);
  const entry = JSON.stringify(status.peer_map[first]).replace('peer1', 'peer2').replace(firstIpfs, secondIpfs);
  return `${JSON.stringify({ ...status, peer_map: { ...status.peer_map, [second]: JSON.parse(entry) } })}\n`;
}

const members = 'under CRDT the members are who sends metrics; under Raft a silent peer stays one';

/** None is left without an end; `interop/http-forms-go` asks a Go peer the same. */
describe('requests of all forms', () => {
  for (const form of httpForms) {
    it(form.name, async () => assert.equal(await answersTo(form, scene.first.apiUrl), form.ours));
  }
});

describe('basic', async () => {
  await replay({
    file: 'basic',
    // Counts and protocols differ from run to run.
    elsewhere: ['health-bandwidth'],
  });

  it('health-bandwidth, in form: other protocols, other counts', async () => {
    const recorded = (await readExchanges('basic')).find(({ name }) => name === 'health-bandwidth');
    assert.ok(recorded !== undefined);
    const answer = await send(scene.first.apiUrl, recorded.request);
    assert.equal(answer.status, 200);
    assert.deepEqual(comparableHeaders(answer.headers, 200), comparableHeaders(recordedHeaders(recorded), 200));
    const entry = /"[^"]*":\{"total_in":\d+,"total_out":\d+,"rate_in":[\d.e-]+,"rate_out":[\d.e-]+\}/.source;
    const form = new RegExp(`^\\{${entry}(,${entry})*\\}\\n$`);
    assert.match(recorded.response.body, form);
    assert.match(answer.body, form);
    const traffic = JSON.parse(answer.body) as Record<string, { total_in: number; total_out: number }>;
    assert.deepEqual(Object.keys(traffic), Object.keys(traffic).toSorted());
    for (const protocol of ['/ipfs/id/1.0.0', '/meshsub/']) {
      const found = Object.entries(traffic).filter(([name]) => name.startsWith(protocol));
      assert.ok(
        found.some(([, { total_in, total_out }]) => total_in + total_out > 0),
        `${protocol}: ${answer.body}`,
      );
    }
    assert.ok('' in traffic);
  });
});

describe('pins', async () => {
  before(async () => {
    running.set(await makeContent(scene), '<lost>');
  });
  await replay({
    file: 'pins',
    changed: { 'pin-mode-direct': directIsHonoured, 'status-mode-direct': directIsHonoured },
    first: {
      // One of two peers is chosen freely, unless it has the pin already.
      'pin-replication-shorthand': () => pinAgain(pinnedFile, `?replication=1&user-allocations=${scene.first.id}`),
      // Here the refused request before has not pinned it everywhere.
      'pin-replication-not-enough-peers': () => pin(scene.first.apiUrl, pinnedFile, ''),
      'pin-missing-content': () => pinAgain(directTarget),
      'status-pinning': () => waitStatus(missing, 'pinning', 2),
      'pins-filter-pinning': async () => {
        for (const cid of [pinnedFile, directTarget]) await waitStatus(cid, 'pinned', 2);
      },
    },
  });
});

describe('lists', async () => {
  before(() => settled(scene.first));
  await replay({ file: 'lists' });
});

// In the last case nothing is to be done because all that failed is being pinned again.
describe('recover', () => replay({ file: 'recover' }));

describe('paths', async () => {
  await replay({
    file: 'paths',
    changed: {
      'status-mode-direct-fresh': {
        why: 'both peers are there, not only the one of the recording',
        body: withSecondPeer,
      },
    },
    first: {
      'pin-path-mode-direct-fresh': async () => {
        running.set(await addText(scene.first.ipfsUrl, 'a file'), '<file>');
      },
      'status-mode-direct-fresh': async () => {
        const [file] = [...running].find(([, name]) => name === '<file>') ?? [''];
        await waitStatus(file, 'pinned', 2);
      },
    },
  });
});

describe('cid-forms', () => replay({ file: 'cid-forms' }));

describe('routing', () => replay({ file: 'routing', only: /^(encoded-path|absolute-form|query-|get-pins-recover)/ }));

/** The unpin that is recorded as failed, as it is told here. */
const waiting = {
  why: 'an unpin waits for the IPFS node, and goes on by itself when that is back',
  check: (answer: Answer): void => {
    const peers = pinLines(answer).get(lateUnpin);
    const { status, error } = peers?.[scene.first.id] ?? {};
    assert.deepEqual([status, Boolean(error)], ['unpin_queued', true], answer.body);
  },
};
/** Unpinned while the IPFS node was down, as when it was recorded. */
const lateUnpin = 'QmRefFkgr5T8LoicrY6U3Vm3zAjgmBiXD7mCE9zYK4f1pV';

/** Each pin with what this and the other peer say of it. */
function pinLines({ status, body }: Answer): Map<string, Record<string, PeerState>> {
  assert.equal(status, 200, body);
  const lines = body.split('\n').filter((line) => line !== '');
  return new Map(
    lines.map((line) => {
      const { cid, peer_map: peers } = JSON.parse(line) as { cid: string; peer_map: Record<string, PeerState> };
      return [cid, peers];
    }),
  );
}

describe('failures of the IPFS node', async () => {
  before(async () => {
    await settled(scene.first);
    await pinAgain(lateUnpin);
    await waitStatus(lateUnpin, 'pinned', 2);
    // What lies about unpinned is not to be collected in the tests.
    await fetch(`${scene.first.apiUrl}/ipfs/gc`, { method: 'POST' });
    await scene.first.stopIpfs();
  });
  after(async () => {
    await scene.first.startIpfs();
    await waitStatus(heldFile, 'pinned', 2);
  });
  await replay({
    file: 'failures',
    only: /^(ipfs-down|unpin-error|recover-all)/,
    changed: {
      'ipfs-down-pins-pinned': {
        why: 'only of the other peer it is known that they are pinned',
        check: (answer) => {
          const pins = pinLines(answer);
          assert.ok(pins.has(heldFile), answer.body);
          for (const peers of pins.values()) {
            assert.equal(peers[scene.second.id]?.status, 'pinned');
            assert.ok([undefined, 'cluster_error'].includes(peers[scene.first.id]?.status));
          }
        },
      },
      'ipfs-down-pins-local': {
        why: 'each pin is listed, and says that its IPFS node does not answer',
        check: (answer) => {
          const pins = pinLines(answer);
          const held = pins.get(heldFile)?.[scene.first.id];
          assert.deepEqual([held?.status, Boolean(held?.error)], ['cluster_error', true], answer.body);
          for (const peers of pins.values()) assert.deepEqual(Object.keys(peers), [scene.first.id]);
        },
      },
      'ipfs-down-recover-all-local': {
        why: 'what had failed before is told as queued again',
        check: (answer) => {
          for (const peers of pinLines(answer).values()) {
            assert.equal(peers[scene.first.id]?.status, 'pin_queued', answer.body);
          }
          assert.deepEqual([...answer.trailers], [['x-stream-error', ['']]]);
        },
      },
      'recover-all-pin-error': {
        why: 'only the peer whose IPFS node answers has a pin that failed',
        check: (answer) => {
          const peers = pinLines(answer).get(missing);
          assert.equal(peers?.[scene.second.id]?.status, 'pin_queued', answer.body);
          assert.deepEqual([...answer.trailers], [['x-stream-error', ['']]]);
        },
      },
      'unpin-error-status-global': {
        why: 'members are asked of what is no longer in the pinset too',
        check: (answer) => {
          waiting.check(answer);
          assert.equal(pinLines(answer).get(lateUnpin)?.[scene.second.id]?.status, 'unpinned', answer.body);
        },
      },
      'unpin-error-status-local': waiting,
      'unpin-error-filter': {
        why: waiting.why,
        check: ({ status, body }) => assert.deepEqual([status, body], [204, '']),
      },
      'unpin-error-filter-local': waiting,
      'unpin-error-recover-local': waiting,
    },
    first: {
      'unpin-error-status-global': async () => {
        const response = await fetch(`${scene.first.apiUrl}/pins/${lateUnpin}`, { method: 'DELETE' });
        assert.equal(response.status, 200, await response.text());
      },
    },
  });
});

describe('failures of the other peer', async () => {
  before(async () => {
    // What has been unpinned meanwhile would be collected in the tests.
    await fetch(`${scene.first.apiUrl}/ipfs/gc`, { method: 'POST' });
    await scene.second.process.stop();
    // Its IPFS node may have connected to the first one again meanwhile; the graph was recorded without that.
    await scene.second.stopIpfs();
  });
  after(async () => {
    await scene.second.startIpfs();
    await scene.second.process.start();
  });
  await replay({
    file: 'failures',
    only: /^(peer-down|alerts|.*-after-expiry)/,
    // Other metrics expire too while this is waited for.
    elsewhere: ['alerts'],
    changed: {
      'peer-down-add': {
        why: 'under Raft one of two peers cannot agree on anything alone',
        check: (answer, { body }) => {
          const added = (text: string): unknown[] => [
            (JSON.parse(text) as { cid: string }).cid,
            text.split('\n').length,
          ];
          assert.deepEqual([answer.status, added(answer.body)], [200, added(body)]);
          assert.match(answer.trailers.get('x-stream-error')?.[0] ?? '', /^timed out waiting for (leader|commit)/);
        },
      },
      'peers-after-expiry': {
        why: members,
        check: (answer, { body }) => {
          const [first = {}, second = {}] = answer.body
            .split('\n', 2)
            .map((line) => JSON.parse(line) as { id?: string; error?: string })
            .sort((a) => (a.id === scene.first.id ? -1 : 1));
          assert.deepEqual(Object.keys(first), Object.keys(JSON.parse(body) as object));
          assert.deepEqual([answer.status, first.id, second.id], [200, scene.first.id, scene.second.id]);
          assert.notEqual(second.error, '');
        },
      },
      'status-after-expiry': {
        why: members,
        check: (answer) => {
          const peers = pinLines(answer).get(heldFile);
          const states = [scene.first, scene.second].map(({ id }) => peers?.[id]?.status);
          assert.deepEqual(states, ['pinned', 'cluster_error']);
        },
      },
    },
    first: { 'metrics-ping-after-expiry': () => waitPings(1) },
  });
  it('alerts: the lost ping is told as recorded', async () => {
    const recorded = (await readExchanges('failures')).find(({ name }) => name === 'alerts')?.response.body ?? '';
    const [alert] = JSON.parse(recorded) as object[];
    const alerts = await waitFor(
      async () =>
        (await (await fetch(`${scene.first.apiUrl}/health/alerts`)).json()) as { name: string; peer: string }[],
      (all) => all.some(({ name, peer }) => name === 'ping' && peer === scene.second.id),
      () => 'no alert of the ping',
      waitLimitMs,
    );
    const found = alerts.find(({ name, peer }) => name === 'ping' && peer === scene.second.id);
    assert.deepEqual(Object.keys(found ?? {}), Object.keys(alert ?? {}));
  });
});

describe('gc', async () => {
  // What is uploaded and pinned by nobody lies about on both.
  before(() => waitPings(2));
  await replay({ file: 'gc' });
});

describe('follower', async () => {
  before(async () => {
    await scene.second.process.stop();
    const file = join(scene.second.folder, 'service.json');
    const config = JSON.parse(await readFile(file, 'utf8')) as { cluster: object };
    await writeFile(file, JSON.stringify({ ...config, cluster: { ...config.cluster, follower_mode: true } }));
    await scene.second.process.start();
    await waitPings(2);
    await addText(scene.second.ipfsUrl, 'garbage of the follower');
    await addText(scene.first.ipfsUrl, 'garbage that the follower has collected');
  });
  await replay({ file: 'follower', peer: () => scene.second });
});

describe('Raft peers', async () => {
  before(() => waitPings(2));
  await replay({
    file: 'peers',
    ids: [...recordedRaftIds, ...recordedIds],
    // A removed peer stops by itself, which is no death that the test would have to report.
    first: {
      'raft-peer-rm-ok': async () => {
        // The one that never came is not counted: the two agree without it.
        await pinAgain(directTarget);
        // Its id is that of an IPFS node, as when it was recorded.
        const response = await fetch(`${scene.first.apiUrl}/peers/${scene.first.ipfsId}`, { method: 'DELETE' });
        assert.equal(response.status, 204, await response.text());
      },
      'raft-peers-after-rm': () => scene.second.process.stop(),
    },
    // How the API of peers that agree by CRDT tells what they cannot do: `http/rest`.
    elsewhere: ['peer-rm-crdt', 'peer-add-unreachable'],
    changed: {
      'raft-peer-add-unreachable': {
        why: 'it waits for the member to come, and does not count it until then',
        check: ({ status, body }) => {
          assert.deepEqual([status, Object.keys(JSON.parse(body) as object)], [500, ['code', 'message']], body);
        },
      },
    },
  });
});

async function waitPings(count: number): Promise<void> {
  await waitFor(
    async () => (await (await fetch(`${scene.first.apiUrl}/monitor/metrics/ping`)).json()) as unknown[],
    (metrics) => metrics.length === count,
    (metrics) => `pings of ${metrics.length} peers`,
    waitLimitMs,
  );
}
