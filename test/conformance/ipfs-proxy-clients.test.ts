/**
 * Real Kubo clients through the IPFS proxy of a real peer: the public JavaScript client always, the `ipfs` program and a
 * Kubo as the peer's node when `KUBO_BIN` names the program.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { create, type KuboRPCClient } from 'kubo-rpc-client';
import { CID } from 'multiformats/cid';
import { type Cluster, createCluster } from '../../src/index.ts';
import { collect } from '../support/collect.ts';
import { startKubo } from './kubo-daemon.ts';

const local = ['/ip4/127.0.0.1/tcp/0'];
const hello = 'QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN';
const helloRaw = 'bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am';
const wrapped = 'QmU5PLEGqjetW4RAmXgHpEFL7nVCL3vFnEyrCKUfRk4MSq';
const object = 'bafyreihltcnuuyqp2jm24aqydpnlj7b6w3ogwrplomrjtg5rifv44mmjey';
const absent = 'QmXnnyufdzAWL5CqZ2RnSNgPbvCc1ALT73s6epPrRnZ1Xy';
const program = process.env.KUBO_BIN ?? '';

interface Node {
  /** Absent: the one inside the peer. */
  readonly multiaddr?: string;
  readonly hasFiles: boolean;
  stop(): Promise<void>;
}

async function startKuboNode(): Promise<Node> {
  const { url, stop } = await startKubo(program);
  const { hostname, port } = new URL(url);
  return { multiaddr: `/ip4/${hostname}/tcp/${port}`, hasFiles: true, stop };
}

function suite(name: string, startNode: () => Promise<Node>): void {
  describe(`a peer with ${name}`, () => {
    let node: Node;
    let folder = '';
    let cluster: Cluster;
    let address = '';
    const pinned = async (): Promise<string[]> => (await collect(cluster.pins())).map(({ cid }) => cid).sort();
    const clear = async (): Promise<void> => {
      for (const cid of await pinned()) await cluster.unpin(cid);
    };

    before(async () => {
      node = await startNode();
      folder = await mkdtemp(join(tmpdir(), 'proxy-clients-'));
      cluster = await createCluster({
        folder: join(folder, 'peer'),
        listen: local,
        proxy: { listen: local },
        ipfs:
          node.multiaddr === undefined
            ? { type: 'embedded', swarmListen: local }
            : { type: 'kubo', address: node.multiaddr },
      });
      await cluster.ready;
      address = cluster.doors.proxy[0] ?? '';
    });
    beforeEach(clear);
    after(async () => {
      await cluster?.stop();
      await node?.stop();
      await rm(folder, { recursive: true, force: true });
    });

    describe('used with kubo-rpc-client', () => {
      let client: KuboRPCClient;
      before(() => {
        client = create({ url: address });
      });

      it('add pins in the cluster, cat reads', async () => {
        const { cid, path, size } = await client.add({ path: 'hello.txt', content: 'hello\n' });
        assert.deepEqual([cid.toString(), path, size], [hello, 'hello.txt', 14]);
        assert.deepEqual(await pinned(), [hello]);
        assert.equal(Buffer.concat(await collect(client.cat(cid))).toString(), 'hello\n');
        await clear();
        const unpinned = await client.add('hello\n', { pin: false, cidVersion: 1, rawLeaves: true });
        assert.equal(unpinned.cid.toString(), helloRaw);
        const hashed = await client.add('other\n', { onlyHash: true });
        assert.equal(hashed.cid.toString(), 'QmSd2JwFv6KwsHZ7kgSsnAYdUwBZc72VHTpftiQRnFqHvq');
        assert.deepEqual(await pinned(), []);
      });
      it('addAll pins what is at the top', async () => {
        const files = [
          { path: 'd/a', content: 'hello\n' },
          { path: 'd/b', content: 'b' },
        ];
        const added = await collect(client.addAll(files));
        assert.deepEqual(
          added.map(({ path }) => path),
          ['d/a', 'd/b', 'd'],
        );
        assert.deepEqual(await pinned(), [added[2]?.cid.toString()]);
        await clear();
        await collect(client.addAll([files[0] ?? ''], { wrapWithDirectory: true }));
        assert.equal((await pinned()).length, 1);
        await clear();
      });
      it('pin.add, pin.ls, pin.rm, pin.addAll, pin.rmAll', async () => {
        assert.equal((await client.pin.add(CID.parse(hello), { name: 'greeting' })).toString(), hello);
        await client.pin.add(CID.parse(helloRaw), { recursive: false });
        const listed = async (options: Parameters<KuboRPCClient['pin']['ls']>[0]): Promise<string[]> =>
          (await collect(client.pin.ls(options))).map(({ cid, type, name: called }) => `${cid} ${type} ${called}`);
        assert.deepEqual((await listed({})).sort(), [`${hello} recursive undefined`, `${helloRaw} direct undefined`]);
        assert.deepEqual(await listed({ type: 'direct' }), [`${helloRaw} direct undefined`]);
        assert.deepEqual(await listed({ name: 'greet' }), [`${hello} recursive greeting`]);
        assert.deepEqual(await listed({ paths: [`/ipfs/${hello}`] }), [`${hello} recursive undefined`]);
        await assert.rejects(collect(client.pin.ls({ paths: absent })), /is not pinned/);
        assert.equal((await client.pin.rm(CID.parse(hello))).toString(), hello);
        await assert.rejects(client.pin.rm(CID.parse(hello)), /pin is not part of the pinset/);
        const both = [hello, helloRaw].map((cid) => ({ cid: CID.parse(cid) }));
        await clear();
        assert.equal((await collect(client.pin.addAll(both))).length, 2);
        assert.equal((await collect(client.pin.rmAll(both))).length, 2);
        assert.deepEqual(await pinned(), []);
      });
      it('dag.put, dag.get, block.put, block.get', async () => {
        const cid = await client.dag.put({ a: 1 }, { pin: true });
        assert.equal(cid.toString(), object);
        assert.deepEqual((await client.dag.get(cid)).value, { a: 1 });
        const block = await client.block.put(Buffer.from('hello\n'), { pin: true });
        assert.equal(Buffer.from(await client.block.get(block)).toString(), 'hello\n');
        assert.deepEqual(await pinned(), [helloRaw, object]);
        await clear();
        await client.dag.put({ a: 1 }, { pin: false });
        assert.deepEqual(await pinned(), []);
      });
      it('repo.stat, repo.gc, id, version', async () => {
        const stat = await client.repo.stat();
        assert.ok(stat.repoSize > 0n && stat.storageMax > 0n && stat.numObjects > 0n && stat.version !== '');
        for await (const freed of client.repo.gc()) assert.ok('cid' in freed || 'err' in freed);
        assert.ok((await client.id()).id.toString().length > 40);
        assert.notEqual((await client.version()).version, '');
      });
    });

    describe('used with the ipfs program', {
      skip: program === '' && 'KUBO_BIN does not name the ipfs program',
    }, () => {
      let file = '';
      before(async () => {
        file = join(folder, 'hello.txt');
        await writeFile(file, 'hello\n');
      });
      const run = async (args: readonly string[], input = ''): Promise<{ code: number; out: string; err: string }> => {
        // A repo of its own, which is not there: the program has to go where it is told.
        const env = { ...process.env, IPFS_PATH: join(folder, 'none') };
        const child = spawn(program, ['--api', address, ...args], { env });
        child.stdin.end(input);
        const [out, err, code] = await Promise.all([
          collect(child.stdout.setEncoding('utf8')),
          collect(child.stderr.setEncoding('utf8')),
          new Promise<number>((resolve) => child.on('close', (status) => resolve(status ?? -1))),
        ]);
        return { code, out: out.join(''), err: err.join('') };
      };
      const ok = async (args: string, input = ''): Promise<string> => {
        const { code, out, err } = await run(args.split(' '), input);
        assert.equal(code, 0, `${args}: ${err}`);
        return out;
      };
      const fails = async (args: string): Promise<string> => {
        const { code, err } = await run(args.split(' '));
        assert.equal(code, 1, args);
        return err;
      };

      it('add, with its ways to answer', async () => {
        assert.equal(await ok(`add ${file}`), `added ${hello} hello.txt\n`);
        assert.deepEqual(await pinned(), [hello]);
        await clear();
        assert.equal(await ok(`add -q --cid-version=1 ${file}`), `${helloRaw}\n`);
        assert.equal(await ok(`add -w -Q ${file}`), `${wrapped}\n`);
        assert.deepEqual(await pinned(), [helloRaw, wrapped].sort());
        await clear();
        assert.equal(await ok(`add -n ${file}`), `added ${hello} hello.txt\n`);
        assert.equal(await ok(`add --pin=false ${file}`), `added ${hello} hello.txt\n`);
        assert.deepEqual(await pinned(), []);
        await ok(`add --pin-name greeting ${file}`);
        assert.equal(await ok('pin ls --names'), `${hello} recursive greeting\n`);
        assert.equal(await ok(`cat ${hello}`), 'hello\n');
        await clear();
      });
      it('pin add, ls, rm and update', async () => {
        assert.equal(await ok(`pin add --name x ${hello} /ipfs/${helloRaw}`), both('pinned', ' recursively'));
        // The program prints what it got as one object in any order.
        const named = (await ok(`pin ls --names ${hello} ${helloRaw}`)).split('\n').sort();
        assert.deepEqual(named, both('', ' recursive x').split('\n').sort());
        assert.equal(await ok('pin ls -q --stream'), [hello, helloRaw].sort(byKey).join('\n').concat('\n'));
        assert.equal(await ok('pin ls -t direct'), '');
        assert.equal(await ok(`pin rm ${hello} ${helloRaw}`), both('unpinned', ''));
        assert.equal(await ok('pin add -r=false', `${hello}\n${helloRaw}\n`), both('pinned', ' directly'));
        assert.equal(await ok('pin ls -t direct --stream -q'), [hello, helloRaw].sort(byKey).join('\n').concat('\n'));
        await clear();
        await ok(`pin add ${hello}`);
        await ok(`pin update --unpin=false ${hello} ${helloRaw}`);
        assert.deepEqual(await pinned(), [hello, helloRaw].sort());
        await ok(`pin update ${hello} ${helloRaw}`);
        assert.deepEqual(await pinned(), [helloRaw]);
        await clear();
      });
      it('pin add --progress waits until the content is held', async () => {
        const { code, out, err } = await run(['pin', 'add', '--progress', hello]);
        assert.deepEqual([code, out], [0, `pinned ${hello} recursively\n`]);
        assert.match(err, /Fetched\/Processed 1 nodes/);
        assert.equal((await cluster.status(hello)).peers[cluster.id]?.status, 'pinned');
        await clear();
        assert.match(await fails(`--timeout 1s pin add --progress ${absent}`), /Error: .*(timed out|deadline)/);
        await clear();
      });
      it('failures have the texts of the cluster', async () => {
        assert.match(await fails('pin add'), /argument "ipfs-path" is required/);
        assert.match(await fails('pin add junk'), /Error: Error parsing IPFS Path: invalid path "junk"/);
        assert.match(await fails(`pin rm ${hello}`), /Error: pin is not part of the pinset/);
        assert.match(await fails(`pin ls ${hello}`), new RegExp(`Error: Error: path '${hello}' is not pinned`));
        assert.match(await fails('pin ls -t odd'), /Error: invalid type 'odd'/);
        assert.match(await fails(`pin update ${hello} ${helloRaw}`), /Error: /);
      });
      it('dag put, dag get, block put, repo stat, repo gc', async () => {
        assert.equal(await ok('dag put --pin', '{"a":1}'), `${object}\n`);
        assert.equal((await ok(`dag get ${object}`)).trimEnd(), '{"a":1}');
        assert.equal(await ok(`block put --pin ${file}`), `${helloRaw}\n`);
        assert.deepEqual(await pinned(), [helloRaw, object]);
        await clear();
        await ok('dag put', '{"a":1}');
        assert.deepEqual(await pinned(), []);
        assert.match(
          await ok('repo stat'),
          /NumObjects: +\d+\nRepoSize: +\d+\nStorageMax: +\d+\nRepoPath: +\/.+\nVersion: +\S+/,
        );
        assert.match(await ok('repo stat -s'), /^RepoSize: +\d+\nStorageMax: +\d+\n$/);
        for (const line of (await ok('repo gc -q')).split('\n')) assert.match(line, /^(\w{46,})?$/);
        assert.equal(await ok('repo gc --silent'), '');
      });
      it('files goes to the node', async (t) => {
        if (!node.hasFiles) {
          t.skip('SKIPPED: the embedded node has no files commands');
          return;
        }
        await ok(`add --pin=false ${file}`);
        await ok(`files cp /ipfs/${hello} /hello`);
        await ok('files mkdir -p /made');
        await ok('files write --create /made/file', 'written');
        assert.equal(await ok('files read /made/file'), 'written');
        assert.match(await ok('files ls /'), /hello\nmade/);
      });
      it('get writes what was added', async () => {
        const { code } = await run(['add', '--pin=false', '-Q', file]);
        assert.equal(code, 0);
        await ok(`get -o ${join(folder, 'got')} ${hello}`);
        assert.equal(await readFile(join(folder, 'got'), 'utf8'), 'hello\n');
      });
    });
  });
}

const both = (before: string, behind: string): string =>
  [hello, helloRaw].map((cid) => `${before}${before === '' ? '' : ' '}${cid}${behind}\n`).join('');

/** Listings are in the order of state keys: multihash behind the version for both kinds of CID. */
const byKey = (a: string, b: string): number => Buffer.compare(CID.parse(a).bytes, CID.parse(b).bytes);

suite('its own IPFS node', async () => ({ hasFiles: false, stop: async () => {} }));
if (program === '') it('a peer with Kubo', { skip: 'SKIPPED: KUBO_BIN does not name the ipfs program' }, () => {});
else suite('Kubo', startKuboNode);
