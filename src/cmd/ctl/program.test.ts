import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { closedPort } from '../../../test/support/closed-port.ts';
import { runCtl } from '../../../test/support/ctl.ts';
import { type FakeApi, startFakeApi } from '../../../test/support/fake-api.ts';
import { commands } from './commands.ts';
import { bytesText } from './format/bytes.ts';
import { relativeTime } from './format/relative-time.ts';
import { indentJson } from './print.ts';

const cid = 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o';
const pin = JSON.stringify({ cid, replication_factor_min: 2, replication_factor_max: 2, type: 'pin' });
const status = (name: string) => JSON.stringify({ cid, peer_map: { a: { status: name }, b: { status: name } } });

const run: typeof runCtl = (argv, io) => runCtl(argv, { now: () => ({ seconds: 1_700_000_000, nanos: 1 }), ...io });

async function withApi<T>(answers: Parameters<typeof startFakeApi>[0], act: (api: FakeApi) => Promise<T>): Promise<T> {
  const api = await startFakeApi(answers);
  try {
    return await act(api);
  } finally {
    await api.close();
  }
}

test('every command and group has help, without a peer', async () => {
  for (const command of commands) {
    for (const flag of ['--help', '-h', '-help']) {
      const ran = await run([...command.words, flag]);
      assert.equal(ran.exit, 0);
      assert.match(ran.stdout, new RegExp(`^Usage: ipfs-cluster-ctl ${command.words.join(' ')}`));
    }
    assert.equal((await run(['help', ...command.words])).exit, 0);
  }
  assert.equal((await run(['pin', 'help', 'add'])).stdout, (await run(['pin', 'add', '--help'])).stdout);
  assert.deepEqual([(await run(['pin', 'help', 'nosuch'])).exit, (await run(['pin', 'help'])).exit], [3, 0]);
  assert.match((await run([])).stdout, /^Usage: ipfs-cluster-ctl /);
  assert.match((await run(['pin'])).stdout, /update/);
  assert.doesNotMatch((await run(['--help'])).stdout, /member|sync/);
  assert.match((await run(['-v'])).stdout, /^ipfs-cluster-ctl version [0-9]+\.[0-9]+\.[0-9]+\n$/);
});

test('usage failures name the flag on stdout, say where help is, and exit with 1', async () => {
  const cases: readonly [string[], string][] = [
    [['--nosuch', 'id'], 'Incorrect Usage. flag provided but not defined: -nosuch'],
    [['pin', 'add', '--nosuch', 'x'], 'Incorrect Usage: flag provided but not defined: -nosuch'],
    [['pin', 'add', '-rq', 'x'], 'Incorrect Usage: flag provided but not defined: -rq'],
    [['pin', 'add', '--rmin', 'x', cid], 'Incorrect Usage: invalid value "x" for flag -rmin: parse error'],
    [
      ['pin', 'add', '--wait-timeout', '5', cid],
      'Incorrect Usage: invalid value "5" for flag -wait-timeout: parse error',
    ],
    [['--timeout', 'x', 'id'], 'Incorrect Usage. invalid value "x" for flag -timeout: parse error'],
    [['--enc=json', 'version', '--enc=text'], 'Incorrect Usage: flag provided but not defined: -enc'],
    [['pin', 'ls', '--filter'], 'Incorrect Usage: flag needs an argument: -filter'],
  ];
  for (const [argv, first] of cases) {
    const ran = await run(argv);
    assert.equal(ran.stdout.split('\n')[0], first);
    assert.match(ran.stdout, /^.*\n\nFor help: ipfs-cluster-ctl ?[a-z ]* --help\n$/);
    const hint = first.includes('-wait-timeout')
      ? 'hint: -wait-timeout takes a time with its unit, such as 30s or 2h\n'
      : '';
    assert.deepEqual([ran.exit, ran.stderr], [1, hint]);
  }
});

test('unknown words exit with 3', async () => {
  for (const argv of [['nosuch'], ['pin', 'nosuch'], ['help', 'nosuch']]) {
    assert.deepEqual(await run(argv), { exit: 3, stdout: '', stderr: "No help topic for 'nosuch'\n" });
  }
});

test('pin add sends what its options say', async () => {
  await withApi(
    () => ({ body: pin }),
    async (api) => {
      const options = '-r 2 -n nm -mode=direct -expire-in 1m --metadata a=1 --metadata b=x=y --ns'.split(' ');
      const ran = await run(['-l', api.host, 'pin', 'add', cid, ...options]);
      assert.equal(ran.exit, 0);
      assert.deepEqual(api.requests, [
        `POST /pins/ipfs/${cid}?expire-at=2023-11-14T22%3A14%3A20.000000001Z&meta-a=1&meta-b=x%3Dy&mode=direct&name=nm` +
          '&replication-max=2&replication-min=2&shard-size=0&user-allocations=',
      ]);
      await run(['--host', api.host, 'pin', 'add', '--ns', '--rmin=0x1', '--rmax', '-1', '/ipns/example.org/a b']);
      assert.match(
        api.requests[1] ?? '',
        /^POST \/pins\/ipns\/example\.org\/a%20b\?.*replication-max=-1&replication-min=1&/,
      );
      await run(['--host', api.host, 'pin', 'update', '--ns', cid, cid]);
      assert.match(api.requests[2] ?? '', new RegExp(`^POST /pins/ipfs/${cid}\\?.*pin-update=${cid}&`));
      await run(['--host', api.host, 'pin', 'add', '--metadata', 'foo', cid]).then((failed) =>
        assert.equal(failed.stderr, 'error parsing metadata: metadata were not in the format key=value\n'),
      );
    },
  );
});

test('pin ls --linearizable asks for all that was acknowledged, and shows why it cannot be had', async () => {
  const message = 'Cannot confirm';
  await withApi(
    (_method, path) =>
      path.includes(cid) ? { body: pin } : { status: 503, body: `{"code":503,"message":"${message}"}` },
    async (api) => {
      assert.equal((await run(['--host', api.host, 'pin', 'ls', '--linearizable', cid])).exit, 0);
      const refused = await run(['--host', api.host, 'pin', 'ls', '--linearizable']);
      assert.deepEqual(refused, {
        exit: 2,
        stdout: `An error occurred:\n  Code: 503\n  Message: ${message}\n`,
        stderr: '',
      });
      assert.deepEqual(api.requests, [
        `GET /allocations/${cid}?linearizable=true`,
        'GET /allocations?filter=all&linearizable=true',
      ]);
    },
  );
});

test('the words of 2017 still work, and so do its form of --host, and a URL', async () => {
  await withApi(
    (_method, path) => (path === '/peers' ? { body: ['{"id":""}'], trailers: [''] } : { status: 204 }),
    async (api) => {
      const host = `127.0.0.1:${api.port}`;
      assert.equal((await run(['--host', host, 'member', 'ls'])).exit, 0);
      assert.equal((await run(['--host', host, 'sync'])).exit, 0);
      assert.equal((await run(['--host', `http://${host}/`, 'member', 'ls'])).exit, 0);
      assert.deepEqual(api.requests, ['GET /peers', 'POST /pins/recover?local=false', 'GET /peers']);
    },
  );
});

test('--wait looks until enough peers have the pin, and fails in words', async () => {
  const names = ['pinning', 'pinned'];
  await withApi(
    (method, _path, count) => ({ body: method === 'POST' ? pin : status(names[count - 2] ?? 'pinned') }),
    async (api) => {
      const ran = await run(['--host', api.host, 'pin', 'add', '--wait', cid]);
      assert.equal(ran.exit, 0);
      assert.equal(api.requests.length, 3);
      assert.match(ran.stdout, /PINNED/);
    },
  );
  await withApi(
    (method) => ({ body: method === 'POST' ? pin : status('pinning') }),
    async (api) => {
      const ran = await run(['--host', api.host, 'pin', 'add', '--wait', '--wt', '1001ms', cid], {
        statusDelayMs: 100,
      });
      assert.deepEqual(ran, {
        exit: 62,
        stdout: '',
        stderr: 'error waiting for pin status: context deadline exceeded\n',
      });
    },
  );
});

const member = '12D3KooWRUgsb5Qs7DYUfhgME6Xudhn95MkQ9cEBdNsMTXSR2qCT';

test('what the Go program passes over is told on stderr', async () => {
  const other = '12D3KooWBCJm4uy27rCNUQPwtsC3Wtc3M9YTP4i9c7fLFfC3ZYWT';
  await withApi(
    (method, path) => {
      if (method === 'DELETE') return { status: 204 };
      if (path === '/id') return { body: `{"id":"${member}","cluster_peers":["${member}"]}` };
      return { body: method === 'POST' ? pin : status('pinned') };
    },
    async (api) => {
      const cases: readonly [string[], string][] = [
        [['peers', 'rm', other], `warning: ${member} did not know ${other} as a member\n`],
        [['pin', 'add', '-w', '--wl', '5', cid], 'warning: --wait-limit 5: the cluster has 2 peers, waited for all\n'],
        [['version', 'x'], 'warning: ignored "x", expected: ipfs-cluster-ctl version\n'],
      ];
      for (const [argv, stderr] of cases) {
        const ran = await run(['--host', api.host, ...argv]);
        assert.deepEqual([ran.exit, ran.stderr], [0, stderr], argv.join(' '));
      }
      assert.equal((await run(['--host', api.host, 'pin', 'rm', ''])).exit, 1);
      for (const [argv, stderr] of [
        [['rebalance', 'dry-run'], /found "dry-run" too many, expected: ipfs-cluster-ctl rebalance/],
        [['pin', 'add', '--expire-in', '500ms', cid], /parsing expire-in: found 500ms, expected at least 1s/],
      ] as const) {
        const refused = await run(['--host', api.host, ...argv]);
        assert.equal(refused.exit, 1);
        assert.match(refused.stderr, stderr);
      }
    },
  );
});

test('a peer that does not tell who it is removes a member all the same', async () => {
  const asked: string[] = [];
  await withApi(
    (method, path) => {
      asked.push(`${method} ${path}`);
      return path !== '/id' ? { status: 204 } : { status: 500, body: '{"code":500,"message":"no"}' };
    },
    async (api) => {
      const { exit, stderr } = await run(['--host', api.host, 'peers', 'rm', member]);
      assert.deepEqual([exit, stderr], [0, '']);
      assert.equal(asked.at(-1), `DELETE /peers/${member}`);
    },
  );
});

test('peers cordon, drain and uncordon tell the member, and show what it is', async () => {
  const states = (state: string, cordon: string, pins: number) =>
    JSON.stringify([{ peer: member, peername: 'p', state, cordon, since: '2023-11-14T22:00:00Z', pins }]);
  const counts = [5, 5, 1, 0];
  let told = 'none';
  await withApi(
    (method, path) => {
      if (method === 'POST') {
        told = path;
        return { status: 204 };
      }
      const pins = counts.shift() ?? 7;
      if (told === 'unknown since') {
        return { body: `[{"peer":"${member}","peername":"p","state":"drained","cordon":"draining","pins":0}]` };
      }
      if (told.endsWith('/drain')) return { body: states(pins === 0 ? 'drained' : 'draining', 'draining', pins) };
      return { body: told.endsWith('/cordon') ? states('cordoned', 'cordoned', 7) : states('alive', 'none', 7) };
    },
    async (api) => {
      const drained = await run(['--host', api.host, 'peers', 'drain', '--wait', member]);
      assert.deepEqual(drained, {
        exit: 0,
        stdout: `${member} | p | DRAINED | Pins: 0\n`,
        stderr: '5 pins still allocated\n1 pin still allocated\n',
      });
      const late = await run(['--host', api.host, 'peers', 'drain', '--wait', '--wt', '1001ms', member], {
        statusDelayMs: 50,
      });
      assert.deepEqual([late.exit, late.stdout], [62, '']);
      const waiting = `error waiting: 7 pins still allocated to ${member}; it goes on until "peers uncordon"`;
      assert.equal(late.stderr, `7 pins still allocated\n${waiting}\n`);
      assert.equal(
        (await run(['--host', api.host, 'peers', 'cordon', member])).stdout,
        `${member} | p | CORDONED | Pins: 7\n`,
      );
      assert.equal(
        (await run(['--host', api.host, 'peers', 'uncordon', member])).stdout,
        `${member} | p | ALIVE | Pins: 7\n`,
      );
      assert.equal(
        (await run(['--host', api.host, 'health', 'peers'])).stdout,
        `${member} | p | ALIVE | Pins: 7 | Since: 13 minutes ago\n`,
      );
      assert.deepEqual(
        api.requests.filter((request) => request.startsWith('POST')),
        ['drain', 'drain', 'cordon', 'uncordon'].map((act) => `POST /peers/${member}/${act}`),
      );
      told = 'unknown since';
      assert.equal((await run(['--host', api.host, 'health', 'peers'])).stdout, `${member} | p | DRAINED | Pins: 0\n`);
      const bad = await run(['--host', api.host, 'peers', 'drain', 'x']);
      assert.match(bad.stderr, /^error parsing peer ID: /);
    },
  );
});

test('names of others cannot move the cursor', async () => {
  await withApi(
    () => ({ body: JSON.stringify({ cid, name: 'a\u001b[2Jb\nc', type: 'pin' }) }),
    async (api) => {
      const ran = await run(['--host', api.host, 'pin', 'ls', cid]);
      assert.match(ran.stdout, /^\w+ \| a\\u001b\[2Jb\\u000ac \| PIN .*\n$/);
    },
  );
});

test('an answer that is none of an API is told in words, and no long URL with it', async () => {
  const server = createServer((socket) => socket.on('error', () => {}).end('\u0013/multistream/1.0.0\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // listening
  try {
    const host = `127.0.0.1:${port}`;
    const ran = await run(['--host', host, 'pin', 'add', '--name', 'x'.repeat(5_000), cid]);
    assert.match(
      ran.stdout,
      /Message: Post "http.{0,400}…": malformed HTTP response: found something else than an HTTP API/,
    );
    assert.equal(ran.exit, 1);
  } finally {
    server.close();
  }
});

test('a request that is too long for the peer is told as that, in either encoding', async () => {
  await withApi(
    () => ({ status: 431, body: '431 Request Header Fields Too Large' }),
    async (api) => {
      const message =
        "431 Request Header Fields Too Large: the request is longer than the peer's max_header_bytes allows";
      const ran = await run(['--host', api.host, 'id']);
      assert.deepEqual(ran, {
        exit: 2,
        stdout: `An error occurred:\n  Code: 431\n  Message: ${message}\n`,
        stderr: '',
      });
      const json = await run(['--host', api.host, '--enc=json', 'id']);
      assert.deepEqual(JSON.parse(json.stdout), { code: 431, message });
    },
  );
});

test('output that cannot be written ends in one line', { skip: process.platform !== 'linux' }, async () => {
  const full = await open('/dev/full', 'w');
  const bin = fileURLToPath(new URL('bin.ts', import.meta.url));
  const child = spawn(process.execPath, [bin, '--help'], { stdio: ['ignore', full.fd, 'pipe'] });
  const [stderr, [code]] = await Promise.all([text(child.stderr ?? Readable.from([])), once(child, 'close')]);
  await full.close();
  assert.match(stderr, /^error writing the output: ENOSPC.*\n$/);
  assert.equal(code, 1);
});

test('an API that is not there is told as the Go program tells it', async () => {
  const port = await closedPort();
  const message = `Get "http://127.0.0.1:${port}/id": dial tcp 127.0.0.1:${port}: connect: connection refused`;
  const host = `/ip4/127.0.0.1/tcp/${port}`;
  const text = await run(['--host', host, 'id']);
  const hint = `hint: nothing listens there: is the peer running ("ipfs-cluster-service daemon")? --host names another address than ${host}\n`;
  assert.deepEqual(text, { exit: 1, stdout: `An error occurred:\n  Code: 0\n  Message: ${message}\n`, stderr: hint });
  const json = await run(['--host', `/ip4/127.0.0.1/tcp/${port}`, '--enc=json', 'id']);
  assert.deepEqual(JSON.parse(json.stdout), { code: 0, message });
});

test('several hosts are tried in order; credentials mean TLS unless forced', async () => {
  const port = await closedPort();
  await withApi(
    () => ({ body: '{"version":"1.1.6"}' }),
    async (api) => {
      const hosts = `/ip4/127.0.0.1/tcp/${port},${api.host}`;
      assert.equal((await run(['--host', hosts, 'version'])).stdout, '1.1.6\n');
      const forced = ['--host', api.host, '--basic-auth', 'u:p:q', '-f', 'version'];
      assert.equal((await run(forced)).exit, 0);
      assert.equal(api.lastHeaders().authorization, `Basic ${Buffer.from('u:p:q').toString('base64')}`);
      const secured = await run(['--host', api.host, 'version'], { environment: { CLUSTER_CREDENTIALS: 'u:p' } });
      assert.match(secured.stdout, /Get "https:.*: http: server gave HTTP response to HTTPS client\n/);
      assert.equal(secured.exit, 1);
      const debug = await run(['--debug', '--host', api.host, 'version']);
      assert.match(debug.stderr, /^\S+Z\tDEBUG\tapiclient\tGET: \/version\n/);
    },
  );
});

test('a proxy of the environment is used, but not for this machine', async () => {
  await withApi(
    () => ({ body: '{"version":"through"}' }),
    async (proxy) => {
      const environment = { HTTP_PROXY: proxy.url };
      const far = await run(['--host', '/dns4/cluster.test/tcp/9094', 'version'], { environment });
      assert.deepEqual([far.stdout, proxy.requests], ['through\n', ['GET http://cluster.test:9094/version']]);
      const near = await run(['--host', `/ip4/127.0.0.1/tcp/${await closedPort()}`, 'version'], { environment });
      assert.match(near.stdout, /connection refused/);
    },
  );
});

test('a unix socket serves as well', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ctl-'));
  const api = await startFakeApi(() => ({ body: '{"version":"1"}' }), { socketPath: join(folder, 'api.sock') });
  try {
    assert.deepEqual(await run(['--host', api.host, 'version']), { exit: 0, stdout: '1\n', stderr: '' });
  } finally {
    await api.close();
    await rm(folder, { recursive: true });
  }
});

test('--timeout ends the wait for an answer', async () => {
  await withApi(
    () => undefined,
    async (api) => {
      const ran = await run(['--timeout', '1', '--host', api.host, 'version']);
      assert.match(ran.stdout, /context deadline exceeded \(Client\.Timeout exceeded while awaiting headers\)/);
      assert.equal(ran.exit, 1);
    },
  );
});

test('a list that breaks off shows what came, then the error', async () => {
  await withApi(
    () => ({ body: [status('pinned')], trailers: ['some peer failed'] }),
    async (api) => {
      const ran = await run(['--host', api.host, 'status']);
      assert.match(
        ran.stdout,
        new RegExp(`^${cid}:\n(.*\n)+An error occurred:\n {2}Code: 500\n {2}Message: some peer failed\n$`),
      );
      assert.equal(ran.exit, 2);
    },
  );
});

test('a unix socket that is not there, is told with a hint', async () => {
  const ran = await run(['--host', '/unix/nosuch/api.sock', 'id']);
  assert.match(
    ran.stdout,
    /Get "http:\/\/restapi\/id": dial unix \/nosuch\/api\.sock: connect: no such file or directory\n$/,
  );
  assert.match(ran.stderr, /^hint: no socket is there: /);
  assert.equal(ran.exit, 1);
});

test('health graph can go to a file', async () => {
  const written: string[] = [];
  await withApi(
    () => ({ body: '{"cluster_id":"","cluster_links":{}}' }),
    async (api) => {
      const ran = await run(['--host', api.host, 'health', 'graph', '-f', 'out.dot'], {
        writeFile: async (path, text) => {
          written.push(path, text);
        },
      });
      assert.deepEqual([ran.stdout, written[0]], ['', 'out.dot']);
      assert.match(written[1] ?? '', /^digraph cluster \{/);
      const failed = await run(['--host', api.host, 'health', 'graph', '-f', '/nosuch/out.dot'], { writeFile });
      const stderr = 'error : open /nosuch/out.dot: no such file or directory\n';
      assert.deepEqual(failed, { exit: 1, stdout: '', stderr });
    },
  );
});

test('health replication shows counts, peers, and whose word is missing', async () => {
  const counts = '"pins":1200,"below_min":7,"at_min":0,"above_min":0,"full":1193,"over_max":0';
  const body =
    `{${counts},"allocated":{${counts}},"everywhere":{},"shards":{},"meta":2,"verified":true,"unanswered":{"QmB":"no answer"},` +
    '"peers":{"QmB":{"allocated":7,"pinned":0,"member":true,"alive":false},"QmA":{"allocated":1200,"pinned":1193,"member":true,"alive":true}}}';
  await withApi(
    () => ({ body }),
    async (api) => {
      const ran = await run(['--host', api.host, 'health', 'replication', '--verify']);
      assert.deepEqual(api.requests, ['GET /health/replication?verify=true']);
      assert.equal(
        ran.stdout,
        [
          '            pins  below min  at min  above min  full  over max',
          'allocated   1200          7       0          0  1193         0',
          'everywhere     0          0       0          0     0         0',
          'shards         0          0       0          0     0         0',
          'all         1200          7       0          0  1193         0',
          'and 2 meta pins, which no peer holds',
          'QmA | alive | allocated: 1200 | pinned: 1193',
          'QmB | missing | allocated: 7 | pinned: 0',
          'QmB | its pins are not known: no answer',
          '',
        ].join('\n'),
      );
    },
  );
});

test('addresses that HTTP cannot use are refused before any request', async () => {
  const refusals: readonly [string, RegExp][] = [
    [
      'foo',
      /^error parsing host multiaddress: failed to parse multiaddr "foo": must begin with \/\nhint: --host takes \/ip4\/127/,
    ],
    ['/ip4/1.2.3.4/udp/1/quic-v1', /^error creating API client: expected /],
    ['', /^error parsing host multiaddress: empty multiaddr\nhint: /],
    [`/p2p/${member}`, /^error creating API client: APIAddr only includes a Peer ID\nhint: /],
    [`http://127.0.0.1:9094/api`, /^error parsing host multiaddress: /],
  ];
  for (const [host, text] of refusals) {
    const ran = await run(['--host', host, 'id']);
    assert.match(ran.stderr, text);
    assert.equal(ran.exit, 1);
  }
});

test('indentJson lays out as Go does and keeps every digit', () => {
  const compact = '{"a":[],"b":{},"c":[1795415485522471756,"x,{\\"}"],"d":{"e":null}}';
  const text = indentJson(compact);
  assert.equal(
    text,
    '{\n    "a": [],\n    "b": {},\n    "c": [\n        1795415485522471756,\n        "x,{\\"}"\n    ],\n    "d": {\n        "e": null\n    }\n}',
  );
});

test('relative times and sizes are those of go-humanize', () => {
  const at = (seconds: number) => relativeTime(BigInt(Math.round(seconds * 1e9)), 0n);
  const cases: readonly [number, string][] = [
    [0.5, 'now'],
    [1.9, '1 second from now'],
    [-2, '2 seconds ago'],
    [59.9, '59 seconds from now'],
    [-60, '1 minute ago'],
    [7300, '2 hours from now'],
    [86_400 * 1.5, '1 day from now'],
    [86_400 * 6, '6 days from now'],
    [86_400 * 13, '1 week from now'],
    [86_400 * 45, '1 month from now'],
    [86_400 * 100, '3 months from now'],
    [86_400 * 400, '1 year from now'],
    [86_400 * 600, '2 years from now'],
    [86_400 * 1500, '4 years from now'],
  ];
  for (const [seconds, text] of cases) assert.equal(at(seconds), text);
  const sizes: readonly [bigint, string][] = [
    [0n, '0 B'],
    [9n, '9 B'],
    [10n, '10 B'],
    [999n, '999 B'],
    [1000n, '1.0 kB'],
    [1500n, '1.5 kB'],
    [9_999_400_505n, '10 GB'],
    [82_854_982n, '83 MB'],
  ];
  for (const [bytes, text] of sizes) assert.equal(bytesText(bytes), text);
});

test('operations: a readable line for each, and for peers that cannot tell', async () => {
  const peers = [
    '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5',
    '12D3KooWJTgjVFjLfb4zSJeVWNpA7uLJYbDtUyTnrCPaTtDSWcNt',
  ];
  const rows = [
    {
      peer: peers[0],
      peername: 'one',
      cid,
      name: 'n',
      type: 'pin',
      phase: 'error',
      cause: 'full',
      error: 'no space left',
    },
    { peer: peers[1], cid, type: 'unpin', phase: 'queued', cause: 'none', queue: 'unpin', position: 3 },
    { peer: peers[0], peername: 'three', cid: null, cause: 'cluster_error', error: 'it is a Go peer' },
  ];
  const [first] = rows;
  Object.assign(first ?? {}, { since: '2023-11-14T22:03:20Z', next_try: '2023-11-14T22:13:40Z', attempts: 4 });
  await withApi(
    (_method, path) => (path.startsWith('/operations?') ? { body: rows.map((row) => JSON.stringify(row)) } : undefined),
    async (api) => {
      const ran = await run(['--host', api.host, 'operations', '--local', cid]);
      assert.equal(ran.stderr, '');
      assert.equal(
        ran.stdout,
        `> one                  : PIN ERROR     | ${cid} n | Since: 10 minutes ago | Attempts: 4 | Next try: 19 seconds from now | full: no space left\n` +
          `> ${peers[1]} : UNPIN QUEUED  | ${cid} | Attempts: 0 | Queue: unpin 3\n` +
          '> three                : it is a Go peer\n',
      );
      assert.equal(api.requests[0], `GET /operations?local=true&cid=${cid}`);
      const json = await run(['--host', api.host, '--enc', 'json', 'operations']);
      assert.match(json.stdout, /"cause": "full",\n/);
      assert.equal(api.requests[1], 'GET /operations?local=false');
      assert.match((await run(['--host', api.host, 'operations', 'nonsense'])).stderr, /parsing cid/);
    },
  );
});
