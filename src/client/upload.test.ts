import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { collect } from '../../test/support/collect.ts';
import { startFakeApi } from '../../test/support/fake-api.ts';
import { HastyClock } from '../../test/support/hasty-clock.ts';
import { createClient, createUpload, fetchTransport, type UploadEntry, type UploadOptions } from './index.ts';

const boundary = 'boundaryboundaryboundary';

async function textOf(entries: readonly UploadEntry[], options: UploadOptions = {}): Promise<string> {
  const upload = createUpload(entries, { boundary, ...options });
  return Buffer.concat(await collect(upload.stream())).toString();
}

interface RecordedCase {
  readonly name: string;
  readonly request: { readonly body: string };
}

const recorded: readonly RecordedCase[] = JSON.parse(
  readFileSync(new URL('../../test/vectors/rest/add.json', import.meta.url), 'utf8'),
).cases;

test('the body is that of Go and Kubo clients, byte for byte', async () => {
  const bodyOf = (name: string): string => recorded.find((found) => found.name === name)?.request.body ?? '';
  const directory = bodyOf('add-directory');
  assert.match(directory, /filename="dir%2Fsub"/);
  const part = /filename="([^"]*)"\r\nContent-Type: application\/(octet-stream|symlink)\r\n\r\n([^-]*?)\r\n--/g;
  const files = [...directory.matchAll(part)].map(
    ([, path = '', type = '', content = '']): UploadEntry => ({
      path: decodeURIComponent(path),
      kind: type === 'symlink' ? 'symlink' : 'file',
      content,
    }),
  );
  assert.ok(files.length > 1);
  assert.equal(await textOf(files), directory);
  assert.equal(await textOf([{ path: 'hello.txt', content: 'hello cluster\n' }]), bodyOf('add-file-default'));
  assert.equal(await textOf([{ path: '', content: 'unnamed\n' }]), bodyOf('add-unnamed'));
});

test('parents come before children and children together, whatever the order is', async () => {
  const entries: readonly UploadEntry[] = [
    { path: 'a/x' },
    { path: 'b', kind: 'directory' },
    { path: './a/sub//y' },
    { path: 'a/link', kind: 'symlink', content: 'x' },
    { path: 'b/ü +&"', absolutePath: '/home/ü' },
  ];
  const heads = (await textOf(entries)).split(`--${boundary}`).map((part) => part.trim().replaceAll('\r\n', ' | '));
  const file = (name: string, type: string): string =>
    `Content-Disposition: form-data; name="file"; filename="${name}" | Content-Type: application/${type}`;
  assert.deepEqual(heads, [
    '',
    file('a', 'x-directory'),
    file('a%2Fx', 'octet-stream'),
    file('a%2Fsub', 'x-directory'),
    file('a%2Fsub%2Fy', 'octet-stream'),
    `${file('a%2Flink', 'symlink')} |  | x`,
    file('b', 'x-directory'),
    `Abspath-Encoded: %2Fhome%2F%C3%BC | ${file('b%2F%C3%BC+%2B%26%22', 'octet-stream')}`,
    '--',
  ]);
});

test('paths that make no tree are refused', () => {
  const refused = (entries: readonly UploadEntry[], message: RegExp): void => {
    assert.throws(() => createUpload(entries), { code: 'client/bad-upload', message });
  };
  refused([{ path: 'a/../b' }], /"a\/\.\.\/b": it leads out/);
  refused([{ path: 'a' }, { path: 'a/b' }], /"a": it is a file, and something is below it/);
  refused([{ path: 'a' }, { path: '/a/' }], /"\/a\/": it is there twice/);
});

test('content may be anything that gives bytes', async () => {
  const bytes = new TextEncoder().encode('content');
  const iterable = async function* (): AsyncGenerator<Uint8Array | string> {
    yield bytes.subarray(0, 3);
    yield 'tent';
  };
  const contents = [
    'content',
    bytes,
    bytes.slice().buffer,
    new Blob(['con', 'tent']),
    new File(['content'], 'name'),
    new Blob(['content']).stream(),
    iterable(),
    iterable,
    () => new Blob(['content']).stream(),
  ];
  const wanted = await textOf([{ path: 'f', content: 'content' }]);
  for (const content of contents) assert.equal(await textOf([{ path: 'f', content }]), wanted, String(content));
  for (const content of contents.filter((_, index) => index !== 5 && index !== 6)) {
    const upload = createUpload([{ path: 'f', content }], { boundary });
    assert.equal(upload.isReplayable, true);
    assert.equal(await (await upload.blob()).text(), wanted);
    assert.equal(Buffer.concat(await collect(upload.stream())).toString(), wanted);
  }
  const stream = createUpload([{ path: 'f', content: new Blob(['content']).stream() }]);
  assert.equal(stream.isReplayable, false);
  await stream.blob();
  await assert.rejects(collect(stream.stream()), { code: 'client/spent' });
  const numbers = (async function* () {
    yield 5;
  })();
  // @ts-expect-error numbers are no bytes
  await assert.rejects(textOf([{ path: 'f', content: numbers }]), { code: 'client/bad-upload' });
});

test('progress counts content, piece by piece', async () => {
  const seen: unknown[] = [];
  const content = new Uint8Array(600_000);
  await textOf(
    [
      { path: 'f', content },
      { path: 'g', content: 'ü' },
    ],
    { onProgress: (progress) => seen.push(progress) },
  );
  assert.deepEqual(
    seen,
    [262_144, 524_288, 600_000, 600_002].map((sentBytes) => ({ sentBytes, totalBytes: 600_002 })),
  );
  const open: unknown[] = [];
  await textOf([{ path: 'f', content: new Blob(['abc']).stream() }], { onProgress: (progress) => open.push(progress) });
  assert.deepEqual(open, [{ sentBytes: 3, totalBytes: undefined }]);
});

test('a body that is sent as a whole tells how much of what was sent is content', async () => {
  const seen: unknown[] = [];
  const stream = new Blob(['abc']).stream();
  const upload = createUpload(
    [
      { path: 'f', content: 'ü' },
      { path: 'g', content: stream },
    ],
    { boundary: 'b', onProgress: ({ sentBytes }) => seen.push(sentBytes) },
  );
  const { size } = await upload.blob();
  for (let sent = 0; sent <= size; sent += 1) upload.onSent?.(sent);
  assert.deepEqual([...new Set(seen)], [0, 1, 2, 3, 4, 5]);
  assert.equal(seen.length, size + 1);
  assert.equal(createUpload([]).onSent, undefined);
});

test('an upload is sent again, whole, when no peer has answered, and only when it can be', async () => {
  const line = '[{"name":"f","cid":"QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o"}]';
  const clock = new HastyClock();
  for (const canStream of [true, false]) {
    const api = await startFakeApi((_method, _path, count) => (count % 2 === 1 ? { cut: 'head' } : { body: line }));
    const client = createClient({ transport: fetchTransport({ url: api.url, canStream }), retries: 1, clock });
    const kept = createUpload([{ path: 'f', content: new Blob(['content']) }]);
    assert.equal((await collect(client.add(kept))).length, 1);
    assert.equal(api.bodies[0], api.bodies[1]);
    assert.match(api.bodies[1] ?? '', /content/);
    assert.equal(api.lastHeaders()['content-type'], kept.contentType);
    assert.match(api.requests[1] ?? '', /^POST \/add\?.*stream-channels=false/);
    const stream = createUpload([{ path: 'f', content: new Blob(['content']).stream() }]);
    await assert.rejects(collect(client.add(stream)), { code: 'client/unreachable', outcome: 'unknown' });
    assert.equal(api.requests.length, 3);
    await api.close();
  }
});

test('adding asks for what is given only, and says what went wrong', async () => {
  const answers = [
    { body: 'null' },
    { status: 500, body: '{"code":500,"message":"no space"}' },
    { body: '[{"na' },
    { body: '{}' },
  ];
  const api = await startFakeApi((_method, _path, count) => answers[count - 1]);
  const client = createClient({ url: api.url });
  const upload = createUpload([{ path: 'f', content: 'x' }]);
  const add = () =>
    collect(client.add(upload, { cidVersion: 1, rawLeaves: false, wrapWithDirectory: true, pin: { name: 'n' } }));
  assert.deepEqual(await add(), []);
  const options = 'mode=recursive&name=n&raw-leaves=false&replication-max=0&replication-min=0&shard-size=0';
  assert.equal(
    api.requests[0],
    `POST /add?cid-version=1&${options}&stream-channels=false&user-allocations=&wrap-with-directory=true`,
  );
  await assert.rejects(add(), { code: 'client/refused', status: 500, message: 'no space' });
  await assert.rejects(add(), { code: 'client/cut' });
  await assert.rejects(add(), { code: 'client/bad-answer' });
  await api.close();
});

test('a stream that is read before it is sent, and never ends, is given up with the signal', async () => {
  const stop = new AbortController();
  const silent = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(new Uint8Array(10));
      stop.abort(new Error('enough'));
      return new Promise(() => undefined);
    },
  });
  await assert.rejects(createUpload([{ path: 'a', content: silent }]).blob(stop.signal), { message: 'enough' });
  // One that always has more.
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) yield new Uint8Array(10);
  };
  await assert.rejects(createUpload([{ path: 'a', content: endless }]).blob(AbortSignal.abort(new Error('no'))), {
    message: 'no',
  });
});
