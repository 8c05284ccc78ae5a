import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countsOf, type DemoPin, faults } from './replicas.ts';

const pin = (name: string, min: number, max: number, mode: DemoPin['mode'] = 'recursive'): DemoPin => ({
  cid: `cid-${name}`,
  name,
  min,
  max,
  mode,
  files: [],
});
const pins = [pin('spread', 2, 3), pin('all', -1, -1), pin('top', 1, 1, 'direct')];
const wanted = new Map([
  ['cid-spread', ['a', 'b', 'gone']],
  ['cid-all', []],
  ['cid-top', ['c']],
]);

/** What nodes a, b and c pin, `*` for direct; as it should be unless said. */
const judged = (changes: Readonly<Record<string, string>> = {}): string[] => {
  const texts = { a: 'spread all', b: 'spread all', c: 'all top*', ...changes };
  const held = Object.entries(texts).map(([name, text]) => {
    const words = text.split(' ').map((word) => word.split('*'));
    return [
      name,
      new Map(words.map(([of, star]) => [`cid-${of}`, star === undefined ? 'recursive' : 'direct'])),
    ] as const;
  });
  return faults(pins, new Map(held), wanted);
};

test('faults: none when every node that is left pins what it is to hold', () => {
  assert.deepEqual(judged(), []);
});

const cases: readonly (readonly [string, Readonly<Record<string, string>>, readonly string[]])[] = [
  ['too few', { b: 'all' }, ['spread (2..3) is pinned by 1 nodes: a', 'spread is not pinned by b']],
  [
    'too many, and one that is not to hold it',
    { c: 'all top* spread', a: 'spread all top*' },
    ['top (1..1) is pinned by 2 nodes: a, c', 'a still pins top', 'c still pins spread'],
  ],
  ['not everywhere', { c: 'top*' }, ['all (all) is pinned by 2 nodes: a, b', 'all is not pinned by c']],
  [
    'another mode',
    { c: 'all top' },
    ['top (1..1) is pinned by 0 nodes: ', 'top is not pinned by c', 'c pins top as recursive, not as direct'],
  ],
  ['a pin that nobody asked for', { c: 'all top* other' }, ['c pins cid-other, which nobody asked for']],
];

for (const [title, changes, expected] of cases) {
  test(`faults: ${title}`, () => {
    assert.deepEqual(judged(changes), expected);
  });
}

test('countsOf: each pin once', () => {
  const held = new Map([
    [
      'a',
      new Map([
        ['cid-below', 'recursive'],
        ['cid-at', 'recursive'],
        ['cid-over', 'recursive'],
        ['cid-all', 'recursive'],
      ]),
    ],
    [
      'b',
      new Map([
        ['cid-above', 'recursive'],
        ['cid-over', 'recursive'],
        ['cid-all', 'recursive'],
      ]),
    ],
    [
      'c',
      new Map([
        ['cid-above', 'recursive'],
        ['cid-full', 'direct'],
        ['cid-all', 'recursive'],
      ]),
    ],
  ]);
  const all = [
    pin('below', 2, 3),
    pin('at', 1, 2),
    pin('above', 1, 3),
    pin('full', 1, 1, 'direct'),
    pin('over', 1, 1),
    pin('all', -1, -1),
  ];
  const expected = { pins: 6, below_min: 1, at_min: 1, above_min: 1, full: 2, over_max: 1 };
  assert.deepEqual(countsOf(all, held), expected);
});
