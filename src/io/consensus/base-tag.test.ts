import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8Encode } from '../../base/index.ts';
import type { Base } from '../../core/raft/index.ts';
import { decodeBase, encodeBase } from './base-tag.ts';

const base: Base = {
  index: 7,
  term: 3,
  configuration: {
    servers: [
      { id: 'a', suffrage: 'voter' },
      { id: 'b', suffrage: 'nonvoter' },
      { id: 'c', suffrage: 'staging' },
    ],
  },
  configurationIndex: 5,
};

test('the base of a log comes back as it was', () => {
  assert.deepEqual(decodeBase(encodeBase(base)), base);
});

const server = (fields: object): object => ({ ...base, configuration: { servers: [fields] } });

for (const [text, value] of [
  ['the note is not an object', 7],
  ['the note is not an object', null],
  ['"configuration" is not an object', { index: 7, term: 3 }],
  ['"servers" is not a list', { ...base, configuration: { servers: { a: 'voter' } } }],
  ['"index" is "7", expected a whole number', { ...base, index: '7' }],
  ['"term" is -1, expected a whole number', { ...base, term: -1 }],
  ['"configurationIndex" is 0.5, expected a whole number', { ...base, configurationIndex: 0.5 }],
  ['"configurationIndex" is above "index"', { ...base, configurationIndex: 8 }],
  ['a server is not an object', { ...base, configuration: { servers: ['a'] } }],
  ['the "id" of a server is not a text', server({ id: 1, suffrage: 'voter' })],
  ['the "suffrage" of a server is "king", expected voter, nonvoter or staging', server({ id: 'a', suffrage: 'king' })],
] as const) {
  test(`the base of a log is refused: ${text}, ${JSON.stringify(value)}`, () => {
    assert.throws(() => decodeBase(utf8Encode(JSON.stringify(value))), {
      code: 'cluster/damaged-state',
      message: `The state is damaged: in its note of the snapshot it came from, ${text}`,
    });
  });
}

test('the base of a log is refused: what is no JSON', () => {
  assert.throws(() => decodeBase(utf8Encode('{"index":')), {
    code: 'cluster/damaged-state',
    message: /it is unreadable/,
  });
});
