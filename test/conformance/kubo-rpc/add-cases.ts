/** Uploads whose CIDs were recorded from Kubo 0.44 (`test/vectors/kubo-add/lines.json`, by the name of the case). */
import { noise, type UploadPart } from './client.ts';

export interface AddCase {
  readonly name: string;
  readonly query: string;
  readonly parts: readonly UploadPart[];
}

const file = (path: string, content: string | Uint8Array): UploadPart => ({ path, content });
const folder = (path: string): UploadPart => ({ path, type: 'application/x-directory' });

const contents: readonly [name: string, content: string | Uint8Array][] = [
  ['empty', ''],
  ['hello', 'hello\n'],
  ['one chunk', noise(262_144)],
  ['one chunk and a byte', noise(262_145)],
  ['300 KB', Buffer.alloc(300_000, 'x')],
  ['3 MB', noise(3_000_000)],
];

const layouts = [
  '',
  'cid-version=1',
  'raw-leaves=true',
  'cid-version=1&raw-leaves=false',
  'trickle=true',
  'trickle=true&cid-version=1',
  'chunker=size-1000',
  'chunker=size-1000&trickle=true',
  'chunker=size-1000&cid-version=1',
  'chunker=size-1000&cid-version=1&trickle=true',
];

const tree: readonly UploadPart[] = [
  folder('dir'),
  file('dir/a.txt', 'hello\n'),
  folder('dir/sub'),
  file('dir/sub/b c.bin', Buffer.alloc(300_000, 'x')),
  folder('dir/sub/empty'),
  file('dir/ünïcode ☃.txt', 'snow\n'),
  { path: 'dir/link', type: 'application/symlink', content: 'a.txt' },
  file('dir/empty.txt', ''),
];

const many: readonly UploadPart[] = [
  folder('many'),
  ...Array.from({ length: 6_000 }, (_, i) => file(`many/file-${i}.txt`, `${i % 3}`)),
];

export const addCases: readonly AddCase[] = [
  ...contents.flatMap(([name, content]) =>
    layouts.map((query) => ({ name: `${name} ${query}`.trim(), query, parts: [file('f', content)] })),
  ),
  ...['', 'cid-version=1', 'raw-leaves=true'].flatMap((query) => [
    { name: `tree ${query}`.trim(), query, parts: tree },
    { name: `wrapped tree ${query}`.trim(), query: `${query}&wrap-with-directory=true`, parts: tree },
  ]),
  { name: 'empty folder', query: '', parts: [folder('void')] },
  { name: 'folders by path only', query: '', parts: [file('x/y/a.txt', 'hello\n'), file('x/b.txt', 'b')] },
  { name: 'two files', query: '', parts: [file('a', 'a'), file('b', 'b')] },
  { name: 'two files wrapped', query: 'wrap-with-directory=true', parts: [file('a', 'a'), file('b', 'b')] },
  { name: 'one file wrapped', query: 'wrap-with-directory=true', parts: [file('a.txt', 'hello\n')] },
  {
    name: 'wrapped link',
    query: 'wrap-with-directory=true',
    parts: [{ path: 'ln', type: 'application/symlink', content: 'a.txt' }],
  },
  { name: 'without a name', query: '', parts: [{ path: '', content: 'nameless' }] },
  { name: 'name that leads outside', query: 'wrap-with-directory=true', parts: [file('../../a.txt', 'hello\n')] },
  { name: 'sharded folder', query: '', parts: many },
  { name: 'sharded folder cid-version=1', query: 'cid-version=1', parts: many },
];
