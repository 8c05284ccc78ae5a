import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Ledger } from './ledger.ts';

describe('Ledger', () => {
  it('asks for what was acknowledged, and for nothing else', () => {
    const ledger = new Ledger();
    ledger.begin('kept', 'one');
    ledger.acknowledged('kept');
    ledger.begin('renamed', 'old');
    ledger.acknowledged('renamed');
    ledger.begin('renamed', 'new');
    ledger.acknowledged('renamed');
    ledger.begin('removed', 'gone');
    ledger.acknowledged('removed');
    ledger.begin('removed', undefined);
    ledger.acknowledged('removed');
    ledger.begin('refused', 'never');
    ledger.neverSent('refused');
    const right = [
      ['kept', 'one'],
      ['renamed', 'new'],
    ] as const;
    assert.deepEqual(ledger.counts, { pins: 4, unpins: 1, open: 0 });
    assert.deepEqual(ledger.contradictions(new Map(right)), []);
    assert.deepEqual(ledger.contradictions(new Map([right[1]])), ['kept: no pin, expected pin "one"']);
    assert.deepEqual(ledger.contradictions(new Map([right[0], ['renamed', 'old']])), [
      'renamed: pin "old", expected pin "new"',
    ]);
    assert.deepEqual(ledger.contradictions(new Map([...right, ['removed', 'gone']])), [
      'removed: pin "gone", expected no pin',
    ]);
    assert.deepEqual(ledger.contradictions(new Map([...right, ['refused', 'never']])), [
      'refused: pin "never", expected no pin',
    ]);
    assert.deepEqual(ledger.contradictions(new Map([...right, ['strange', 'x']])), ['strange: pinned by nobody']);
  });

  it('takes either end of a write without an answer, but no third', () => {
    const ledger = new Ledger();
    ledger.begin('a', 'first');
    ledger.acknowledged('a');
    ledger.begin('a', 'second');
    ledger.unanswered('a');
    ledger.begin('b', 'new');
    ledger.unanswered('b');
    assert.equal(ledger.counts.open, 2);
    assert.deepEqual(ledger.contradictions(new Map([['a', 'first']])), []);
    assert.deepEqual(
      ledger.contradictions(
        new Map([
          ['a', 'second'],
          ['b', 'new'],
        ]),
      ),
      [],
    );
    assert.deepEqual(ledger.contradictions(new Map()), ['a: no pin, expected pin "first" or pin "second"']);
    assert.throws(() => ledger.begin('a', undefined), /without an answer/);
  });
});
