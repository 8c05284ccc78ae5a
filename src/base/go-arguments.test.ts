import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rewriteGoArguments } from './go-arguments.ts';

const forms: Readonly<Record<string, 'boolean' | 'value'>> = {
  debug: 'boolean',
  f: 'boolean',
  config: 'value',
  c: 'value',
  rmin: 'value',
};

const cases: readonly (readonly [string, string])[] = [
  ['-config x daemon', '--config x daemon'],
  ['--config=x', '--config=x'],
  ['-config=x', '--config=x'],
  ['-c=x', '-c x'],
  ['--c x', '-c x'],
  ['-debug', '--debug'],
  ['--debug=true', '--debug'],
  ['-debug=false daemon', 'daemon'],
  ['--debug=maybe', '--debug=maybe'],
  ['--f=1', '-f'],
  ['--rmin -1', '--rmin -1'],
  ['--rmin --debug', '--rmin --debug'],
  ['-rq', '--rq'],
  ['pin add x -f', 'pin add x -f'],
  ['-debug -- -debug', '--debug -- -debug'],
  ['-', '-'],
  ['-5 --', '-5 --'],
  ['-config', '--config'],
];

for (const [given, expected] of cases) {
  test(`rewriteGoArguments makes "${expected}" of "${given}"`, () => {
    assert.deepEqual(
      rewriteGoArguments(given.split(' '), (name) => forms[name]),
      expected.split(' '),
    );
  });
}
