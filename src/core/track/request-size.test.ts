import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestSize } from './request-size.ts';

function grown(): RequestSize {
  const size = new RequestSize();
  for (let i = 0; i < 20; i += 1) size.done(size.size, 10);
  return size;
}

test('RequestSize: one pin each until four requests in a row were quick, then twice as many each time, up to 32', () => {
  const size = new RequestSize();
  const sizes: number[] = [];
  for (let i = 0; i < 10; i += 1) {
    sizes.push(size.size);
    size.done(size.size, 10);
  }
  assert.deepEqual(sizes, [1, 1, 1, 1, 2, 4, 8, 16, 32, 32]);
});

test('RequestSize: slow pins stay alone, and one that fails begins the count anew', () => {
  const size = new RequestSize();
  for (let i = 0; i < 20; i += 1) size.done(1, 150);
  for (let i = 0; i < 3; i += 1) size.done(1, 10);
  size.failed(1);
  for (let i = 0; i < 3; i += 1) size.done(1, 10);
  size.done(1, 5000);
  for (let i = 0; i < 3; i += 1) size.done(1, 10);
  assert.equal(size.size, 1);
});

test('RequestSize: fewer pins than might go together tell nothing of more', () => {
  const size = new RequestSize();
  for (let i = 0; i < 20; i += 1) size.done(1, 10);
  assert.equal(size.size, 2);
});

test('RequestSize: slow requests halve it; one that was not carried out whole makes it one, a single pin does not', () => {
  const size = grown();
  size.done(32, 150);
  assert.equal(size.size, 32);
  size.done(32, 250);
  assert.equal(size.size, 16);
  size.failed(1);
  assert.equal(size.size, 16);
  size.failed(16);
  assert.equal(size.size, 1);
});
