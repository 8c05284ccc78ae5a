import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLogLevels } from './log-level.ts';

test('parseLogLevels takes an overall level and named ones', () => {
  const levels = parseLogLevels('ERROR, raft:debug,restapi:warn', false);
  assert.equal(levels.overall, 'error');
  assert.equal(levels.named.get('raft'), 'debug');
  assert.equal(levels.named.get('restapi'), 'warn');
});

test('parseLogLevels is info without a word, debug with --debug, and the last overall level counts', () => {
  assert.equal(parseLogLevels('', false).overall, 'info');
  assert.equal(parseLogLevels('', true).overall, 'debug');
  assert.equal(parseLogLevels('info,error', false).overall, 'error');
  assert.equal(parseLogLevels('panic', false).overall, 'fatal');
});

for (const text of ['loud', 'raft:loud', 'a:b:info', ':info']) {
  test(`parseLogLevels refuses ${text}`, () => {
    assert.throws(() => parseLogLevels(text, false), { name: 'RangeError', message: new RegExp(`found "${text}"`) });
  });
}
