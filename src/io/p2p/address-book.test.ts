import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddressBook } from './address-book.ts';

test('AddressBook tries what worked last, then what the peer says itself, then the rest, and forgets from that end', () => {
  const book = new AddressBook();
  const peer = 'p';
  book.add(peer, ['saved 1', 'saved 2']);
  book.tell(peer, ['now', 'saved 2']);
  assert.deepEqual(book.of(peer), ['saved 1', 'now', 'saved 2']);
  book.confirm(peer, 'now');
  assert.deepEqual(book.of(peer), ['now', 'saved 1', 'saved 2']);
  // A peer that takes another port at every start.
  for (let n = 0; n < 100; n++) book.tell(peer, [`port ${n}`]);
  assert.equal(book.of(peer).length, 32);
  assert.deepEqual(book.of(peer).slice(0, 3), ['now', 'port 99', 'port 98']);
  book.forget(peer);
  assert.deepEqual(book.of(peer), []);
});
