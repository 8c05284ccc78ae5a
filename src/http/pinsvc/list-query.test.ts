import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseQuery } from '../../model/index.ts';
import { isSelected, isWithin, parseListQuery } from './list-query.ts';

const parse = (text: string) => parseListQuery(parseQuery(text));
const cid = 'bafkreieoltxmuosdqe247ujxf2x6s2omyrcapghdpdmlr3jeeqxqe2tqj4';
const named = (query: string, name: string): boolean => isSelected(parse(query), { name, metadata: null });

test('parseListQuery has the defaults of the specification', () => {
  const { cids, states, limit, before, after, meta } = parse('');
  assert.deepEqual(
    [cids, [...states], limit, before, after, meta],
    [undefined, ['pinned'], 10, undefined, undefined, []],
  );
  // An empty parameter is none.
  assert.deepEqual([...parse('status=&cid=&name=&limit=').states], ['pinned']);
});

test('parseListQuery: what selects pins selects them in every state, unless states are named', () => {
  const all = ['queued', 'pinning', 'pinned', 'failed'];
  assert.deepEqual([...parse('name=x').states], all);
  assert.deepEqual([...parse(`cid=${cid}`).states], all);
  assert.deepEqual([...parse('meta=%7B%22a%22%3A%22b%22%7D').states], all);
  assert.deepEqual([...parse('before=2020-07-27T17:32:28.276Z').states], ['pinned']);
  assert.deepEqual([...parse('name=x&status=failed,queued').states], ['failed', 'queued']);
});

test('isSelected compares names in the four ways of the specification', () => {
  assert.ok(named('name=Ab', 'Ab') && !named('name=Ab', 'ab') && !named('name=Ab', 'xAb'));
  assert.ok(named('name=%C3%84b&match=iexact', 'äB') && !named('name=ab&match=iexact', 'abc'));
  assert.ok(named('name=b&match=partial', 'abc') && !named('name=B&match=partial', 'abc'));
  assert.ok(named('name=BC&match=ipartial', 'abcd') && !named('name=bd&match=ipartial', 'abcd'));
});

test('isSelected wants all entries of meta, own ones', () => {
  const { meta } = parse(`meta=${encodeURIComponent('{"a":"1","b":"2"}')}`);
  const selection = { ...parse(''), meta };
  assert.ok(isSelected(selection, { name: '', metadata: { a: '1', b: '2', c: '3' } }));
  assert.ok(!isSelected(selection, { name: '', metadata: { a: '1' } }));
  assert.ok(!isSelected(selection, { name: '', metadata: null }));
  const inherited = parse(`meta=${encodeURIComponent('{"toString":"x"}')}`);
  assert.ok(!isSelected(inherited, { name: '', metadata: {} }));
});

test('isWithin excludes both ends', () => {
  const selection = parse('after=2020-01-01T00:00:00.5Z&before=2020-01-01T00:00:02Z');
  const seconds = 1_577_836_800;
  assert.ok(!isWithin(selection, { seconds, nanos: 500_000_000 }));
  assert.ok(isWithin(selection, { seconds, nanos: 500_000_001 }));
  assert.ok(isWithin(selection, { seconds: seconds + 1, nanos: 999_999_999 }));
  assert.ok(!isWithin(selection, { seconds: seconds + 2, nanos: 0 }));
});

test('parseListQuery refuses what is out of bounds, and says what was expected', () => {
  const refused: Readonly<Record<string, RegExp>> = {
    'limit=0': /^parameter limit: found "0", expected 1 to 1000$/,
    'limit=1001': /expected 1 to 1000$/,
    'limit=1e2': /expected 1 to 1000$/,
    'limit=-1': /expected 1 to 1000$/,
    'match=foo': /^parameter match: found "foo", expected exact, iexact, partial, ipartial$/,
    'match=toString': /^parameter match/,
    'status=pinned,bogus': /^parameter status: found "bogus", expected queued, pinning, pinned, failed$/,
    'before=yesterday': /^parameter before: found "yesterday", expected an RFC 3339 time/,
    'after=2020-13-01T00:00:00Z': /^parameter after/,
    'cid=foo': /^parameter cid: found "foo", expected a CID \(invalid cid/,
    [`cid=${Array.from({ length: 11 }, (_, i) => `a${i}`).join(',')}`]:
      /^parameter cid: found 11 CIDs, expected at most 10$/,
    [`name=${'n'.repeat(256)}`]: /^parameter name: found 256 characters, expected at most 255$/,
    'meta=foo': /^parameter meta: found "foo", expected a JSON object whose values are texts$/,
    'meta=[]': /^parameter meta/,
    'meta=%7B%22a%22%3A1%7D': /^parameter meta/,
    [`meta=${JSON.stringify(Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [i, ''])))}`]:
      /^parameter meta: found 1001 entries, expected at most 1000$/,
  };
  for (const [query, message] of Object.entries(refused)) {
    assert.throws(() => parse(query), { status: 400, message }, query);
  }
  // Characters, not UTF-16 units.
  parse(`name=${encodeURIComponent('😀'.repeat(255))}`);
  // The same twice is one.
  assert.equal(parse(`cid=${cid},${cid}`).cids?.length, 1);
});
