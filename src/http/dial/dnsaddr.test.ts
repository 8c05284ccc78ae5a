import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveDnsaddr } from './index.ts';

const records: Readonly<Record<string, readonly (readonly string[])[]>> = {
  '_dnsaddr.one.example': [
    ['dnsaddr=/ip4/192.0.2.1/tcp/9096/p2p/A'],
    ['dnsaddr=/ip4/192.0.2.2', '/tcp/9096/p2p/B'],
    ['something else'],
    ['dnsaddr=nothing'],
  ],
  '_dnsaddr.all.example': [['dnsaddr=/dnsaddr/one.example'], ['dnsaddr=/ip6/2001:db8::1/tcp/9096/p2p/C']],
  '_dnsaddr.loop.example': [['dnsaddr=/dnsaddr/loop.example']],
};
const lookUp = async (name: string): Promise<readonly (readonly string[])[]> => {
  const found = records[name];
  if (found === undefined) throw new RangeError('no such name');
  return found;
};

test('resolveDnsaddr follows names to addresses, of one peer when it is named', async () => {
  const [a, b] = ['/ip4/192.0.2.1/tcp/9096/p2p/A', '/ip4/192.0.2.2/tcp/9096/p2p/B'];
  assert.deepEqual(await resolveDnsaddr('/dnsaddr/one.example', lookUp), [a, b]);
  assert.deepEqual(await resolveDnsaddr('/dnsaddr/one.example/p2p/B', lookUp), [b]);
  assert.deepEqual(await resolveDnsaddr('/dnsaddr/all.example', lookUp), [a, b, '/ip6/2001:db8::1/tcp/9096/p2p/C']);
  assert.deepEqual(await resolveDnsaddr(a ?? '', lookUp), [a]);
});

test('resolveDnsaddr tells what it did not find', async () => {
  const cases = [
    ['/dnsaddr/none.example', /no such name/],
    ['/dnsaddr/one.example/p2p/D', /has no records of a peer/],
    ['/dnsaddr/loop.example', /without an end/],
  ] as const;
  for (const [address, message] of cases) {
    await assert.rejects(resolveDnsaddr(address, lookUp), (error: Error & { code: string }) => {
      assert.equal(error.code, 'dial/bad-address');
      assert.match(error.message, message);
      return true;
    });
  }
});
