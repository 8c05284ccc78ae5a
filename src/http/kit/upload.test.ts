import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { it } from 'node:test';
import fc from 'fast-check';
import { errorCode } from '../../base/index.ts';
import { readUpload, uploadRefusal } from './upload.ts';

/** A request whose body comes in pieces of the given sizes. */
function requestOf(
  body: Uint8Array,
  pieceSize: number,
  contentType = 'multipart/form-data; boundary=B',
): IncomingMessage {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += pieceSize) pieces.push(body.subarray(at, at + pieceSize));
  // What is read of a request is its headers and its body.
  return Object.assign(Readable.from(pieces), {
    headers: { 'content-type': contentType },
  }) as unknown as IncomingMessage;
}

interface Read {
  readonly path: string;
  readonly type: string;
  readonly absPath: string;
  readonly content: string;
}

async function readAll(body: string | Uint8Array, pieceSize = 7, contentType?: string): Promise<Read[]> {
  const found: Read[] = [];
  for await (const part of readUpload(requestOf(Buffer.from(body as Uint8Array), pieceSize, contentType))) {
    const pieces: Uint8Array[] = [];
    for await (const bytes of part.content) pieces.push(bytes);
    found.push({ ...part, content: Buffer.concat(pieces).toString('latin1') });
  }
  return found;
}

const header = (name: string, more = ''): string =>
  `--B\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n${more}\r\n`;

it('readUpload gives files, folders and links with their paths', async () => {
  const body =
    `${header('dir', 'Content-Type: application/x-directory\r\n')}\r\n` +
    `${header('dir%2Fp+q%2Br', 'content-type: application/octet-stream\r\nAbspath-Encoded: %2Fa+b\r\n')}one\r\n` +
    `${header('../x/./y', 'Abspath: http://h/x\r\n')}\r\n` +
    `${header('ln', 'Content-Type: application/symlink\r\n')}target\r\n` +
    '--B\r\nContent-Disposition: form-data; name="field"\r\n\r\nno name\r\n' +
    '--B\r\n\r\nno headers\r\n--B--\r\n';
  for (const size of [1, 2, 3, 7, 64, 100_000]) {
    assert.deepEqual(
      (await readAll(`preamble\r\n${body}epilogue`, size)).map(({ path, type, absPath, content }) => [
        path,
        type,
        absPath,
        content,
      ]),
      [
        ['dir', 'directory', '', ''],
        ['dir/p q+r', 'file', '/a b', 'one'],
        ['x/y', 'file', 'http://h/x', ''],
        ['ln', 'symlink', '', 'target'],
        ['', 'file', '', 'no name'],
        ['', 'file', '', 'no headers'],
      ],
    );
  }
});

it('readUpload takes names as browsers, Kubo and curl write them', async () => {
  for (const [written, path] of [
    ['a%22b', 'a"b'],
    ['a\\"b', 'a"b'],
    ['C:\\dir\\f', 'C:\\dir\\f'],
    ['%zz', '%zz'],
    ['ünï ☃', 'ünï ☃'],
    ['%C3%BC', 'ü'],
    ['/', ''],
  ] as const) {
    const [part] = await readAll(`${header(written)}x\r\n--B--\r\n`);
    assert.equal(part?.path, path, written);
  }
  const [part] = await readAll("--B\r\nContent-Disposition: attachment; filename*=utf-8''%e2%98%83\r\n\r\nx\r\n--B--");
  assert.equal(part?.path, '☃');
});

it('readUpload keeps content that looks like a boundary', async () => {
  const content = '\r\n--Bx\r\n--\r\n\r\r\n-\r\n--';
  for (const size of [1, 5, 1000]) {
    const [part] = await readAll(`${header('f')}${content}\r\n--B--\r\n`, size);
    assert.equal(part?.content, content);
  }
});

it('readUpload gives back any content, however the body is cut', async () => {
  const seed = Date.now() % 2 ** 31;
  console.log(`seed ${seed}`);
  const bytes = fc.array(fc.constantFrom(0x0d, 0x0a, 0x2d, 0x42, 0x20, 0xff), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(bytes, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 50 }),
      async (parts, size) => {
        const contents = parts.map((part) => Buffer.from(part).toString('latin1'));
        // What ends a part is no content.
        fc.pre(contents.every((content) => !/(^|\r\n)--B([ \t\r\n-]|$)/.test(content)));
        const body = Buffer.from(
          `${contents.map((content) => `${header('f')}${content}\r\n`).join('')}--B--`,
          'latin1',
        );
        assert.deepEqual(
          (await readAll(body, size)).map(({ content }) => content),
          contents,
        );
      },
    ),
    { seed },
  );
});

it('readUpload tells a body that ends early', async () => {
  const whole = `${header('f')}content\r\n--B\r\nContent-Disposition: form-data; filename="g"\r\n\r\nmore\r\n--B--`;
  for (let size = 0; size < whole.length - 2; size++) {
    await assert.rejects(readAll(whole.slice(0, size), 11), { code: 'http/truncated-upload' }, `${size} bytes`);
  }
  await assert.rejects(readAll(`--B\r\n${'x'.repeat(70_000)}`, 10_000), { code: 'http/bad-upload' });
});

it('readUpload skips what is left of a part', async () => {
  const paths: string[] = [];
  const body = `${header('a')}${'a'.repeat(1000)}\r\n${header('b')}b\r\n--B--\r\n`;
  for await (const { path } of readUpload(requestOf(Buffer.from(body), 50))) paths.push(path);
  assert.deepEqual(paths, ['a', 'b']);
});

it('readUpload refuses any bytes with a code', async () => {
  const seed = Date.now() % 2 ** 31;
  console.log(`seed ${seed}`);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 60 }), async (bytes, size) => {
      for (const body of [bytes, Buffer.concat([Buffer.from('--B\r\n'), bytes])]) {
        try {
          await readAll(body, size);
        } catch (error) {
          assert.match(errorCode(error), /^http\//);
        }
      }
    }),
    { seed },
  );
});

it('uploadRefusal has the words of the reference', () => {
  const wrongType = "request Content-Type isn't multipart/form-data";
  const noBoundary = 'no multipart boundary param in Content-Type';
  assert.equal(uploadRefusal(undefined), wrongType);
  assert.equal(uploadRefusal('application/octet-stream'), wrongType);
  assert.equal(uploadRefusal('multipart/related; boundary=x'), wrongType);
  assert.equal(uploadRefusal('multipart/form-data'), noBoundary);
  assert.equal(uploadRefusal('multipart/form-data; boundary='), noBoundary);
  assert.equal(uploadRefusal('Multipart/Mixed; Boundary="a b"'), undefined);
});
