import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { errorCode } from '../../base/index.ts';
import { parsePath } from './path.ts';

const root = 'QmfXK1qQwQtYgg1yn7fACj8wg4nmBUh2SgKQAYPcPFb69n';

it('parsePath reads every form', () => {
  for (const [text, segments] of [
    [root, []],
    [`/ipfs/${root}`, []],
    [`ipfs://${root}/a`, ['a']],
    [`/ipld/${root}/a/b`, ['a', 'b']],
    [`${root}/a//b/./c/../d/`, ['a', 'b', 'd']],
  ] as const) {
    const path = parsePath(text);
    assert.equal(path.root.toString(), root);
    assert.deepEqual(path.segments, segments);
  }
});

it('parsePath tells what is wrong', () => {
  for (const [text, message] of [
    ['', 'invalid path "": path does not have enough components'],
    ['junk', 'invalid path "junk": path does not have enough components'],
    ['\u0000', 'invalid path "\\x00": path does not have enough components'],
    ['/ipfs', 'invalid path "/ipfs": path does not have enough components'],
    ['/ipfs/junk/a', 'invalid path "/ipfs/junk/a": invalid cid: selected encoding not supported'],
    [`/foo/${root}`, `invalid path "/foo/${root}": unknown namespace: "foo"`],
  ] as const) {
    assert.throws(() => parsePath(text), { message });
  }
  assert.throws(() => parsePath('/ipns/example.com/a'), { code: 'unixfs/unsupported-path' });
});

it('parsePath refuses anything else with a code', () => {
  const seed = Date.now() % 2 ** 31;
  console.log(`seed ${seed}`);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      for (const candidate of [text, `/ipfs/${text}`, `${root}/${text}`]) {
        try {
          parsePath(candidate);
        } catch (error) {
          assert.match(errorCode(error), /^unixfs\//);
        }
      }
    }),
    { seed },
  );
});
