/** Commands and flags that the Go program does not have. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCtl } from '../../../test/support/ctl.ts';
import { type FakeAnswer, type FakeApi, startFakeApi } from '../../../test/support/fake-api.ts';

const cid = 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o';
const other = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy';
const [a, b] = [
  '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5',
  '12D3KooWJTgjVFjLfb4zSJeVWNpA7uLJYbDtUyTnrCPaTtDSWcNt',
] as const;

async function withApi<T>(
  answer: (method: string, path: string) => FakeAnswer | undefined,
  act: (api: FakeApi) => Promise<T>,
): Promise<T> {
  const api = await startFakeApi(answer);
  try {
    return await act(api);
  } finally {
    await api.close();
  }
}

const pinned = (id: string, statuses: Readonly<Record<string, string>>): string => {
  const peers = Object.entries(statuses).map(([peer, status]) => [peer, { status }] as const);
  return JSON.stringify({ cid: id, peer_map: Object.fromEntries(peers) });
};

test('peers rm is refused while the member alone has pinned something, unless it is forced', async () => {
  const lists: Readonly<Record<string, readonly string[]>> = {
    'a has one alone': [pinned(cid, { [a]: 'pinned' }), pinned(other, { [a]: 'pinned', [b]: 'pinned' })],
    'another that should have it has not yet': [pinned(cid, { [a]: 'pinned', [b]: 'cluster_error' })],
    'b has it': [pinned(cid, { [b]: 'pinned' })],
    'a is dead, and cannot be asked': [pinned(cid, { [a]: 'cluster_error' })],
    'there are very many': Array.from({ length: 1500 }, () => pinned(cid, { [a]: 'pinned' })),
  };
  const expected: Readonly<Record<string, string | undefined>> = {
    'a has one alone': '1 pin is',
    'another that should have it has not yet': '1 pin is',
    'there are very many': '1000 pins or more are',
  };
  for (const [name, body] of Object.entries(lists)) {
    const answer = (method: string, path: string): FakeAnswer =>
      path.startsWith('/pins?') ? { body, trailers: [''] } : { status: method === 'DELETE' ? 204 : 404 };
    await withApi(answer, async (api) => {
      const ran = await runCtl(['--host', api.host, 'peers', 'rm', a]);
      const count = expected[name];
      const ways = '"peers drain --wait" moves them first, --force removes it all the same';
      const stderr = count === undefined ? '' : `error removing: ${count} pinned on ${a} alone; ${ways}\n`;
      assert.deepEqual(ran, { exit: count === undefined ? 0 : 1, stdout: '', stderr }, name);
      assert.equal(api.requests[0], 'GET /pins?local=false&filter=pinned&cids=');
      assert.equal(api.requests.includes(`DELETE /peers/${a}`), count === undefined);
      const forced = await runCtl(['--host', api.host, 'peers', 'rm', '--force', a]);
      assert.deepEqual([forced.exit, api.requests.at(-1)], [0, `DELETE /peers/${a}`]);
    });
  }
});

test('peers rm is refused when nobody can tell what the member has', async () => {
  const answers: readonly FakeAnswer[] = [
    { body: [pinned(cid, { [b]: 'pinned' })], trailers: ['broke off'] },
    { status: 500, body: '{"code":500,"message":"broke off"}' },
  ];
  for (const answer of answers) {
    await withApi(
      () => answer,
      async (api) => {
        const { exit, stdout, stderr } = await runCtl(['--host', api.host, 'peers', 'rm', a]);
        const text = `error removing: cannot tell what ${a} has alone: broke off; --force removes it all the same\n`;
        assert.deepEqual([exit, stdout, stderr], [1, '', text]);
        assert.equal(api.requests.length, 1);
      },
    );
  }
  await withApi(
    () => ({ status: 401, body: '{"code":401,"message":"unauthorized: no auth provided"}' }),
    async (api) => {
      const { exit, stdout } = await runCtl(['--host', api.host, 'peers', 'rm', a]);
      assert.equal(exit, 2);
      assert.match(stdout, /Code: 401/);
    },
  );
});

test('peers drain --wait tells whom the pins wait for and why, when their number does not change', async () => {
  const row = (entries: Readonly<Record<string, object>>, allocations: readonly string[]): string =>
    JSON.stringify({ cid, allocations, peer_map: entries });
  const failing = { peername: 'two', status: 'pin_error', error: 'disk full\u001b[2J' };
  const lists: Readonly<Record<string, readonly string[]>> = {
    busy: [
      row({ [a]: { status: 'pinned' }, [b]: { peername: 'two', status: 'pinning' } }, [a, b]),
      row({ [a]: { status: 'pinned' }, [b]: failing }, [a, b]),
      row({ [b]: { peername: 'two', status: 'pin_queued' } }, [b]),
    ],
    idle: [],
  };
  const told: Readonly<Record<string, string>> = {
    busy: `2 pins wait for ${b} (two): pin_error: disk full\\u001b[2J\n`,
    idle: 'no other holder is at work for it: more pins may be moved soon, or nobody else can take them; see "pin explain"\n',
  };
  for (const [name, body] of Object.entries(lists)) {
    let looks = 0;
    const answer = (method: string, path: string): FakeAnswer => {
      if (method === 'POST') return { status: 204 };
      if (path.startsWith('/pins?')) return { body, trailers: [''] };
      looks += 1;
      const [state, pins] = looks > 30 ? ['drained', 0] : ['draining', 2];
      return { body: JSON.stringify([{ peer: a, peername: 'one', state, cordon: 'draining', pins }]) };
    };
    await withApi(answer, async (api) => {
      const { exit, stderr } = await runCtl(['--host', api.host, 'peers', 'drain', '--wait', a]);
      assert.deepEqual([exit, stderr], [0, `2 pins still allocated\n${told[name]}${told[name]}`], name);
    });
  }
});

const pinLine = (id: string, name: string, metadata: Readonly<Record<string, string>> = {}): string =>
  JSON.stringify({ cid: id, name, metadata, type: 'pin' });

test('pin ls: what is looked for is asked of the peer, page by page', async () => {
  const end = (next?: string): string => JSON.stringify({ end_of_stream: true, items: 1, errors: [], next });
  await withApi(
    (_method, path) => ({
      body: path.includes('cursor=') ? [pinLine(other, 'ab'), end()] : [pinLine(cid, 'aa'), end('here')],
    }),
    async (api) => {
      const found = await runCtl(['--host', api.host, 'pin', 'ls', '--name-prefix', 'a']);
      assert.deepEqual(
        found.stdout.split('\n').map((line) => line.slice(0, 10)),
        [cid.slice(0, 10), other.slice(0, 10), ''],
      );
      assert.deepEqual(api.requests, [
        'GET /allocations?filter=all&limit=1000&name-prefix=a',
        'GET /allocations?filter=all&cursor=here&limit=1000&name-prefix=a',
      ]);
      const one = await runCtl(['--host', api.host, 'pin', 'ls', '--limit', '1']);
      assert.equal(one.stdout.split('\n').length, 2);
      assert.equal(api.requests.at(-1), 'GET /allocations?filter=all&limit=1');
      await runCtl(['--host', api.host, 'pin', 'ls', '--name', 'x', '--metadata', 'k=v', '--metadata', 'l=w=']);
      assert.equal(api.requests.at(-2), 'GET /allocations?filter=all&limit=1000&meta-k=v&meta-l=w%3D&name=x');
      await runCtl(['--host', api.host, 'pin', 'ls']);
      assert.equal(api.requests.at(-1), 'GET /allocations?filter=all');
      const bad = await runCtl(['--host', api.host, 'pin', 'ls', '--limit', '-1']);
      assert.deepEqual([bad.exit, bad.stderr], [1, 'error parsing limit: found -1, expected 0 or more\n']);
    },
  );
});

test('pin ls: of a peer that knows no search and lists everything, what is looked for is chosen here', async () => {
  const all = [pinLine(cid, 'aa', { k: 'v' }), pinLine(other, 'ab', { k: 'w' }), pinLine(cid, 'b')];
  await withApi(
    () => ({ body: all, trailers: [''] }),
    async (api) => {
      const namesOf = async (...flags: string[]): Promise<readonly string[]> => {
        const { stdout } = await runCtl(['--host', api.host, '--enc', 'ndjson', 'pin', 'ls', ...flags]);
        return stdout
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line).name);
      };
      assert.deepEqual(await namesOf('--name', 'aa'), ['aa']);
      assert.deepEqual(await namesOf('--name-prefix', 'a'), ['aa', 'ab']);
      assert.deepEqual(await namesOf('--name-prefix', 'a', '--metadata', 'k=w'), ['ab']);
      assert.deepEqual(await namesOf('--limit', '2'), ['aa', 'ab']);
      assert.deepEqual(await namesOf('--name', 'nobody'), []);
    },
  );
});

test('token issue and revoke', async () => {
  await withApi(
    (_method, path) => ({ body: path.endsWith('revoke') ? `{"missed":{"${b}":"no answer"}}` : '{"token":"a.b.c"}' }),
    async (api) => {
      const to = ['--host', api.host, '--basic-auth', 'u:p', '-f'];
      assert.deepEqual(await runCtl([...to, 'token', 'issue']), { exit: 0, stdout: 'a.b.c\n', stderr: '' });
      assert.equal(api.requests.at(-1), 'POST /token');
      const json = await runCtl([...to, '--enc', 'json', 'token', 'issue', '--expires-in', '24h', '--scope', 'read']);
      assert.equal(json.stdout, '{\n    "token": "a.b.c"\n}\n');
      assert.equal(api.requests.at(-1), 'POST /token?expires-in=24h&scope=read');
      const revoked = await runCtl([...to, 'token', 'revoke', 'a.b.c']);
      const stderr = 'error revoking: 1 member has not been told; run it again when they can be reached\n';
      assert.deepEqual(revoked, { exit: 1, stdout: `${b} | not told: no answer\n`, stderr });
      for (const [flag, text] of [
        ['--scope', 'parsing scope: found "write", expected read, or no scope'],
        ['--expires-in', 'parsing expires-in: time: invalid duration "write"'],
      ] as const) {
        assert.equal((await runCtl([...to, 'token', 'issue', flag, 'write'])).stderr, `error ${text}\n`);
      }
    },
  );
});

test('--token is sent as a bearer; the command line counts before the environment', async () => {
  await withApi(
    () => ({ body: '{"version":"1"}' }),
    async (api) => {
      const sent = async (
        flags: readonly string[],
        environment: Record<string, string>,
      ): Promise<string | undefined> => {
        await runCtl(['--host', api.host, '-f', ...flags, 'version'], { environment });
        return api.lastHeaders().authorization;
      };
      const outside = { CLUSTER_TOKEN: 'out', CLUSTER_CREDENTIALS: 'u:p' };
      const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
      assert.equal(await sent(['--token', 'in'], outside), 'Bearer in');
      assert.equal(await sent([], outside), 'Bearer out');
      assert.equal(await sent(['--basic-auth', 'x:y'], outside), basic('x:y'));
      assert.equal(await sent([], { CLUSTER_CREDENTIALS: 'u:p' }), basic('u:p'));
      assert.equal(await sent([], {}), undefined);
      const secured = await runCtl(['--host', api.host, '--token', 't', 'version']);
      assert.match(secured.stdout, /Get "https:/);
    },
  );
});

test('events prints each as a line, ends after --count, and refuses types that there are not', async () => {
  const stream = [
    ': a comment\n\n',
    `id: 1-1\nevent: pin\ndata: {"cid":"${cid}"}\n\n`,
    'id: 1-2\nevent: alert\ndata: not json\n\n',
    'id: 1-3\nevent: peer\ndata: {}\n\n',
  ].join('');
  await withApi(
    () => ({ body: stream }),
    async (api) => {
      const text = await runCtl([
        '--host',
        api.host,
        'events',
        '--types',
        'pin,alert',
        '--after',
        '1-0',
        '--count',
        '2',
      ]);
      assert.deepEqual(text, { exit: 0, stdout: `pin    {"cid":"${cid}"}\nalert  not json\n`, stderr: '' });
      assert.match(api.requests[0] ?? '', /^GET \/events\?types=pin,alert&last-event-id=1-0$/);
      const json = await runCtl(['--host', api.host, '--enc', 'ndjson', 'events', '--count', '2']);
      const lines = json.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      assert.deepEqual(lines, [
        { id: '1-1', type: 'pin', data: { cid } },
        { id: '1-2', type: 'alert', data: 'not json' },
      ]);
      const bad = await runCtl(['--host', api.host, 'events', '--types', 'pins']);
      const stderr = 'error parsing types flag: found "pins", expected names of: pin, status, peer, alert\n';
      assert.deepEqual([bad.exit, bad.stderr], [1, stderr]);
    },
  );
});
