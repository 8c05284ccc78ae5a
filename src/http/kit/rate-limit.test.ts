import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { networkOf, RateLimit } from './rate-limit.ts';

describe('RateLimit', () => {
  it('lets pass so many in a minute, at once or spread, each sender for itself', () => {
    const limit = new RateLimit(3);
    assert.deepEqual(
      [1, 2, 3, 4].map(() => limit.take('a', 1000)),
      [0, 0, 0, 20],
    );
    assert.equal(limit.take('b', 1000), 0);
    assert.equal(limit.take('a', 11_000), 10);
    assert.equal(limit.take('a', 21_000), 0);
    assert.equal(limit.take('a', 21_000), 20);
    // Not more is saved than a minute's worth; a clock that goes back gives nothing.
    assert.deepEqual(
      [1, 2, 3, 4].map(() => limit.take('a', 10_000_000)),
      [0, 0, 0, 20],
    );
    assert.equal(limit.take('a', 0), 20);
  });

  it('is none at 0', () => {
    const limit = new RateLimit(0);
    for (let i = 0; i < 1000; i++) assert.equal(limit.take('a', 0), 0);
  });

  it('forgets who was silent longest when there are too many', () => {
    const limit = new RateLimit(1);
    assert.equal(limit.take('silent', 0), 0);
    assert.equal(limit.take('loud', 0), 0);
    for (let i = 0; i < 16_383; i++) {
      limit.take(`other ${i}`, 0);
      if (i % 1000 === 0) assert.equal(limit.take('loud', 0), 60);
    }
    assert.equal(limit.take('loud', 0), 60);
    assert.equal(limit.take('silent', 0), 0);
  });
});

it('networkOf joins the addresses that one user of IPv6 has', () => {
  assert.equal(networkOf('192.0.2.7'), '192.0.2.7');
  assert.equal(networkOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
  assert.equal(networkOf('2001:db8::6'), '2001:db8:0:0::/64');
  assert.equal(networkOf('fe80::1:2:3:4%eth0'), 'fe80:0:0:0::/64');
  assert.equal(networkOf('::1'), '0:0:0:0::/64');
  assert.equal(networkOf('12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5').length, 52);
});
