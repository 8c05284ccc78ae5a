import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { JoinedLines } from './joined-lines.ts';

test('JoinedLines: a line alone is written at once, those of the next 50 ms together', async () => {
  const written: string[] = [];
  const clock = new FakeClock();
  const lines = new JoinedLines((text) => written.push(text), clock);
  lines.write('a\n');
  assert.deepEqual(written.splice(0), ['a\n']);
  lines.write('b\n');
  lines.write('c\n');
  await clock.advance(49);
  assert.deepEqual(written, []);
  await clock.advance(1);
  assert.deepEqual(written.splice(0), ['b\nc\n']);
  await clock.advance(50);
  lines.write('d\n');
  assert.deepEqual(written.splice(0), ['d\n']);
});

test('JoinedLines: what is long does not wait, and flush writes what waits, once and in order', async () => {
  const written: string[] = [];
  const clock = new FakeClock();
  const lines = new JoinedLines((text) => written.push(text), clock);
  lines.write('a\n');
  lines.write('b\n');
  lines.write(`${'c'.repeat(16 * 1024)}\n`);
  assert.equal(written.length, 2);
  lines.write('d\n');
  lines.flush();
  lines.flush();
  assert.equal(written.join(''), `a\nb\n${'c'.repeat(16 * 1024)}\nd\n`);
  await clock.advance(1000);
  assert.equal(written.length, 3);
});
