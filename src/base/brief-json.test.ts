import assert from 'node:assert/strict';
import { test } from 'node:test';
import { briefJson } from './brief-json.ts';

test('briefJson shows the beginning of any value', () => {
  assert.equal(briefJson({ a: [1, 'b'] }), '{"a":[1,"b"]}');
  assert.equal(briefJson(undefined), 'nothing');
  assert.equal(briefJson('x'.repeat(200)), `"${'x'.repeat(99)}…`);
  const deep: unknown = JSON.parse('['.repeat(200_000) + ']'.repeat(200_000));
  assert.equal(briefJson(deep), 'a value that is nested too deeply');
});
