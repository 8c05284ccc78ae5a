/** `ipfs-cluster-ctl` as users start it: over every way that leads to real peers, and left in the middle of what it does. */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createClient } from '../../src/client/index.ts';
import { parseEndpoint } from '../../src/cmd/ctl/endpoint.ts';
import { libp2pTransport } from '../../src/cmd/ctl/libp2p-transport.ts';
import { createCertificate } from '../support/certificate.ts';
import { closedPort } from '../support/closed-port.ts';
import { startPeers, type TestPeers } from '../support/peers.ts';

const program = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'bin', 'ipfs-cluster-ctl.cjs');
const secret = '5c'.repeat(32);
const credentials = { alice: 'secret1' };

type Running = ChildProcessByStdio<null, Readable, Readable>;
type Environment = Readonly<Record<string, string>>;

function start(argv: readonly string[], environment: Environment = {}): Running {
  const { CLUSTER_CREDENTIALS: _, CLUSTER_TOKEN: __, NODE_EXTRA_CA_CERTS: ___, ...outside } = process.env;
  const env = { ...outside, ...environment };
  return spawn(process.execPath, [program, ...argv], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Exit code, or the signal that it died of. */
async function end(running: Running): Promise<number | string | null> {
  const [code, signal] = (await once(running, 'close')) as [number | null, string | null];
  return code ?? signal;
}

async function ctl(argv: readonly string[], environment: Environment = {}) {
  const running = start(argv, environment);
  const [exit, stdout, stderr] = await Promise.all([end(running), text(running.stdout), text(running.stderr)]);
  return { exit, stdout, stderr };
}

describe('ways to a peer', () => {
  let started: TestPeers;
  let folder: string;
  let socket: string;
  let certificate: string;
  /** Of the first peer: its API over TCP, and over libp2p. */
  let plain: string;
  let address: string;
  /** Of the second one, which has TLS and credentials: the port of its API. */
  let tlsPort: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ctl-ways-'));
    socket = join(folder, 'api.sock');
    certificate = join(folder, 'cert.pem');
    const keyFile = join(folder, 'key.pem');
    const { cert, key } = createCertificate();
    await Promise.all([writeFile(certificate, cert), writeFile(keyFile, key), writeFile(join(folder, 'a.txt'), 'a\n')]);
    started = await startPeers({
      count: 2,
      change: (config) => {
        const { restapi, cluster } = config;
        assert.ok(restapi);
        const door =
          cluster.peername === 'peer1'
            ? { httpListenMultiaddress: [...restapi.httpListenMultiaddress, `/unix${socket}`] }
            : { sslCertFile: certificate, sslKeyFile: keyFile, basicAuthCredentials: credentials };
        return { ...config, cluster: { ...cluster, secret }, restapi: { ...restapi, ...door } };
      },
    });
    const [first, second] = started.peers;
    assert.ok(first && second);
    plain = first.apiAddress;
    tlsPort = new URL(second.apiUrl).port;
    const { addresses } = (await (await fetch(`${first.apiUrl}/id`)).json()) as { addresses: string[] };
    address = addresses.find((one) => one.startsWith('/ip4/127.0.0.1/tcp/')) ?? '';
  });
  after(async () => {
    await started?.end();
    await rm(folder, { recursive: true });
  });

  test('libp2p: adds, lists and unpins as over TCP', async () => {
    const at = ['--host', address, '--secret', secret];
    const id = await ctl([...at, 'id']);
    assert.match(id.stdout, /^12D3Koo\w+ \| peer1 \| Sees 1 other peers\n/);
    assert.deepEqual(id, await ctl(['--host', plain, 'id']));
    const added = await ctl([...at, 'add', '--wait', '--name', 'over libp2p', join(folder, 'a.txt')]);
    const [, cid = ''] = /^added (\w+) a\.txt\n$/.exec(added.stdout) ?? [];
    assert.deepEqual([added.exit, added.stderr], [0, '']);
    for (const argv of [
      ['pin', 'ls'],
      ['--enc', 'json', 'status', cid],
    ]) {
      const list = await ctl([...at, ...argv]);
      assert.match(list.stdout, new RegExp(cid));
      assert.deepEqual(list, await ctl(['--host', plain, ...argv]), argv.join(' '));
    }
    assert.deepEqual(await ctl([...at, 'pin', 'ls', 'foo']), await ctl(['--host', plain, 'pin', 'ls', 'foo']));
    assert.equal((await ctl([...at, 'pin', 'rm', '--wait', cid])).exit, 0);
    assert.equal((await ctl(['--host', plain, 'pin', 'ls'])).stdout, '');
  });

  test('libp2p: names are looked up, and --https is told to be of no use', async () => {
    const [, port, id] = /\/tcp\/([0-9]+)\/p2p\/(\w+)$/.exec(address) ?? [];
    const named = await ctl(['-s', '--host', `/dns4/localhost/tcp/${port}/p2p/${id}`, '--secret', secret, 'version']);
    assert.match(named.stdout, /^[0-9]+\.[0-9]+\.[0-9]+\n$/);
    assert.equal(named.stderr, 'warning: --https is ignored over libp2p, which is encrypted by itself\n');
  });

  test('libp2p: the addresses behind a /dnsaddr are tried in order', async () => {
    const id = address.split('/').at(-1);
    const dead = `/ip4/127.0.0.1/tcp/${await closedPort()}/p2p/${id}`;
    const records = [`dnsaddr=${dead}`, 'something else', `dnsaddr=${address}`];
    const asked: string[] = [];
    const lookUp = async (name: string): Promise<string[][]> => {
      asked.push(name);
      return records.map((record) => [record]);
    };
    const endpoint = parseEndpoint(`/dnsaddr/cluster.example/p2p/${id}`, false);
    assert.ok(endpoint.kind === 'libp2p');
    const { transport, close } = libp2pTransport(endpoint, { secret: Buffer.from(secret, 'hex'), lookUp });
    const client = createClient({ transport });
    assert.equal((await client.id()).id, id);
    assert.equal((await client.version()).length > 0, true);
    assert.deepEqual(asked, ['_dnsaddr.cluster.example']);
    await close();
    const nowhere = await ctl(['--host', '/dnsaddr/nosuch.invalid', '--secret', secret, 'id']);
    assert.match(nowhere.stdout, /Get "libp2p:\/\/\/dnsaddr\/nosuch\.invalid\/id": Cannot find the addresses of /);
    assert.equal(nowhere.exit, 1);
  });

  test('libp2p: what goes wrong is told in the words of the Go program', async () => {
    const recorded = async (name: string, changes: readonly (readonly [RegExp, string])[]): Promise<string> => {
      const path = new URL(`../vectors/cli/ctl/libp2p.${name}.txt`, import.meta.url);
      const session = changes.reduce((all, [from, to]) => all.replace(from, to), await readFile(path, 'utf8'));
      return session.replace(/^\$.*\n/, '').replace(/^[0-9T:.-]+Z\t.*\n/gm, '');
    };
    const played = async (argv: readonly string[]): Promise<string> => {
      const { stdout, stderr, exit } = await ctl(argv);
      return `--- stdout\n${stdout}--- stderr\n${stderr.replace(/^hint: .*\n/gm, '')}--- exit ${exit}\n`;
    };
    const id = address.split('/').at(-1) ?? '';
    const port = /\/tcp\/([0-9]+)/.exec(address)?.[1] ?? '';
    const closed = `${await closedPort()}`;
    const same = [/12D3\w+/g, id] as const;
    const down = await played(['--host', `/ip4/127.0.0.1/tcp/${closed}/p2p/${id}`, '--secret', secret, 'id']);
    assert.equal(down, await recorded('down', [same, [/22190/g, closed]]));
    assert.equal(await played(['--host', address, 'id']), await recorded('nosecret', [same, [/22100/g, port]]));
    assert.equal(await played(['--host', address, '--secret', '00ff', 'id']), await recorded('shortsecret', []));

    const wrong = await ctl(['--host', address, '--secret', '00'.repeat(32), 'id']);
    assert.match(
      wrong.stdout,
      /failed to dial: .*all dials failed\n {2}\* \[\/ip4\/.*\] the other side does not use the/,
    );
    assert.match(wrong.stderr, /^hint: --secret is not the one /);
    assert.equal(wrong.exit, 1);
    const other = '12D3KooWD7yK1fALAYgj4XRz5kt1PyKFJfds7gGwMryCCQSNDDg3';
    const someoneElse = await ctl(['--host', address.replace(id, other), '--secret', secret, 'id']);
    assert.match(someoneElse.stdout, new RegExp(`Get "libp2p://${other}/id": failed to dial: `));
    assert.equal(someoneElse.exit, 1);
  });

  test('a unix socket, and several hosts of different kinds', async () => {
    const id = await ctl(['--host', plain, 'id']);
    assert.deepEqual(await ctl(['--host', `/unix${socket}`, 'id']), id);
    const port = await closedPort();
    const dead = [
      `/ip4/127.0.0.1/tcp/${port}/p2p/12D3KooWD7yK1fALAYgj4XRz5kt1PyKFJfds7gGwMryCCQSNDDg3`,
      `/ip4/127.0.0.1/tcp/${port}`,
      `/dns4/localhost/tcp/${port}`,
      '/unix/nosuch/api.sock',
    ];
    assert.deepEqual(await ctl(['--host', [...dead, `/unix${socket}`].join(', '), '--secret', secret, 'id']), id);
  });

  test('TLS: a certificate that the system, Node or the user knows, or none is asked for', async () => {
    const user = ['--basic-auth', 'alice:secret1'];
    const at = ['--host', `/dns4/localhost/tcp/${tlsPort}`];
    const answered = async (argv: readonly string[], environment: Environment = {}): Promise<void> => {
      const { exit, stdout, stderr } = await ctl([...argv, 'id'], environment);
      assert.match(stdout, /^12D3Koo\w+ \| peer2 \| /, argv.join(' '));
      assert.deepEqual([exit, stderr], [0, '']);
    };
    await answered([...at, ...user], { SSL_CERT_FILE: certificate, SSL_CERT_DIR: folder });
    await answered([...at, ...user], { NODE_EXTRA_CA_CERTS: certificate });
    await answered(at, { NODE_EXTRA_CA_CERTS: certificate, CLUSTER_CREDENTIALS: 'alice:secret1' });
    await answered(['--no-check-certificate', '--host', `/ip4/127.0.0.1/tcp/${tlsPort}`, ...user]);
    await answered(['--no-check-certificate', '--host', `https://localhost:${tlsPort}`, ...user]);

    const refused: readonly [readonly string[], Environment, RegExp, RegExp, number][] = [
      [
        [...at, ...user],
        {},
        /x509: certificate signed by unknown authority\n$/,
        /SSL_CERT_FILE=<file> or NODE_EXTRA_CA_CERTS=<file> makes/,
        1,
      ],
      [
        ['--host', `/ip4/127.0.0.1/tcp/${tlsPort}`, ...user],
        { NODE_EXTRA_CA_CERTS: certificate },
        /x509: certificate is not valid for the name or address in --host\n$/,
        /for which the certificate is made/,
        1,
      ],
      [['-s', ...at], { NODE_EXTRA_CA_CERTS: certificate }, /Code: 401\n/, /wants credentials/, 2],
      [['-f', ...at, ...user], {}, /Code: 400\n.*HTTP request to an HTTPS server/, /wants TLS: --https/, 2],
    ];
    for (const [argv, environment, message, hint, exit] of refused) {
      const ran = await ctl([...argv, 'id'], environment);
      assert.match(ran.stdout, message);
      assert.match(ran.stderr, new RegExp(`^hint: .*${hint.source}`));
      assert.ok(!`${ran.stdout}${ran.stderr}`.includes('secret1'));
      assert.equal(ran.exit, exit);
    }
  });
});

describe('left in the middle', () => {
  const line = `${JSON.stringify({ cid: 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o', name: 'n', type: 'pin' })}\n`;

  /** Runs against a server; `gone` resolves when a connection to it has ended. */
  async function withServer(
    listener: RequestListener,
    act: (host: string, gone: Promise<void>) => Promise<void>,
  ): Promise<void> {
    const gone = Promise.withResolvers<void>();
    const server = createServer(listener).listen(0, '127.0.0.1');
    server.on('connection', (socket) => socket.on('error', () => {}).once('close', () => gone.resolve()));
    await once(server, 'listening');
    const bound = server.address();
    try {
      await act(`/ip4/127.0.0.1/tcp/${typeof bound === 'object' ? bound?.port : 0}`, gone.promise);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  /** A list that has begun, and goes on for as long as someone reads. */
  const endless: RequestListener = (_request, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(line.repeat(100)));
    };
    response.on('drain', more);
    more();
  };
  /** The same, but nothing comes behind its first line. */
  const stuck: RequestListener = (_request, response) => void response.write(line);

  test('a reader that has seen enough ends a list without a word, and the peer is told', async () => {
    await withServer(endless, async (host, gone) => {
      const running = start(['--host', host, 'pin', 'ls']);
      const exit = end(running);
      await once(running.stdout, 'data');
      running.stdout.destroy();
      assert.equal(await text(running.stderr), '');
      assert.equal(await exit, 0);
      await gone;
    });
  });

  test('Ctrl-C ends a list and an upload at once, and the peer is told', async () => {
    await withServer(stuck, async (host, gone) => {
      const running = start(['--host', host, 'pin', 'ls']);
      const exit = end(running);
      await once(running.stdout, 'data');
      running.kill('SIGINT');
      assert.equal(await exit, 'SIGINT');
      await gone;
    });
    const begun = Promise.withResolvers<IncomingMessage>();
    // Nothing of the body is read, so that it is never all sent.
    await withServer(
      (request) => begun.resolve(request),
      async (host, gone) => {
        const running = start(['--host', host, 'add', process.execPath]);
        const exit = end(running);
        const request = await begun.promise;
        running.kill('SIGINT');
        assert.equal(await exit, 'SIGINT');
        // A server learns of the end behind what it has still to read.
        request.on('error', () => {}).resume();
        await gone;
      },
    );
  });

  test('--timeout counts for the whole of a list, and what had come is shown', async () => {
    await withServer(stuck, async (host, gone) => {
      const { exit, stdout, stderr } = await ctl(['--host', host, '--timeout', '1', 'pin', 'ls']);
      assert.match(
        stdout,
        /^QmT78z\w+ \| n \| PIN \| .*\nAn error occurred:\n {2}Code: 0\n {2}Message: .*Client\.Timeout/,
      );
      assert.match(stderr, /^hint: .*--timeout allows\n$/);
      assert.equal(exit, 1);
      await gone;
    });
  });
});
