/**
 * The contract of the Kubo RPC: what clusters and ordinary Kubo clients rely on. Every case asserts the same of every
 * implementation; those in use are the embedded node, and Kubo itself when there is one (`kubo-rpc.test.ts`).
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import tar from 'tar-stream';
import { addCases } from './kubo-rpc/add-cases.ts';
import { multipart, noise, type RpcResponse, type SendOptions, send, type UploadPart } from './kubo-rpc/client.ts';

/** A running node. */
export interface RpcTarget {
  /** Base URL without `/api/v0`. */
  readonly url: string;
  stop(): Promise<void>;
}

export type RpcTargetFactory = () => Promise<RpcTarget>;

const hello = 'QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN';
const helloRaw = 'bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am';
const large = 'QmYEJAPHxLsFGurqJBUA86PCsWnbmcTRmx5WSdySLa7KPz';
const largeLeaves = [
  'QmbcaCtvxnoA1iPnGSvABvZTddnhoMJv2gNbpHfVmkxPuW',
  'QmWRmNvBYwZaC6WGK1JXdGCRDbmGAZxJZsQp6rc8sQMZJp',
];
const folder = 'QmfXK1qQwQtYgg1yn7fACj8wg4nmBUh2SgKQAYPcPFb69n';
const object = 'bafyreiatumzbdhd55ou25kvntfmykldkm7sr62y6rxmbgb5zt75cym6ki4';
const absent = 'QmXnnyufdzAWL5CqZ2RnSNgPbvCc1ALT73s6epPrRnZ1Xy';
const inlined = 'bafkqablimvwgy3y';
const largeContent = Buffer.alloc(300_000, 'x');
const objectJson = `{"a":1,"b":{"/":"${helloRaw}"},"c":{"/":{"bytes":"AQID"}}}`;
const folderParts: readonly UploadPart[] = [
  { path: 'a.txt', content: 'hello\n' },
  { path: 'b.bin', content: largeContent },
];

const addLines: Record<string, unknown[]> = JSON.parse(
  readFileSync(new URL('../vectors/kubo-add/lines.json', import.meta.url), 'utf8'),
);

/** Runs the suite against what the factory starts. */
export function kuboRpcSuite(name: string, factory: RpcTargetFactory): void {
  describe(`Kubo RPC of ${name}`, () => {
    let target: RpcTarget;
    const rpc = (path: string, options: SendOptions = {}): Promise<RpcResponse> => send(target.url, path, options);
    const upload = (path: string, ...parts: UploadPart[]): Promise<RpcResponse> => rpc(path, { parts });
    const addFolder = (): Promise<RpcResponse> => rpc('add?pin=false&wrap-with-directory=true', { parts: folderParts });
    const pinsOf = async (query: string): Promise<Record<string, { Type: string; Name: string }>> => {
      const { Keys = {} } = (await rpc(`pin/ls?${query}`)).json() as { Keys?: Record<string, never> };
      return Keys;
    };

    before(async () => {
      target = await factory();
      await addFolder();
      await upload('block/put', { path: 'hello', content: 'hello\n' });
      await upload('dag/put', { path: 'o', content: objectJson });
    });
    after(async () => {
      await target?.stop();
    });

    describe('requests', () => {
      it('are POST only', async () => {
        for (const method of ['GET', 'PUT', 'DELETE'] as const) {
          for (const path of ['id', 'nosuch']) {
            const response = await rpc(path, { method });
            assert.equal(response.status, 405);
            assert.equal(response.headers.allow, 'OPTIONS, POST');
            assert.equal(response.text(), '405 - Method Not Allowed\n');
          }
        }
      });
      it('with OPTIONS tell the methods', async () => {
        const response = await rpc('id', { method: 'OPTIONS' });
        assert.equal(response.status, 204);
        assert.equal(response.headers.allow, 'OPTIONS, POST');
      });
      it('to unknown commands answer 404', async () => {
        for (const path of ['nosuch', 'pin/nosuch', '']) {
          const response = await rpc(path);
          assert.equal(response.status, 404);
          assert.match(String(response.headers['content-type']), /^text\/plain/);
          assert.equal(response.text(), '404 page not found\n');
        }
      });
      it('without a required argument answer 400 with its name', async () => {
        const names: Record<string, string> = {
          'pin/add': 'ipfs-path',
          'pin/rm': 'ipfs-path',
          cat: 'ipfs-path',
          ls: 'ipfs-path',
          get: 'ipfs-path',
          refs: 'ipfs-path',
          'block/get': 'cid',
          'block/stat': 'cid',
          'dag/get': 'ref',
          'dag/export': 'root',
          resolve: 'name',
          'swarm/connect': 'address',
          config: 'key',
          'pin/update': 'from-path',
          [`pin/update?arg=${hello}`]: 'to-path',
        };
        for (const [path, argument] of Object.entries(names)) {
          const response = await rpc(path);
          assert.equal(response.status, 400, path);
          assert.match(String(response.headers['content-type']), /^text\/plain/);
          assert.equal(response.text(), `argument "${argument}" is required\n`);
        }
      });
      it('without a required upload answer 400 with its name', async () => {
        const names = { add: 'path', 'block/put': 'data', 'dag/put': 'object data', 'dag/import': 'path' };
        for (const [path, argument] of Object.entries(names)) {
          const response = await rpc(path);
          assert.equal(response.status, 400);
          assert.equal(response.text(), `file argument '${argument}' is required\n`);
        }
      });
      it('take an argument from the path', async () => {
        assert.deepEqual((await rpc(`block/stat/${helloRaw}`)).json(), { Key: helloRaw, Size: 6 });
      });
      it('with a value of the wrong type answer 400 and do nothing', async () => {
        const cases = {
          [`pin/add?arg=${hello}&recursive=xx`]:
            'could not convert value "xx" to type "bool" (for option "-recursive")',
          [`cat?arg=${hello}&offset=x`]: 'could not convert value "x" to type "int64" (for option "-offset")',
        };
        for (const [path, text] of Object.entries(cases)) {
          const response = await rpc(path);
          assert.equal(response.status, 400);
          assert.equal(response.text(), `${text}\n`);
        }
        assert.equal((await rpc(`pin/ls?arg=${hello}&type=recursive`)).status, 500);
      });
      it('that fail answer Message, Code and Type', async () => {
        const response = await rpc('block/get?arg=junk');
        assert.equal(response.status, 500);
        assert.equal(response.headers['content-type'], 'application/json');
        assert.equal(
          response.text(),
          '{"Message":"invalid path \\"junk\\": path does not have enough components","Code":0,"Type":"error"}\n',
        );
      });
      it('from web pages of others are refused', async () => {
        for (const headers of [
          { origin: 'http://evil.example' },
          { origin: 'null' },
          { referer: 'http://evil.example/page' },
          { 'user-agent': 'Mozilla/5.0' },
        ]) {
          const response = await rpc('version', { headers });
          assert.equal(response.status, 403, JSON.stringify(headers));
          assert.equal(response.text(), '403 - Forbidden\n');
        }
      });
      it('that end with their timeout answer "context deadline exceeded"', async () => {
        const commands = ['block/get', 'block/stat', 'cat', 'ls', 'get', 'dag/get', 'dag/export', 'pin/add'];
        await Promise.all(
          commands.map(async (command) => {
            const response = await rpc(`${command}?arg=${absent}&timeout=200ms`);
            assert.equal(response.status, 500, command);
            const { Message } = response.json() as { Message: string };
            assert.equal(Message, `${command === 'pin/add' ? 'pin: ' : ''}context deadline exceeded`);
          }),
        );
      });
      it('that end with their timeout after output tell it in a trailer', async () => {
        const response = await rpc(`pin/add?arg=${absent}&timeout=800ms&progress=true`);
        assert.equal(response.status, 200);
        assert.equal(response.headers['x-chunked-output'], '1');
        assert.match(String(response.headers.trailer), /X-Stream-Error/);
        assert.match(response.trailers['x-stream-error'] ?? '', /context deadline exceeded/);
        assert.deepEqual(response.lines(), [{}]);
      });
      it('accept encoding and stream-channels', async () => {
        const response = await rpc('version?encoding=json&stream-channels=true');
        assert.equal(response.status, 200);
      });
    });

    describe('hostile input', () => {
      const paths = [
        '',
        '/',
        '/ipfs',
        '/ipfs/',
        '/ipfs/junk/a',
        '/foo/QmfXK1qQwQtYgg1yn7fACj8wg4nmBUh2SgKQAYPcPFb69n',
        '../../etc/passwd',
        '\u0000',
        `${folder}\u00ff`,
        `${folder}/nosuch`,
        `${folder}/a.txt/deeper`,
        'a'.repeat(7_000),
      ];
      it('as a path is an error answer', async () => {
        for (const path of paths) {
          for (const command of ['cat', 'ls', 'pin/add', 'refs', 'dag/get', 'block/stat']) {
            const response = await rpc(`${command}?arg=${encodeURIComponent(path)}`);
            assert.equal(response.status, 500, `${command} ${JSON.stringify(path.slice(0, 80))}`);
            assert.equal((response.json() as { Type: string }).Type, 'error');
          }
        }
      });
      it('as an upload is an error answer and leaves no pin', async () => {
        const whole = multipart([{ path: 'half', content: 'never pinned' }]);
        const type = 'multipart/form-data; boundary=------------------------contract4f1d';
        const bodies: [string, Uint8Array, string][] = [
          ['no part', Buffer.from('--------------------------contract4f1d--\r\n'), type],
          ['not a form', Buffer.from('zzz'), type],
          ['no boundary', whole, 'multipart/form-data'],
        ];
        for (const [what, body, contentType] of bodies) {
          const response = await rpc('add', { body, headers: { 'content-type': contentType } });
          assert.ok(response.status === 400 || response.status === 500, `${what}: ${response.status}`);
        }
        const half = await rpc('add', {
          body: whole.subarray(0, whole.length - 50),
          headers: { 'content-type': type },
        });
        assert.ok(half.status === 500 || half.trailers['x-stream-error'], 'half a form');
      });
      it('as options of add is refused before anything is stored', async () => {
        const cases = {
          'cid-version=7': 'unknown CID version: 7',
          'chunker=foo': 'unrecognized chunker option: foo',
          'chunker=size-0': 'chunker size must be greater than 0',
          'chunker=size-99999999': 'chunker parameters may not exceed the maximum chunk size of 2096896',
          'chunker=size-x': 'strconv.Atoi: parsing "x": invalid syntax',
        };
        for (const [query, message] of Object.entries(cases)) {
          const response = await upload(`add?${query}`, { path: 'f', content: 'x' });
          assert.equal(response.status, 500, query);
          assert.deepEqual(response.json(), { Message: message, Code: 0, Type: 'error' });
        }
        for (const query of ['hash=foo', 'nocopy=true']) {
          assert.equal((await upload(`add?${query}`, { path: 'f', content: 'x' })).status, 500, query);
        }
      });
      it('as an empty content type, which Go cluster peers send, is taken for none', async () => {
        assert.equal((await rpc('id', { headers: { 'content-type': '' } })).status, 200);
      });
      it('as a client that leaves in the middle of an upload harms nobody', async () => {
        const { hostname, port } = new URL(target.url);
        await new Promise<void>((resolve, reject) => {
          const socket = connect(Number(port), hostname, () => {
            socket.write(
              'POST /api/v0/add HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n' +
                'Content-Length: 1000000\r\n\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nhalf',
              () => socket.destroy(),
            );
          });
          socket.on('close', () => resolve());
          socket.on('error', reject);
        });
        assert.equal((await rpc('id')).status, 200);
      });
    });

    describe('id and version', () => {
      it('tell who the node is', async () => {
        const id = (await rpc('id')).json() as Record<string, unknown>;
        assert.match(String(id.ID), /^(12D3|Qm)/);
        assert.ok(Buffer.from(String(id.PublicKey), 'base64').length > 32);
        const addresses = id.Addresses as string[];
        assert.ok(addresses.length > 0 && addresses.every((address) => address.endsWith(`/p2p/${id.ID}`)));
        assert.equal(typeof id.AgentVersion, 'string');
        assert.ok((id.Protocols as string[]).includes('/ipfs/bitswap/1.2.0'));
      });
      it('tell the version', async () => {
        const response = await rpc('version');
        assert.equal(response.headers['content-type'], 'application/json');
        const version = response.json() as Record<string, string>;
        assert.deepEqual(Object.keys(version), ['Version', 'Commit', 'Repo', 'System', 'Golang']);
        assert.match(version.Version ?? '', /^\d+\.\d+\.\d+/);
      });
    });

    describe('add', () => {
      for (const { name: caseName, query, parts } of addCases) {
        it(`makes Kubo's CIDs: ${caseName}`, async () => {
          const response = await rpc(`add?pin=false&${query}`, { parts });
          assert.equal(response.status, 200, response.text());
          assert.equal(response.headers['x-chunked-output'], '1');
          const lines = response.lines();
          const expected = addLines[caseName] ?? [];
          const [first] = expected as { count?: number }[];
          if (first?.count !== undefined) {
            assert.equal(lines.length, first.count);
            assert.deepEqual(lines.at(-1), expected.at(-1));
          } else {
            assert.deepEqual(lines.at(-1), expected.at(-1));
            assert.deepEqual(byText(lines), byText(expected));
          }
        });
      }
      it('pins every topmost part, with a name if asked', async () => {
        await upload('add?pin-name=mine', { path: 'one', content: 'pin one' }, { path: 'two', content: 'pin two' });
        const pins = Object.entries(await pinsOf('type=recursive&names=true')).filter(([, pin]) => pin.Name === 'mine');
        const contents = await Promise.all(pins.map(async ([cid]) => (await rpc(`cat?arg=${cid}`)).text()));
        assert.deepEqual(contents.sort(), ['pin one', 'pin two']);
        for (const [cid] of pins) await rpc(`pin/rm?arg=${cid}`);
      });
      it('pins the wrapping folder and nothing else', async () => {
        const before = Object.keys(await pinsOf('type=recursive'));
        await upload('add?wrap-with-directory=true', { path: 'one', content: 'w1' }, { path: 'two', content: 'w2' });
        const pinned = Object.keys(await pinsOf('type=recursive')).filter((cid) => !before.includes(cid));
        assert.equal(pinned.length, 1);
        assert.equal((await rpc(`cat?arg=${pinned[0]}/two`)).text(), 'w2');
        await rpc(`pin/rm?arg=${pinned[0]}`);
      });
      it('with pin=false and with only-hash pins nothing', async () => {
        const before = Object.keys(await pinsOf('type=recursive'));
        await upload('add?pin=false', { path: 'f', content: 'not pinned' });
        const hashed = await upload('add?only-hash=true', { path: 'f', content: 'only hashed' });
        const [{ Hash } = { Hash: '' }] = hashed.lines() as { Hash: string }[];
        assert.deepEqual(Object.keys(await pinsOf('type=recursive')), before);
        assert.equal((await rpc(`block/stat?arg=${Hash}&offline=true`)).status, 500);
      });
      it('tells progress in steps of 256 KiB', async () => {
        const response = await upload('add?progress=true&pin=false', { path: 'b.bin', content: largeContent });
        assert.deepEqual(response.lines(), [
          { Name: 'b.bin', Bytes: 262_144 },
          { Name: 'b.bin', Bytes: 300_000 },
          { Name: 'b.bin', Hash: large, Size: '300132' },
        ]);
      });
      it('takes a file of many chunks and gives it back', async () => {
        const content = noise(20_000_000);
        const [{ Hash } = { Hash: '' }] = (
          await upload('add?pin=false&cid-version=1', { path: 'f', content })
        ).lines() as {
          Hash: string;
        }[];
        assert.ok((await rpc(`cat?arg=${Hash}`)).body.equals(content));
      });
    });

    describe('cat', () => {
      it('gives the bytes with their headers', async () => {
        const response = await rpc(`cat?arg=${folder}/a.txt`);
        assert.equal(response.text(), 'hello\n');
        assert.equal(response.headers['content-type'], 'text/plain');
        assert.equal(response.headers['x-stream-output'], '1');
        assert.equal(response.headers['x-content-length'], '6');
      });
      it('gives parts', async () => {
        const cases: [string, string][] = [
          ['offset=2', 'llo\n'],
          ['length=2', 'he'],
          ['offset=2&length=2', 'll'],
          ['offset=200', ''],
          ['length=0', ''],
          ['offset=0&length=100', 'hello\n'],
        ];
        for (const [query, text] of cases) {
          const response = await rpc(`cat?arg=${folder}/a.txt&${query}`);
          assert.equal(response.status, 200);
          assert.equal(response.text(), text, query);
          assert.equal(response.headers['x-content-length'], String(text.length));
        }
        const over = await rpc(`cat?arg=${large}&offset=262140&length=10`);
        assert.equal(over.text(), 'x'.repeat(10));
      });
      it('joins several files', async () => {
        const response = await rpc(`cat?arg=${folder}/a.txt&arg=${hello}`);
        assert.equal(response.text(), 'hello\nhello\n');
        assert.equal(response.headers['x-content-length'], '12');
      });
      it('reads every form of path', async () => {
        for (const path of [
          `/ipfs/${folder}/a.txt`,
          `ipfs://${folder}/a.txt`,
          `/ipfs/${folder}//a.txt/`,
          `${folder}/./a.txt`,
          `${folder}/../${folder}/a.txt`,
          `${object}/b`,
          helloRaw,
        ]) {
          assert.equal((await rpc(`cat?arg=${encodeURIComponent(path)}`)).text(), 'hello\n', path);
        }
        assert.equal((await rpc(`cat?arg=${inlined}`)).text(), 'hello');
      });
      it('refuses what is not a file', async () => {
        const cases: [string, string][] = [
          [`arg=${folder}`, 'this dag node is a directory'],
          [`arg=${folder}/zzz`, `no link named "zzz" under ${folder}`],
          [`arg=${object}`, 'unknown node type'],
          [`arg=${hello}&offset=-2`, 'cannot specify negative offset'],
          [`arg=${hello}&length=-1`, 'cannot specify negative length'],
        ];
        for (const [query, message] of cases) {
          const response = await rpc(`cat?${query}`);
          assert.equal(response.status, 500, query);
          assert.equal((response.json() as { Message: string }).Message, message);
        }
        assert.equal((await rpc('cat?arg=/ipns/foo.invalid/a')).status, 500);
      });
    });

    describe('ls', () => {
      const link = (name: string, cid: string, size: number, type = 2): object => ({
        Name: name,
        Hash: cid,
        Size: size,
        Type: type,
        Target: '',
        Mode: 0,
        ModTime: '0001-01-01T00:00:00Z',
      });
      const links = [link('a.txt', hello, 6), link('b.bin', large, 300_000)];
      it('lists a folder', async () => {
        assert.deepEqual((await rpc(`ls?arg=${folder}`)).json(), { Objects: [{ Hash: folder, Links: links }] });
      });
      it('streams a folder, one envelope a link', async () => {
        const response = await rpc(`ls?arg=${folder}&stream=true`);
        assert.equal(response.headers['x-chunked-output'], '1');
        assert.deepEqual(
          response.lines(),
          links.map((one) => ({ Objects: [{ Hash: folder, Links: [one] }] })),
        );
      });
      it('lists the chunks of a file', async () => {
        assert.deepEqual((await rpc(`ls?arg=${folder}/b.bin`)).json(), {
          Objects: [
            {
              Hash: `${folder}/b.bin`,
              Links: [link('', largeLeaves[0] ?? '', 262_144), link('', largeLeaves[1] ?? '', 37_856)],
            },
          ],
        });
      });
      it('lists nothing in a small file, and several arguments', async () => {
        assert.deepEqual((await rpc(`ls?arg=${hello}&arg=${folder}&arg=${helloRaw}`)).json(), {
          Objects: [
            { Hash: hello, Links: [] },
            { Hash: folder, Links: links },
            { Hash: helloRaw, Links: [] },
          ],
        });
      });
      it('does not look at the children when told not to', async () => {
        assert.deepEqual((await rpc(`ls?arg=${folder}&resolve-type=false&size=false`)).json(), {
          Objects: [{ Hash: folder, Links: [link('a.txt', hello, 0, 0), link('b.bin', large, 0, 0)] }],
        });
      });
      it('lists a sharded folder and finds files in it', async () => {
        const sharded = addCases.find((one) => one.name === 'sharded folder');
        const added = await rpc('add?pin=false', { parts: sharded?.parts ?? [] });
        const { Hash } = added.lines().at(-1) as { Hash: string };
        const { Objects } = (await rpc(`ls?arg=${Hash}&resolve-type=false&size=false`)).json() as {
          Objects: { Links: { Name: string }[] }[];
        };
        const names = new Set(Objects[0]?.Links.map((one) => one.Name));
        assert.equal(names.size, 6_000);
        assert.ok(names.has('file-0.txt') && names.has('file-5999.txt'));
        assert.equal((await rpc(`cat?arg=${Hash}/file-4000.txt`)).text(), '1');
        assert.equal((await rpc(`cat?arg=${Hash}/nosuch.txt`)).status, 500);
      });
      it('tells links, folders and files apart', async () => {
        const tree = addCases.find((one) => one.name === 'tree');
        const added = await rpc('add?pin=false', { parts: tree?.parts ?? [] });
        const { Hash } = added.lines().at(-1) as { Hash: string };
        const { Objects } = (await rpc(`ls?arg=${Hash}`)).json() as {
          Objects: { Links: { Name: string; Type: number; Target: string; Size: number }[] }[];
        };
        const found = Objects[0]?.Links.map(({ Name, Type, Target, Size }) => [Name, Type, Target, Size]);
        assert.deepEqual(found, [
          ['a.txt', 2, '', 6],
          ['empty.txt', 2, '', 0],
          ['link', 4, 'a.txt', 5],
          ['sub', 1, '', 0],
          ['ünïcode ☃.txt', 2, '', 5],
        ]);
      });
    });

    describe('get', () => {
      const entries = async (archive: Buffer): Promise<[name: string, type: string, content: string][]> => {
        const extract = tar.extract();
        const found: [string, string, string][] = [];
        extract.on('entry', (header, stream, next) => {
          const chunks: Buffer[] = [];
          stream.on('data', (chunk) => chunks.push(Buffer.from(chunk as Uint8Array)));
          stream.on('end', () => {
            found.push([header.name, String(header.type), Buffer.concat(chunks).toString()]);
            next();
          });
        });
        const done = new Promise<void>((resolve, reject) => {
          extract.on('finish', () => resolve());
          extract.on('error', reject);
        });
        extract.end(archive);
        await done;
        return found;
      };
      it('gives a file as an archive', async () => {
        const response = await rpc(`get?arg=${folder}/a.txt`);
        assert.equal(response.headers['content-type'], 'application/x-tar');
        assert.equal(response.headers['x-stream-output'], '1');
        assert.equal(response.headers['x-content-length'], '6');
        assert.deepEqual(await entries(response.body), [['a.txt', 'file', 'hello\n']]);
      });
      it('gives a folder as an archive', async () => {
        const response = await rpc(`get?arg=${folder}`);
        assert.deepEqual(
          (await entries(response.body)).map(([path, type, content]) => [path.replace(/\/$/, ''), type, content]),
          [
            [folder, 'directory', ''],
            [`${folder}/a.txt`, 'file', 'hello\n'],
            [`${folder}/b.bin`, 'file', largeContent.toString()],
          ],
        );
      });
      it('compresses', async () => {
        const plain = await rpc(`get?arg=${folder}/a.txt&compress=true`);
        assert.equal(plain.headers['content-type'], 'application/gzip');
        assert.equal(gunzipSync(plain.body).toString(), 'hello\n');
        const archive = await rpc(`get?arg=${folder}/a.txt&compress=true&archive=true`);
        assert.deepEqual(await entries(gunzipSync(archive.body)), [['a.txt', 'file', 'hello\n']]);
      });
      it('fails cleanly', async () => {
        assert.equal((await rpc(`get?arg=${folder}/nosuch`)).status, 500);
        assert.equal((await rpc(`get?arg=${object}`)).status, 500);
      });
    });

    describe('resolve and refs', () => {
      it('resolve a path to a CID', async () => {
        const cases: [string, string][] = [
          [folder, `/ipfs/${folder}`],
          [absent, `/ipfs/${absent}`],
          [`${folder}/a.txt`, `/ipfs/${hello}`],
          [`/ipfs/${folder}/b.bin`, `/ipfs/${large}`],
          [`${object}/b`, `/ipfs/${helloRaw}`],
          [`${object}/c`, `/ipfs/${object}/c`],
        ];
        for (const [path, resolved] of cases) {
          assert.deepEqual((await rpc(`resolve?arg=${path}`)).json(), { Path: resolved });
        }
      });
      it('resolve tells what is missing', async () => {
        const cases: [string, string][] = [
          [`${folder}/zz`, `no link named "zz" under ${folder}`],
          [`${object}/zz`, 'key not found: "zz"'],
        ];
        for (const [path, message] of cases) {
          const response = await rpc(`resolve?arg=${path}`);
          assert.equal(response.status, 500);
          assert.equal((response.json() as { Message: string }).Message, message);
        }
      });
      const ref = (text: string): object => ({ Ref: text, Err: '' });
      it('refs lists links', async () => {
        const response = await rpc(`refs?arg=${folder}`);
        assert.equal(response.headers['x-chunked-output'], '1');
        assert.deepEqual(response.lines(), [ref(hello), ref(large)]);
        const all = [ref(hello), ref(large), ...largeLeaves.map(ref)];
        assert.deepEqual((await rpc(`refs?arg=${folder}&recursive=true`)).lines(), all);
        assert.deepEqual((await rpc(`refs?arg=${folder}&recursive=true&unique=true`)).lines(), all);
        assert.deepEqual((await rpc(`refs?arg=${folder}&recursive=true&max-depth=1`)).lines(), all.slice(0, 2));
        assert.deepEqual((await rpc(`refs?arg=${object}`)).lines(), [ref(helloRaw)]);
      });
      it('refs takes formats', async () => {
        const edges = await rpc(`refs?arg=${folder}&edges=true`);
        assert.deepEqual(edges.lines(), [ref(`${folder} -> ${hello}`), ref(`${folder} -> ${large}`)]);
        const format = encodeURIComponent('<src>-<dst>-<linkname>');
        assert.deepEqual((await rpc(`refs?arg=${folder}&format=${format}`)).lines(), [
          ref(`${folder}-${hello}-a.txt`),
          ref(`${folder}-${large}-b.bin`),
        ]);
      });
      it('refs tells a failed walk as a line', async () => {
        const [line] = (await rpc(`refs?arg=${absent}&timeout=200ms`)).lines() as { Ref: string; Err: string }[];
        assert.equal(line?.Ref, '');
        assert.match(line?.Err ?? '', /context deadline exceeded/);
      });
      it('refs/local lists every block', async () => {
        const refs = (await rpc('refs/local')).lines() as { Ref: string }[];
        assert.ok(refs.some((line) => line.Ref === helloRaw));
      });
    });

    describe('block', () => {
      it('put answers for each part', async () => {
        const response = await upload(
          'block/put',
          { path: 'a', content: 'hello\n' },
          { path: 'b', content: largeContent },
        );
        assert.equal(response.headers['x-chunked-output'], '1');
        assert.deepEqual(response.lines(), [
          { Key: helloRaw, Size: 6 },
          { Key: 'bafkreibjsj7coowmy2bimacqc737u3spe665wtntba77roguynthsbnx7i', Size: 300_000 },
        ]);
      });
      it('put takes codecs and hash functions', async () => {
        const cases: [string, string][] = [
          ['cid-codec=dag-pb', 'bafybeicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am'],
          ['format=v0', 'QmUJPTFZnR2CPGAzmfdYPghgrFtYFB6pf1BqMvqfiPDam8'],
          [
            'mhtype=sha2-512&mhlen=64',
            'bafkrgqhhyivzstcz3hhswshfjgy6ertgmnqeleynhwt4dlfsthi4hn7zgh4uvlsb5xncykzapi3ocd4lzogukir6ksdy6wzrnz6ohnv4aglcs',
          ],
        ];
        for (const [query, cid] of cases) {
          const response = await upload(`block/put?${query}`, { path: 'a', content: 'hello\n' });
          assert.deepEqual(response.lines(), [{ Key: cid, Size: 6 }], query);
        }
      });
      it('put refuses bad options', async () => {
        const cases: [string, string][] = [
          ['cid-codec=foo', 'unknown multicodec: "foo"'],
          ['mhtype=foo', 'unrecognized multihash function: foo'],
          ['mhlen=10', 'digest too small: sha2-256 digest got 10 bytes, minimum 20'],
        ];
        for (const [query, message] of cases) {
          const response = await upload(`block/put?${query}`, { path: 'a', content: 'hello\n' });
          assert.equal(response.status, 500);
          assert.deepEqual(response.json(), { Message: message, Code: 0, Type: 'error' });
        }
      });
      it('put refuses blocks over 2 MiB unless told', async () => {
        const content = Buffer.alloc(2_097_153);
        const refused = await upload('block/put', { path: 'big', content });
        assert.equal(refused.status, 500);
        assert.match((refused.json() as { Message: string }).Message, /^produced block is over 2MiB/);
        assert.equal((await upload('block/put?allow-big-block=true', { path: 'big', content })).status, 200);
        assert.equal((await upload('block/put', { path: 'fits', content: content.subarray(1) })).status, 200);
      });
      it('put with pin=true pins', async () => {
        const [{ Key } = { Key: '' }] = (
          await upload('block/put?pin=true', { path: 'p', content: 'pinned block' })
        ).lines() as {
          Key: string;
        }[];
        assert.equal((await pinsOf(`arg=${Key}`))[Key]?.Type, 'recursive');
        await rpc(`pin/rm?arg=${Key}`);
      });
      it('get and stat give the block under every CID of its hash', async () => {
        const response = await rpc(`block/get?arg=${helloRaw}`);
        assert.equal(response.headers['content-type'], 'application/vnd.ipld.raw');
        assert.equal(response.headers['x-stream-output'], '1');
        assert.equal(response.text(), 'hello\n');
        assert.equal((await rpc(`block/get?arg=${hello}`)).body.toString('hex'), '0a0c0802120668656c6c6f0a1806');
        assert.equal((await rpc('block/get?arg=QmUJPTFZnR2CPGAzmfdYPghgrFtYFB6pf1BqMvqfiPDam8')).text(), 'hello\n');
        assert.deepEqual((await rpc(`block/stat?arg=${folder}/a.txt`)).json(), { Key: hello, Size: 14 });
        assert.deepEqual((await rpc(`block/stat?arg=${inlined}`)).json(), { Key: inlined, Size: 5 });
      });
      it('offline says at once what is missing', async () => {
        for (const command of ['block/get', 'block/stat', 'pin/add']) {
          const response = await rpc(`${command}?arg=${absent}&offline=true`);
          assert.equal(response.status, 500);
          assert.match(
            (response.json() as { Message: string }).Message,
            new RegExp(`block was not found locally \\(offline\\): ipld: could not find ${absent}$`),
          );
        }
      });
    });

    describe('dag', () => {
      it('put stores dag-json as dag-cbor unless told', async () => {
        const cases: [string, string, string][] = [
          ['', objectJson, object],
          ['store-codec=dag-json', objectJson, 'baguqeerah5f4ibgnynkjkycs5u44vntzl25efk6nperzwhio67yrndxxpk3a'],
          ['input-codec=raw&store-codec=raw', 'hello\n', helloRaw],
        ];
        for (const [query, content, cid] of cases) {
          const response = await upload(`dag/put?${query}`, { path: 'o', content });
          assert.equal(response.headers['x-chunked-output'], '1');
          assert.deepEqual(response.lines(), [{ Cid: { '/': cid } }]);
        }
      });
      it('put refuses what it cannot read', async () => {
        assert.equal((await upload('dag/put?store-codec=foo', { path: 'o', content: '{}' })).status, 500);
        assert.equal((await upload('dag/put?input-codec=dag-cbor', { path: 'o', content: '{}' })).status, 500);
        assert.equal((await upload('dag/put', { path: 'o', content: 'hello' })).status, 500);
      });
      it('get follows paths', async () => {
        const cases: [string, string][] = [
          [object, objectJson],
          [`${object}/a`, '1'],
          [`${object}/b`, '{"/":{"bytes":"aGVsbG8K"}}'],
          [hello, '{"Data":{"/":{"bytes":"CAISBmhlbGxvChgG"}},"Links":[]}'],
          [`${folder}/a.txt`, '{"Data":{"/":{"bytes":"CAISBmhlbGxvChgG"}},"Links":[]}'],
          [
            folder,
            `{"Data":{"/":{"bytes":"CAE"}},"Links":[{"Hash":{"/":"${hello}"},"Name":"a.txt","Tsize":14},` +
              `{"Hash":{"/":"${large}"},"Name":"b.bin","Tsize":300132}]}`,
          ],
        ];
        for (const [path, text] of cases) {
          const response = await rpc(`dag/get?arg=${path}`);
          assert.equal(response.headers['content-type'], 'text/plain');
          assert.equal(response.headers['x-stream-output'], '1');
          assert.equal(response.text().trimEnd(), text, path);
        }
        const cbor = await rpc(`dag/get?arg=${object}&output-codec=dag-cbor`);
        assert.ok(cbor.body.equals((await rpc(`block/get?arg=${object}`)).body));
        assert.equal((await rpc(`dag/get?arg=${object}&output-codec=foo`)).status, 500);
      });
      it('resolve tells the block and what remains', async () => {
        assert.deepEqual((await rpc(`dag/resolve?arg=${object}/b`)).json(), { Cid: { '/': helloRaw }, RemPath: '' });
        assert.deepEqual((await rpc(`dag/resolve?arg=${object}/c`)).json(), { Cid: { '/': object }, RemPath: '/c' });
      });
      it('export and import carry a graph', async () => {
        const car = await rpc(`dag/export?arg=${folder}`);
        assert.equal(car.headers['content-type'], 'application/vnd.ipld.car');
        assert.equal(car.headers['x-stream-output'], '1');
        assert.equal(car.body.length, 300_484);
        const root = { Root: { Cid: { '/': folder }, PinErrorMsg: '' } };
        const imported = await upload('dag/import?stats=true', { path: 'f.car', content: car.body });
        assert.equal(imported.headers['x-chunked-output'], '1');
        assert.deepEqual(imported.lines(), [root, { Stats: { BlockCount: 5, BlockBytesCount: 300_246 } }]);
        assert.equal((await pinsOf(`arg=${folder}`))[folder]?.Type, 'recursive');
        await rpc(`pin/rm?arg=${folder}`);
        const unpinned = await upload('dag/import?pin-roots=false', { path: 'f.car', content: car.body });
        assert.deepEqual(unpinned.lines(), []);
        assert.equal((await rpc(`pin/ls?arg=${folder}&type=recursive`)).status, 500);
      });
      it('import refuses damaged files and pins nothing of them', async () => {
        const car = (await rpc(`dag/export?arg=${folder}`)).body;
        const flipped = Buffer.from(car);
        flipped.writeUInt8((flipped.at(-5) ?? 0) ^ 1, flipped.length - 5);
        const huge = Buffer.concat([car, Buffer.from('ffffffffffff7f', 'hex'), Buffer.alloc(100)]);
        for (const [what, content] of Object.entries({
          'cut off': car.subarray(0, 1000),
          'flipped bit': flipped,
          'huge section': huge,
          text: Buffer.from('hello\n'),
        })) {
          const response = await upload('dag/import', { path: 'f.car', content });
          assert.equal(response.status, 500, what);
        }
        assert.equal((await rpc(`pin/ls?arg=${folder}&type=recursive`)).status, 500);
      });
      it('stat counts blocks', async () => {
        const lines = (await rpc(`dag/stat?arg=${folder}&progress=false`)).lines();
        assert.deepEqual(lines.at(-1), {
          UniqueBlocks: 5,
          TotalSize: 300_246,
          Ratio: 1,
          DagStats: [{ Cid: folder, Size: 300_246, NumBlocks: 5 }],
        });
      });
    });

    describe('pin', () => {
      it('add pins directly, then recursively', async () => {
        assert.deepEqual((await rpc(`pin/add?arg=${folder}&recursive=false`)).json(), { Pins: [folder] });
        assert.deepEqual(await pinsOf(`arg=${folder}`), { [folder]: { Type: 'direct', Name: '' } });
        assert.deepEqual((await rpc(`pin/add?arg=${folder}`)).json(), { Pins: [folder] });
        assert.deepEqual(await pinsOf(`arg=${folder}`), { [folder]: { Type: 'recursive', Name: '' } });
        const again = await rpc(`pin/add?arg=${folder}&recursive=false`);
        assert.equal(again.status, 500);
        assert.equal((again.json() as { Message: string }).Message, `pin: ${folder} already pinned recursively`);
        assert.equal((await rpc(`pin/add?arg=${folder}`)).status, 200);
        await rpc(`pin/rm?arg=${folder}`);
      });
      it('add with progress', async () => {
        const response = await rpc(`pin/add?arg=${folder}&progress=true`);
        assert.equal(response.headers['x-chunked-output'], '1');
        const lines = response.lines();
        assert.deepEqual(lines.at(-1), { Pins: [folder] });
        assert.deepEqual(lines.at(-2), { Progress: 5, Bytes: 300_246 });
        await rpc(`pin/rm?arg=${folder}`);
      });
      it('add and rm take paths and several arguments', async () => {
        const pins = { Pins: [hello, large] };
        assert.deepEqual((await rpc(`pin/add?arg=${folder}/a.txt&arg=${large}&name=foo`)).json(), pins);
        assert.deepEqual(await pinsOf(`arg=${large}&names=true`), { [large]: { Type: 'recursive', Name: 'foo' } });
        assert.deepEqual((await rpc(`pin/rm?arg=${folder}/a.txt&arg=${large}`)).json(), pins);
        assert.equal((await rpc(`pin/ls?arg=${large}`)).status, 500);
      });
      it('ls lists by type, with names, streamed or not', async () => {
        await rpc(`pin/add?arg=${folder}&name=fool`);
        await rpc(`pin/add?arg=${helloRaw}&recursive=false&name=straight`);
        const all = await pinsOf('');
        assert.equal(all[folder]?.Type, 'recursive');
        assert.equal(all[helloRaw]?.Type, 'direct');
        for (const child of [hello, large, ...largeLeaves]) assert.equal(all[child]?.Type, 'indirect', child);
        assert.equal(all[folder]?.Name, '');
        assert.deepEqual(await pinsOf('type=direct&names=true'), { [helloRaw]: { Type: 'direct', Name: 'straight' } });
        assert.deepEqual(await pinsOf('name=ool'), { [folder]: { Type: 'recursive', Name: 'fool' } });
        assert.deepEqual(Object.keys(await pinsOf('type=indirect')).sort(), [hello, large, ...largeLeaves].sort());

        const stream = await rpc('pin/ls?stream=true&type=recursive');
        assert.equal(stream.headers['x-chunked-output'], '1');
        assert.ok(stream.lines().some((line) => JSON.stringify(line) === `{"Cid":"${folder}","Type":"recursive"}`));
        const named = await rpc(`pin/ls?stream=true&names=true&arg=${folder}`);
        assert.equal(named.text(), `{"Cid":"${folder}","Name":"fool","Type":"recursive"}\n`);
        assert.equal(
          (await rpc(`pin/ls?stream=true&arg=${folder}&type=recursive`)).text(),
          `{"Cid":"${folder}","Type":"recursive"}\n`,
        );
      });
      it('ls tells through what a child is pinned', async () => {
        assert.deepEqual(await pinsOf(`arg=${large}`), { [large]: { Type: `indirect through ${folder}`, Name: '' } });
      });
      it('ls of what is not pinned', async () => {
        for (const [query, path] of [
          [`arg=${absent}`, absent],
          [`arg=${absent}&stream=true&type=recursive`, absent],
          [`arg=${large}&type=recursive`, large],
          [`arg=${folder}&type=direct`, folder],
        ]) {
          const response = await rpc(`pin/ls?${query}`);
          assert.equal(response.status, 500, query);
          assert.deepEqual(response.json(), { Message: `path '${path}' is not pinned`, Code: 0, Type: 'error' });
        }
        const type = await rpc('pin/ls?type=foo');
        assert.equal(type.status, 500);
        assert.match((type.json() as { Message: string }).Message, /^invalid type 'foo'/);
      });
      it('rm tells what it cannot remove', async () => {
        const cases: [string, string][] = [
          [`arg=${folder}&recursive=false`, `${folder} is pinned recursively`],
          [`arg=${absent}`, 'not pinned or pinned indirectly'],
          [`arg=${large}`, 'not pinned or pinned indirectly'],
        ];
        for (const [query, message] of cases) {
          const response = await rpc(`pin/rm?${query}`);
          assert.equal(response.status, 500);
          assert.equal((response.json() as { Message: string }).Message, message);
        }
        assert.deepEqual((await rpc(`pin/rm?arg=${helloRaw}&recursive=false`)).json(), { Pins: [helloRaw] });
      });
      it('update moves a pin', async () => {
        const update = (query: string): Promise<RpcResponse> => rpc(`pin/update?${query}`);
        assert.deepEqual((await update(`arg=${folder}&arg=/ipfs/${folder}/b.bin&unpin=false`)).json(), {
          Pins: [folder, large],
        });
        assert.equal((await pinsOf(`arg=${folder}`))[folder]?.Type, 'recursive');
        assert.deepEqual((await update(`arg=${large}&arg=${hello}`)).json(), { Pins: [large, hello] });
        assert.equal((await pinsOf(`arg=${hello}`))[hello]?.Type, 'recursive');
        const gone = await update(`arg=${absent}&arg=${hello}`);
        assert.equal(gone.status, 500);
        assert.equal((gone.json() as { Message: string }).Message, "'from' cid was not recursively pinned already");
        await rpc(`pin/rm?arg=${hello}&arg=${folder}`);
      });
      it('add refuses names over 255 bytes', async () => {
        const response = await rpc(`pin/add?arg=${hello}&name=${'n'.repeat(256)}`);
        assert.equal(response.status, 500);
        assert.match((response.json() as { Message: string }).Message, /^pin name is 256 bytes/);
      });
    });

    describe('repo', () => {
      it('stat tells sizes', async () => {
        const stat = (await rpc('repo/stat')).json() as Record<string, unknown>;
        assert.deepEqual(Object.keys(stat), ['RepoSize', 'StorageMax', 'NumObjects', 'RepoPath', 'Version']);
        assert.ok(Number(stat.RepoSize) > 300_000 && Number(stat.NumObjects) > 5);
        assert.ok(Number(stat.StorageMax) > 0);
        const { RepoSize, StorageMax, ...rest } = (await rpc('repo/stat?size-only=true')).json() as Record<
          string,
          unknown
        >;
        assert.ok(Number(RepoSize) > 300_000 && Number(StorageMax) > 0);
        assert.deepEqual(rest, { NumObjects: 0, RepoPath: '', Version: '' });
      });
      it('gc removes what nothing pins and keeps the rest', async () => {
        await addFolder();
        await rpc(`pin/add?arg=${folder}`);
        const [{ Key } = { Key: '' }] = (await upload('block/put', { path: 'g', content: 'garbage' })).lines() as {
          Key: string;
        }[];
        const response = await rpc('repo/gc');
        assert.equal(response.headers['x-chunked-output'], '1');
        const removed = (response.lines() as { Key: { '/': string } }[]).map((line) => line.Key['/']);
        assert.ok(removed.includes(Key));
        assert.equal((await rpc(`block/stat?arg=${Key}&offline=true`)).status, 500);
        assert.equal((await rpc(`cat?arg=${folder}/b.bin`)).body.length, 300_000);
        assert.deepEqual((await rpc('repo/gc?stream-errors=true')).lines(), []);
        await rpc(`pin/rm?arg=${folder}`);
        assert.ok((await rpc('repo/gc')).lines().length >= 4);
        assert.equal((await rpc(`block/stat?arg=${large}&offline=true`)).status, 500);
        await addFolder();
      });
    });

    describe('config', () => {
      it('show has what clusters read', async () => {
        const config = (await rpc('config/show')).json() as Record<string, Record<string, unknown>>;
        assert.ok(config.Datastore?.StorageMax);
        assert.equal(config.Identity?.PrivKey, undefined);
      });
      it('gets and sets values', async () => {
        const before = (await rpc('config?arg=Datastore.StorageMax')).json() as { Key: string; Value: string };
        assert.equal(before.Key, 'Datastore.StorageMax');
        assert.deepEqual((await rpc('config?arg=Datastore.StorageMax&arg=11GB')).json(), {
          Key: 'Datastore.StorageMax',
          Value: '11GB',
        });
        assert.equal(((await rpc('config?arg=Datastore.StorageMax')).json() as { Value: string }).Value, '11GB');
        await rpc(`config?arg=Datastore.StorageMax&arg=${before.Value}`);
        assert.equal((await rpc('config?arg=Nope.x')).status, 500);
        assert.equal((await rpc('config?arg=Identity.PrivKey')).status, 500);
      });
    });

    describe('swarm', () => {
      it('peers of a lonely node are null', async () => {
        assert.equal((await rpc('swarm/peers')).text(), '{"Peers":null}\n');
      });
      it('connect refuses what is no address of a peer', async () => {
        const self = (await rpc('id')).json() as { Addresses: string[]; ID: string };
        for (const address of [
          'junk',
          '/ip4/127.0.0.1/tcp/1',
          '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWDinTE5LrV5gWdoqEYPEa5zW7JWXoJp4FnHc4H9ozgE1t',
          `/ip4/127.0.0.1/tcp/1/p2p/${self.ID}`,
        ]) {
          const response = await rpc(`swarm/connect?arg=${encodeURIComponent(address)}`);
          assert.equal(response.status, 500, address);
          assert.equal((response.json() as { Type: string }).Type, 'error');
        }
      });
      it('connected nodes fetch from each other, and a pin waits for content', async () => {
        const other = await factory();
        try {
          const { ID, Addresses } = (await send(other.url, 'id')).json() as { ID: string; Addresses: string[] };
          const connected = await rpc(`swarm/connect?arg=${encodeURIComponent(Addresses[0] ?? '')}`);
          assert.deepEqual(connected.json(), { Strings: [`connect ${ID} success`] });
          const { Peers } = (await rpc('swarm/peers')).json() as { Peers: { Peer: string; Addr: string }[] };
          assert.deepEqual(
            Peers.map((peer) => peer.Peer),
            [ID],
          );
          assert.match(Peers[0]?.Addr ?? '', /^\/ip4\/127\.0\.0\.1\/tcp\/\d+$/);

          const content = noise(1_000_000);
          const hashed = await upload('add?only-hash=true&cid-version=1', { path: 'f', content });
          const [{ Hash } = { Hash: '' }] = hashed.lines() as { Hash: string }[];
          const pinning = rpc(`pin/add?arg=${Hash}&progress=true`);
          await send(other.url, 'add?cid-version=1', { parts: [{ path: 'f', content }] });
          assert.deepEqual((await pinning).lines().at(-1), { Pins: [Hash] });
          assert.ok((await rpc(`cat?arg=${Hash}&offline=true`)).body.equals(content));
        } finally {
          await other.stop();
        }
      });
    });
  });
}

/** Lines of parts that are stored in any order. */
function byText(lines: readonly unknown[]): string[] {
  return lines.map((line) => JSON.stringify(line)).sort();
}
