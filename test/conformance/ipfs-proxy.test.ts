/**
 * The IPFS proxy before a real node: the embedded one always, and Kubo when `KUBO_BIN` names the program. The cluster
 * behind it is an in-memory pinset.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { errorCode, silentLogger, version } from '../../src/base/index.ts';
import { parseSocketAddress } from '../../src/http/kit/index.ts';
import { bindProxy, type IpfsProxy } from '../../src/http/proxy/index.ts';
import { createIpfsConnector } from '../../src/io/ipfs/index.ts';
import { PinsetStandIn } from '../support/pinset-stand-in.ts';
import { systemClock } from '../support/system-clock.ts';
import { startEmbeddedNode } from './embedded-node.ts';
import { startKubo } from './kubo-daemon.ts';
import { noise, type RpcResponse, type SendOptions, send } from './kubo-rpc/client.ts';
import type { RpcTarget } from './kubo-rpc.ts';

const hello = 'QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN';
const large = 'QmYEJAPHxLsFGurqJBUA86PCsWnbmcTRmx5WSdySLa7KPz';
const folder = 'QmfXK1qQwQtYgg1yn7fACj8wg4nmBUh2SgKQAYPcPFb69n';
const folderParts = [
  { path: 'a.txt', content: 'hello\n' },
  { path: 'b.bin', content: Buffer.alloc(300_000, 'x') },
];

interface Front {
  readonly proxy: IpfsProxy;
  readonly cluster: PinsetStandIn;
  readonly url: string;
}

async function startProxy(nodeUrl: string): Promise<Front> {
  const { hostname, port } = new URL(nodeUrl);
  const proxy = await bindProxy({
    listenMultiaddress: ['/ip4/127.0.0.1/tcp/0'],
    nodeMultiaddress: `/ip4/${hostname}/tcp/${port}`,
    nodeHttps: false,
    logFile: '',
    readTimeoutMs: 0,
    readHeaderTimeoutMs: 5_000,
    writeTimeoutMs: 0,
    idleTimeoutMs: 60_000,
    maxHeaderBytes: 4_096,
    extractHeadersExtra: ['X-Extra'],
    extractHeadersPath: '/api/v0/version',
    extractHeadersTtlMs: 300_000,
  });
  const ipfs = createIpfsConnector(
    {
      nodeMultiaddress: `/ip4/${hostname}/tcp/${port}`,
      ipfsRequestTimeoutMs: 60_000,
      pinTimeoutMs: 60_000,
      unpinTimeoutMs: 60_000,
      repoGcTimeoutMs: 60_000,
      unpinDisable: false,
      concurrentPins: 1,
    },
    { clock: systemClock, logger: silentLogger },
  );
  const cluster = new PinsetStandIn(ipfs);
  proxy.serve({ cluster, log: silentLogger });
  const address = parseSocketAddress(proxy.addresses()[0] ?? '');
  assert.ok('port' in address);
  const close = async (): Promise<void> => {
    await proxy.close();
    await ipfs.stop();
  };
  return { proxy: { ...proxy, close }, cluster, url: `http://${address.host}:${address.port}` };
}

/** Sends the texts one after the other over one connection, and reads until it ends. */
async function exchange(port: number, host: string, texts: readonly string[]): Promise<string> {
  const socket = connect(port, host);
  await once(socket, 'connect');
  for (const text of texts) socket.write(text);
  let answer = '';
  try {
    for await (const chunk of socket) answer += String(chunk);
  } catch (error) {
    if (errorCode(error) !== 'ECONNRESET') throw error;
  }
  return answer;
}

function message(response: RpcResponse): string {
  return (response.json() as { Message: string }).Message;
}

function suite(name: string, startNode: () => Promise<RpcTarget>): void {
  describe(`the IPFS proxy before ${name}`, () => {
    let node: RpcTarget;
    let front: Front;
    const rpc = (path: string, options: SendOptions = {}): Promise<RpcResponse> => send(front.url, path, options);
    const pinned = (): string[] => [...front.cluster.all.keys()].sort();

    before(async () => {
      node = await startNode();
      front = await startProxy(node.url);
      await send(node.url, 'add?pin=false&wrap-with-directory=true', { parts: folderParts });
    });
    after(async () => {
      await front?.proxy.close();
      await node?.stop();
    });

    describe('passes through', () => {
      it('what it does not know, answer and headers unchanged', async () => {
        for (const [path, method] of [
          ['version', 'POST'],
          ['id', 'GET'],
          ['nosuch', 'POST'],
          ['version', 'OPTIONS'],
          ['cat', 'POST'],
          [`cat?arg=${folder}`, 'POST'],
          [`cat?arg=${folder}/a.txt`, 'POST'],
        ] as const) {
          const direct = await send(node.url, path, { method });
          const through = await rpc(path, { method });
          assert.equal(through.status, direct.status, path);
          assert.equal(through.text(), direct.text());
          const compared = (response: RpcResponse): object => {
            const { date, connection, 'keep-alive': keepAlive, ...headers } = response.headers;
            return headers;
          };
          assert.deepEqual(compared(through), compared(direct));
        }
      });
      it('large bodies in both directions', async () => {
        const content = noise(8_000_000);
        const added = await rpc('add?pin=false&cid-version=1', { parts: [{ path: 'f', content }] });
        const { Hash } = added.lines().at(-1) as { Hash: string };
        assert.ok((await rpc(`cat?arg=${Hash}`)).body.equals(content));
        assert.deepEqual(pinned(), []);
      });
      it('block/put and dag/put without pin', async () => {
        assert.equal((await rpc('block/put', { parts: [{ path: 'b', content: 'block' }] })).status, 200);
        assert.equal((await rpc('dag/put?pin=false', { parts: [{ path: 'd', content: '{}' }] })).status, 200);
        assert.equal((await rpc('add?only-hash=true', { parts: [{ path: 'f', content: 'f' }] })).status, 200);
        assert.deepEqual(pinned(), []);
      });
    });

    describe('pins in the cluster', () => {
      it('pin/add, by argument and by path, with GET too', async () => {
        assert.equal((await rpc(`pin/add?arg=${hello}`)).text(), `{"Pins":["${hello}"]}`);
        assert.equal((await rpc(`pin/add/${large}`, { method: 'GET' })).text(), `{"Pins":["${large}"]}`);
        assert.equal((await rpc(`pin/add?arg=/ipfs/${folder}&type=direct`)).status, 200);
        assert.deepEqual(pinned(), [hello, large, folder].sort());
        assert.equal(front.cluster.all.get(folder)?.mode, 'direct');
        assert.equal((await rpc(`pin/rm/${folder}`)).text(), `{"Pins":["${folder}"]}`);
        assert.equal((await rpc(`pin/rm?arg=${hello}&arg=${large}`)).text(), `{"Pins":["${hello}","${large}"]}`);
        assert.deepEqual(pinned(), []);
      });
      it('a path means the same in every spelling', async () => {
        assert.equal((await rpc(`%70in/add?arg=${hello}`)).text(), `{"Pins":["${hello}"]}`);
        assert.equal((await rpc(`pin%2Fadd%2F${large}`)).text(), `{"Pins":["${large}"]}`);
        assert.deepEqual(pinned(), [hello, large].sort());
        front.cluster.all.clear();
        // A node would clean or redirect these, or take them as they are; a client that libraries stand between cannot send them.
        const { host, hostname, port } = new URL(front.url);
        const targets = [
          '/api/v0//pin/add',
          '//api/v0/pin/add',
          '/api/v0/./pin/add',
          '/api/v0/cat/../pin/add',
          '/webui/../api/v0/pin/add/',
          '/api/v0/%2e%2e/v0/pin/%61dd',
          '/%2fapi/v0/pin/add',
          `http://${host}/api/v0/pin/add`,
          'HTTP://other.example//api/v0/pin/add',
        ];
        for (const target of targets) {
          const answer = await exchange(Number(port), hostname, [
            `POST ${target}?arg=${hello} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
          ]);
          assert.match(answer, /^HTTP\/1\.1 200 /, target);
          assert.deepEqual(pinned(), [hello], target);
          front.cluster.all.clear();
        }
        // These are no commands anywhere.
        for (const target of ['/API/V0/pin/add', '/api/v0/PIN/add', '/api/v0/pin%252Fadd', '/api/v0;/pin/add']) {
          const answer = await exchange(Number(port), hostname, [
            `POST ${target}?arg=${hello} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
          ]);
          assert.match(answer, /^HTTP\/1\.1 404 /, target);
        }
        const { Keys = {} } = (await send(node.url, 'pin/ls?type=all')).json() as { Keys?: object };
        assert.equal(Object.hasOwn(Keys, hello), false);
      });
      it('pages that the node keeps away change nothing here either', async () => {
        await rpc(`pin/add?arg=${hello}`);
        const strangers = [
          { origin: 'http://page.example' },
          { origin: 'null' },
          { referer: 'http://page.example/x' },
          { 'user-agent': 'Mozilla/5.0' },
        ];
        for (const headers of strangers) {
          for (const method of ['POST', 'GET'] as const) {
            const paths = [
              `pin/rm?arg=${hello}`,
              `pin/add?arg=${large}`,
              `pin/update?arg=${hello}&arg=${large}`,
              'repo/gc',
            ];
            for (const path of paths) assert.equal((await rpc(path, { method, headers })).status, 403, path);
          }
          for (const path of ['add', 'block/put?pin=true']) {
            assert.equal((await rpc(path, { headers, parts: folderParts })).status, 403, path);
          }
        }
        assert.deepEqual(pinned(), [hello]);
        assert.equal((await rpc(`pin/rm?arg=${hello}`, { headers: { origin: front.url } })).status, 200);
      });
      it('pin/add pins all arguments, or none when one is bad', async () => {
        const bad = await rpc(`pin/add?arg=${hello}&arg=junk`);
        assert.equal(bad.status, 500);
        assert.equal(
          message(bad),
          'Error parsing IPFS Path: invalid path "junk": path does not have enough components',
        );
        assert.deepEqual(pinned(), []);
        assert.equal(
          (await rpc(`pin/add?arg=${hello}&arg=${large}&name=n`)).text(),
          `{"Pins":["${hello}","${large}"]}`,
        );
        assert.equal(front.cluster.all.get(large)?.name, 'n');
        const unknown = await rpc(`pin/rm?arg=${hello}&arg=${folder}`);
        assert.equal(message(unknown), 'pin is not part of the pinset');
        assert.deepEqual(pinned(), [hello, large].sort());
        front.cluster.all.clear();
      });
      it('pin/add and pin/rm without an argument fail as in Kubo', async () => {
        for (const path of ['pin/add', 'pin/rm', 'pin/add/']) {
          const response = await rpc(path);
          assert.equal(response.status, 400);
          assert.deepEqual(response.json(), { Message: 'argument "ipfs-path" is required', Code: 0, Type: 'error' });
        }
        assert.match(message(await rpc('pin/add?arg=')), /^Error parsing IPFS Path: invalid path ""/);
      });
      it('arguments may come in the body, one a line', async () => {
        const inBody = (path: string, content: string): Promise<RpcResponse> =>
          rpc(path, { parts: [{ path: 'stdin', content }] });
        assert.deepEqual((await inBody('pin/add?name=n', `${hello}\r\n/ipfs/${large}\n`)).json(), {
          Pins: [hello, large],
        });
        assert.equal(front.cluster.all.get(large)?.name, 'n');
        assert.deepEqual((await inBody('pin/rm', hello)).json(), { Pins: [hello] });
        // Behind those of the query, where the `ipfs` program has put the first line.
        await rpc(`pin/add?arg=${hello}`);
        assert.deepEqual((await inBody(`pin/rm?arg=${large}`, hello)).json(), { Pins: [large, hello] });
        assert.equal((await inBody('pin/add', '')).status, 400);
        const long = await inBody('pin/add', `${hello}\n`.repeat(30_000));
        assert.equal(message(long), 'cannot read arguments: more than 1048576 bytes');
        assert.equal((await inBody('pin/add', `${hello}\njunk\n`)).status, 500);
        assert.deepEqual(pinned(), []);
      });
      it('options that are neither true nor false are refused before anything is done', async () => {
        for (const path of [
          `pin/add?arg=${hello}&recursive=maybe`,
          `pin/add?arg=${hello}&progress=2`,
          `pin/update?arg=${hello}&arg=${large}&unpin=no`,
          'pin/ls?names=no',
        ]) {
          const response = await rpc(path);
          assert.equal(response.status, 400, path);
          assert.match(message(response), /^could not convert value "\w+" to type "bool" \(for option "-\w+"\)$/);
        }
        assert.deepEqual(pinned(), []);
      });
      it('pin/add with progress tells how many peers hold it, until enough do', async () => {
        front.cluster.statuses.push(['pin_queued', 'remote'], ['pinning', 'cluster_error']);
        const one = await rpc(`pin/add?arg=${hello}&progress=true`);
        assert.equal(one.headers['x-chunked-output'], '1');
        assert.equal(one.text(), `{}\n{}\n{"Progress":1}\n{"Pins":["${hello}"]}\n`);
        front.cluster.statuses.push(['pinned', 'pinning'], ['pinned'], ['pinned', 'pinned']);
        const two = await rpc(`pin/add?arg=${hello}&arg=${large}&progress=true`);
        assert.deepEqual(two.lines(), [{ Progress: 2 }, { Progress: 3 }, { Pins: [hello, large] }]);
        front.cluster.all.clear();
      });
      it('pin/add with progress fails when it cannot succeed, and the pin stays', async () => {
        front.cluster.statuses.push(['pin_error', 'pin_error']);
        const failed = await rpc(`pin/add?arg=${hello}&progress=true`);
        assert.equal(
          failed.trailers['x-stream-error'],
          `pin ${hello}: 0 of 2 peers hold the pin: pin_error of the test`,
        );
        assert.deepEqual(pinned(), [hello]);
        front.cluster.statuses.push(['pinning'], ['pinning'], ['pinning']);
        const late = await rpc(`pin/add?arg=${hello}&progress=true&timeout=1ms`);
        assert.equal(late.trailers['x-stream-error'], 'context deadline exceeded');
        assert.equal((await rpc(`pin/add?arg=${hello}&timeout=soon`)).status, 400);
        const refused = await rpc('pin/add?arg=junk&progress=true');
        assert.equal(refused.status, 500);
        front.cluster.statuses.length = 0;
        front.cluster.all.clear();
      });
      it('pin/ls lists the pinset', async () => {
        assert.equal((await rpc('pin/ls')).text(), '{"Keys":{}}');
        await rpc(`pin/add?arg=${hello}`);
        await rpc(`pin/add?arg=${folder}&recursive=false`);
        assert.deepEqual((await rpc('pin/ls')).json(), {
          Keys: { [hello]: { Type: 'recursive' }, [folder]: { Type: 'direct' } },
        });
        assert.deepEqual((await rpc('pin/ls?type=direct')).json(), { Keys: { [folder]: { Type: 'direct' } } });
        const stream = await rpc('pin/ls?stream=true');
        assert.deepEqual(stream.lines(), [
          { Cid: hello, Type: 'recursive' },
          { Cid: folder, Type: 'direct' },
        ]);
        assert.equal((await rpc(`pin/ls?arg=${hello}`)).text(), `{"Keys":{"${hello}":{"Type":"recursive"}}}`);
        assert.equal((await rpc(`pin/ls/${hello}?s=true`)).text(), `{"Cid":"${hello}","Type":"recursive"}\n`);
        assert.equal(message(await rpc(`pin/ls?arg=${large}`)), `Error: path '${large}' is not pinned`);
        assert.equal(message(await rpc('pin/ls?arg=a')), 'invalid cid: cid too short');
        assert.match(message(await rpc('pin/ls?arg=/ipfs/a/b')), /^invalid path "\/ipfs\/a\/b": invalid cid/);
        assert.match(message(await rpc('pin/ls?type=odd')), /^invalid type 'odd', must be one of/);
        front.cluster.all.clear();
      });
      it('pin/ls takes several arguments, paths, and names', async () => {
        await rpc(`pin/add?arg=${hello}&name=greeting`);
        await rpc(`pin/add?arg=${folder}&r=false`);
        const keys = async (query: string): Promise<unknown> =>
          ((await rpc(`pin/ls?${query}`)).json() as { Keys: unknown }).Keys;
        assert.deepEqual(await keys(`arg=${folder}/a.txt&arg=/ipfs/${folder}`), {
          [hello]: { Type: 'recursive' },
          [folder]: { Type: 'direct' },
        });
        const named = { [hello]: { Type: 'recursive', Name: 'greeting' }, [folder]: { Type: 'direct', Name: '' } };
        assert.deepEqual(await keys('names=true'), named);
        assert.deepEqual(await keys(`names=true&arg=${hello}&arg=${folder}`), named);
        assert.deepEqual(await keys('name=eet'), { [hello]: named[hello] });
        assert.deepEqual(await keys('t=indirect'), {});
        assert.equal(
          (await rpc(`pin/ls?stream=true&names=true&arg=${hello}&arg=${folder}`)).text(),
          `{"Cid":"${hello}","Name":"greeting","Type":"recursive"}\n{"Cid":"${folder}","Type":"direct"}\n`,
        );
        assert.equal((await rpc(`pin/ls?arg=${hello}&arg=${large}`)).status, 500);
        assert.equal((await rpc(`pin/ls?arg=${hello}&type=direct`)).status, 500);
        assert.equal((await rpc(`pin/ls?arg=${folder}/nothing`)).status, 500);
        assert.equal(message(await rpc(`pin/rm?arg=${hello}&recursive=false`)), `${hello} is pinned recursively`);
        front.cluster.all.clear();
      });
      it('pin/update moves a pin and never loses one', async () => {
        await rpc(`pin/add?arg=${folder}`);
        assert.equal(
          (await rpc(`pin/update?arg=${folder}&arg=${hello}&unpin=false`)).text(),
          `{"Pins":["${folder}","${hello}"]}`,
        );
        assert.deepEqual(pinned(), [folder, hello].sort());
        await rpc(`pin/update?arg=${folder}/a.txt&arg=${large}`);
        assert.deepEqual(pinned(), [folder, large].sort());
        await rpc(`pin/update?arg=${large}&arg=${large}`);
        assert.deepEqual(pinned(), [folder, large].sort());
        assert.equal((await rpc(`pin/update?arg=${hello}&arg=${folder}`)).status, 500);
        assert.deepEqual(pinned(), [folder, large].sort());
        const missing = await rpc('pin/update');
        assert.equal(missing.status, 400);
        assert.equal(message(missing), 'argument "from-path" is required');
        assert.equal(message(await rpc(`pin/update?arg=${hello}`)), 'argument "to-path" is required');
        assert.match(message(await rpc(`pin/update?arg=junk&arg=${hello}`)), /^error parsing "from-path" argument: /);
        assert.match(message(await rpc(`pin/update?arg=${hello}&arg=junk`)), /^error parsing "to-path" argument: /);
        front.cluster.all.clear();
      });
      it('add pins what the node would pin, and tells it line by line', async () => {
        const wrapped = await rpc('add?wrap-with-directory=true&name=w&replication-min=1', { parts: folderParts });
        assert.equal(wrapped.headers['x-chunked-output'], '1');
        assert.equal(wrapped.lines().length, 3);
        assert.deepEqual(pinned(), [folder]);
        const pin = front.cluster.all.get(folder);
        assert.equal(pin?.name, 'w');
        assert.equal(pin?.replicationFactorMin, 1);
        assert.equal((await send(node.url, `block/stat?arg=${folder}&offline=true`)).status, 200);
        front.cluster.all.clear();
        await rpc('add', { parts: folderParts });
        assert.deepEqual(pinned(), [hello, large].sort());
        front.cluster.all.clear();
        const silent = await rpc('add?silent=true', { parts: folderParts.slice(0, 1) });
        assert.equal(silent.text(), '');
        assert.deepEqual(pinned(), [hello]);
        front.cluster.all.clear();
      });
      it('add refuses bad input before anything is done', async () => {
        assert.equal(
          message(await rpc('add')),
          "error reading request: request Content-Type isn't multipart/form-data",
        );
        assert.match(message(await rpc('add?replication-min=x', { parts: folderParts })), /^error parsing options:/);
        const chunker = await rpc('add?chunker=foo', { parts: folderParts });
        assert.equal(chunker.status, 500);
        assert.equal(message(chunker), 'unrecognized chunker option: foo');
        assert.deepEqual(pinned(), []);
      });
      it('a pin that the cluster refuses is told in the trailer and does not stop the rest', async () => {
        front.cluster.refused.add(hello);
        const response = await rpc('add', { parts: folderParts });
        assert.equal(response.status, 200);
        assert.equal(response.lines().length, 2);
        assert.match(response.trailers['x-stream-error'] ?? '', new RegExp(`cannot pin ${hello}: refused by the test`));
        assert.deepEqual(pinned(), [large]);
        front.cluster.refused.clear();
        front.cluster.all.clear();
      });
      it('block/put and dag/put with pin=true', async () => {
        const block = await rpc('block/put?pin=true', { parts: [{ path: 'b', content: 'hello\n' }] });
        const object = await rpc('dag/put?pin=true', { parts: [{ path: 'd', content: '{"a":1}' }] });
        const [{ Key } = { Key: '' }] = block.lines() as { Key: string }[];
        const [{ Cid } = { Cid: { '/': '' } }] = object.lines() as { Cid: { '/': string } }[];
        assert.deepEqual(pinned(), [Key, Cid['/']].sort());
        front.cluster.all.clear();
      });
      it('repo/stat and repo/gc over all members', async () => {
        const { NumObjects, RepoPath, Version, ...sizes } = (await rpc('repo/stat')).json() as Record<string, unknown>;
        assert.deepEqual(sizes, { RepoSize: 11, StorageMax: 22 });
        const own = (await send(node.url, 'repo/stat')).json() as Record<string, unknown>;
        assert.deepEqual([NumObjects, RepoPath, Version], [own.NumObjects, own.RepoPath, own.Version]);
        const small = '{"RepoSize":11,"StorageMax":22,"NumObjects":0,"RepoPath":"","Version":""}';
        assert.equal((await rpc('repo/stat?size-only=true')).text(), small);
        const gc = await rpc('repo/gc');
        assert.deepEqual(gc.lines(), [{ Key: { '/': hello } }]);
        assert.equal(gc.trailers['x-stream-error'], 'e1; e2; ');
        const streamed = await rpc('repo/gc?stream-errors=true');
        assert.deepEqual(streamed.lines(), [{ Key: { '/': hello } }, { Error: 'e1' }, { Error: 'e2' }]);
        assert.deepEqual((await rpc('repo/gc?silent=true')).lines(), []);
      });
      it('answers with headers of its own and of the node', async () => {
        const response = await rpc('repo/stat', { headers: { origin: 'http://page.example' } });
        assert.equal(response.headers.server, `ipfs-cluster/ipfsproxy/${version}`);
        assert.equal(response.headers['content-type'], 'application/json');
        assert.match(String(response.headers.vary), /Origin/);
        assert.match(String(response.headers['access-control-expose-headers']), /X-Stream-Output/);
      });
    });

    it('survives clients that leave in the middle', async () => {
      const { hostname, port } = new URL(front.url);
      const content = noise(4_000_000);
      const added = await rpc('add?pin=false', { parts: [{ path: 'f', content }] });
      const { Hash } = added.lines().at(-1) as { Hash: string };
      const requests = [
        `POST /api/v0/cat?arg=${Hash} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`,
        ...['add', 'add?pin=false', 'block/put?pin=true'].map(
          (path) =>
            `POST /api/v0/${path} HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n` +
            'Content-Length: 1000000\r\n\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nhalf',
        ),
      ];
      for (const text of requests) {
        const socket = connect(Number(port), hostname);
        socket.on('error', () => {});
        await once(socket, 'connect');
        socket.write(text);
        if (text.includes('/cat')) await once(socket, 'data');
        socket.destroy();
        await once(socket, 'close');
      }
      assert.equal((await rpc('version')).status, 200);
      assert.deepEqual(pinned(), []);
    });
  });
}

describe('the IPFS proxy', () => {
  let upstream: Server;
  let front: Front;
  before(async () => {
    upstream = createServer((request, response) => {
      if (request.url?.startsWith('/api/v0/broken') === true) {
        response.writeHead(200, { 'Content-Type': 'text/plain' });
        response.write('half', () => response.destroy());
        return;
      }
      const seen = { host: request.headers.host, for: request.headers['x-forwarded-for'], url: request.url };
      response.writeHead(200, { Trailer: 'X-Stream-Error', 'X-Extra': 'more', 'X-Two': ['1', '2'] });
      response.write(JSON.stringify(seen));
      response.addTrailers({ 'X-Stream-Error': 'too late' });
      response.end();
    });
    upstream.listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const address = upstream.address();
    assert.ok(address !== null && typeof address === 'object');
    front = await startProxy(`http://127.0.0.1:${address.port}`);
  });
  after(async () => {
    await front.proxy.close();
    upstream.closeAllConnections();
    upstream.close();
  });

  it('hands on trailers, repeated headers, host, query and who asked', async () => {
    const response = await send(front.url, 'any?a=%20b&a=c', { headers: { host: 'ipfs.example' } });
    assert.equal(response.trailers['x-stream-error'], 'too late');
    assert.deepEqual(response.headers['x-two'], ['1', '2']);
    assert.deepEqual(response.json(), { host: 'ipfs.example', for: '127.0.0.1', url: '/api/v0/any?a=%20b&a=c' });
  });
  it('adds the configured headers to answers of its own', async () => {
    assert.equal((await send(front.url, 'repo/stat')).headers['x-extra'], 'more');
  });
  it('cuts off an answer that the node cut off', async () => {
    await assert.rejects(send(front.url, 'broken'));
  });
  it('answers 502 with nothing when the node is down, and goes on pinning', async () => {
    const closed = createServer();
    closed.listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const address = closed.address();
    assert.ok(address !== null && typeof address === 'object');
    closed.close();
    await once(closed, 'close');
    const lonely = await startProxy(`http://127.0.0.1:${address.port}`);
    try {
      for (const path of ['version', 'add?pin=false', 'block/put']) {
        const response = await send(lonely.url, path);
        assert.equal(response.status, 502);
        assert.equal(response.body.length, 0);
      }
      const added = await send(lonely.url, 'add', { parts: folderParts });
      assert.equal(added.trailers['x-stream-error'], 'failed to put block on all destinations');
      assert.deepEqual([...lonely.cluster.all], []);
      assert.equal((await send(lonely.url, `pin/add?arg=${hello}`)).text(), `{"Pins":["${hello}"]}`);
      assert.equal((await send(lonely.url, 'pin/ls')).status, 200);
    } finally {
      await lonely.proxy.close();
    }
  });
});

suite('the embedded node', startEmbeddedNode);

const program = process.env.KUBO_BIN;
if (program === undefined || program === '') {
  it('the IPFS proxy before Kubo', { skip: 'SKIPPED: KUBO_BIN does not name the ipfs program' }, () => {});
} else {
  suite('Kubo', () => startKubo(program));
}
