import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddressBook } from './address-book.ts';

const peer = 'p';

test('AddressBook tries what worked last, then what the peer says itself, then what was heard', () => {
  const book = new AddressBook();
  book.add(peer, ['saved 1', 'saved 2']);
  book.tell(peer, ['now', 'saved 2']);
  assert.deepEqual(book.of(peer), ['saved 1', 'now', 'saved 2']);
  book.confirm(peer, 'now');
  assert.deepEqual(book.of(peer), ['now', 'saved 2', 'saved 1']);
  book.forget(peer);
  assert.deepEqual(book.of(peer), []);
});

test('AddressBook keeps of a peer that takes another port at every start only the port that it has now', () => {
  const book = new AddressBook();
  for (let n = 0; n < 100; n++) book.tell(peer, [`port ${n}`]);
  assert.deepEqual(book.of(peer), ['port 99']);
  book.confirm(peer, 'port 98');
  book.confirm(peer, 'port 99');
  assert.deepEqual(book.of(peer), ['port 99']);
});

test('AddressBook passes on what was only heard as long as the peer was not reached', () => {
  const book = new AddressBook();
  book.add(peer, ['saved 1', 'saved 2']);
  assert.deepEqual(book.best(peer), ['saved 1', 'saved 2']);
  book.confirm(peer, 'named');
  book.tell(peer, ['now']);
  assert.deepEqual(book.best(peer), ['named', 'now']);
  assert.deepEqual(book.of(peer), ['named', 'now', 'saved 1', 'saved 2']);
});

test('AddressBook has room for a new address: what was heard first goes', () => {
  const book = new AddressBook();
  book.add(
    peer,
    Array.from({ length: 32 }, (_, n) => `stale ${n}`),
  );
  book.add(peer, ['new']);
  assert.equal(book.of(peer).length, 32);
  assert.ok(book.of(peer).includes('new'));
  assert.ok(!book.of(peer).includes('stale 0'));
});
