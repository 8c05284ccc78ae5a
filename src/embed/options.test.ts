import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkOptions } from './options.ts';

const check = (options: object) => checkOptions({ folder: 'f', ...options }, 'host');

test('options: only the folder must be given; the rest has its documented default', () => {
  const { secret, bootstrap, config } = check({});
  assert.equal(secret, undefined);
  assert.deepEqual(bootstrap, []);
  assert.equal(config.cluster.peername, 'host');
  assert.deepEqual(config.cluster.listenMultiaddress, ['/ip4/0.0.0.0/tcp/9096']);
  assert.deepEqual([config.cluster.replicationFactorMin, config.cluster.replicationFactorMax], [-1, -1]);
  assert.equal(config.cluster.disableRepinning, true);
  assert.equal(config.cluster.leaveOnShutdown, false);
  assert.equal(config.embedded?.rpcListenMultiaddress, '/ip4/127.0.0.1/tcp/0');
  assert.deepEqual(config.embedded?.swarmListenMultiaddress, ['/ip4/0.0.0.0/tcp/0']);
  assert.equal(config.embedded?.storageMaxBytes, 10_000_000_000);
  assert.equal(config.stateless.concurrentPins, 10);
  assert.deepEqual(config.tags?.tags, { group: 'default' });
  assert.deepEqual([config.restapi, config.ipfsproxy, config.pinsvcapi], [undefined, undefined, undefined]);
});

test('options: what is given arrives', () => {
  const id = '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5';
  const { secret, bootstrap, config } = check({
    peername: 'p',
    secret: 'AB'.repeat(32),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    announce: ['/dns4/example.org/tcp/9096'],
    bootstrap: [`/ip4/10.0.0.1/tcp/9096/ipfs/${id}`],
    ipfs: { type: 'kubo', address: '/ip4/10.0.0.2/tcp/5001' },
    replication: { min: 2, max: 3 },
    tags: { group: 'a', rack: '7' },
    repinning: true,
    leaveOnStop: true,
    concurrentPins: 3,
    raft: { heartbeatTimeoutMs: 200, electionTimeoutMs: 250, leaderLeaseTimeoutMs: 100, trailingLogs: 0 },
    http: { listen: ['/ip4/127.0.0.1/tcp/0'], credentials: { user: 'password' } },
    proxy: {},
    log: undefined,
  });
  assert.equal(secret, 'ab'.repeat(32));
  assert.deepEqual(bootstrap, [`/ip4/10.0.0.1/tcp/9096/p2p/${id}`]);
  assert.equal(config.cluster.peername, 'p');
  assert.deepEqual(config.cluster.announceMultiaddress, ['/dns4/example.org/tcp/9096']);
  assert.equal(config.embedded, undefined);
  assert.equal(config.ipfshttp.nodeMultiaddress, '/ip4/10.0.0.2/tcp/5001');
  assert.deepEqual([config.cluster.replicationFactorMin, config.cluster.replicationFactorMax], [2, 3]);
  assert.deepEqual(config.tags?.tags, { group: 'a', rack: '7' });
  assert.equal(config.cluster.disableRepinning, false);
  assert.equal(config.cluster.leaveOnShutdown, true);
  assert.equal(config.stateless.concurrentPins, 3);
  assert.deepEqual([config.raft.heartbeatTimeoutMs, config.raft.trailingLogs], [200, 0]);
  assert.deepEqual(config.restapi?.basicAuthCredentials, { user: 'password' });
  assert.deepEqual(config.ipfsproxy?.listenMultiaddress, ['/ip4/127.0.0.1/tcp/9095']);
  assert.equal(config.ipfsproxy?.nodeMultiaddress, '/ip4/10.0.0.2/tcp/5001');
});

const refused: readonly [given: unknown, line: RegExp][] = [
  [undefined, /^Cannot use option object: found undefined, expected an object with folder, peername, /],
  [{}, /^Cannot use option folder: found undefined, expected the path of a folder$/],
  [{ folder: '' }, /^Cannot use option folder: found "", expected the path of a folder$/],
  [{ folder: 'f', folders: 1 }, /^Cannot use option folders: found 1, expected that name to be "folder"$/],
  [{ folder: 'f', secret: 'abc' }, /^Cannot use option secret: found 3 characters, expected 64 hexadecimal digits$/],
  [
    { folder: 'f', listen: '/ip4/0.0.0.0/tcp/1' },
    /^Cannot use option listen: found "\/ip4\/0.0.0.0\/tcp\/1", expected a list of multiaddrs$/,
  ],
  [
    { folder: 'f', listen: [] },
    /^Cannot use option listen: found \[\], expected a list of multiaddrs with at least one$/,
  ],
  [
    { folder: 'f', listen: ['127.0.0.1:9096'] },
    /^Cannot use option listen\[0\]: found "127.0.0.1:9096", expected a multiaddr such as "\/ip4\/0.0.0.0\/tcp\/9096" \(.*must begin with \/\)$/,
  ],
  [
    { folder: 'f', bootstrap: ['/ip4/10.0.0.1/tcp/9096'] },
    /^Cannot use option bootstrap\[0\]: found "\/ip4\/10.0.0.1\/tcp\/9096", expected an address that ends with \/p2p\/<peer id>$/,
  ],
  [
    { folder: 'f', ipfs: 'kubo' },
    /^Cannot use option ipfs: found "kubo", expected an object with type: "embedded" or "kubo"$/,
  ],
  [
    { folder: 'f', ipfs: { type: 'kubu' } },
    /^Cannot use option ipfs.type: found "kubu", expected "embedded" or "kubo"$/,
  ],
  [
    { folder: 'f', ipfs: { type: 'kubo', rpcListen: 'x' } },
    /^Cannot use option ipfs.rpcListen: found "x", expected one of address, type$/,
  ],
  [{ folder: 'f', replication: { min: 2 } }, /^Cannot use option replication.max: found undefined, expected -1/],
  [
    { folder: 'f', replication: { min: 3, max: 2 } },
    /^Cannot use the options: cluster.replication_factor_min: found 3, expected at most replication_factor_max, which is 2$/,
  ],
  [{ folder: 'f', repinning: 'yes' }, /^Cannot use option repinning: found "yes", expected true or false$/],
  [{ folder: 'f', concurrentPins: 0 }, /^Cannot use option concurrentPins: found 0, expected a whole number above 0$/],
  [{ folder: 'f', tags: { group: 1 } }, /^Cannot use option tags.group: found 1, expected a text$/],
  [
    { folder: 'f', raft: { heartbeatTimeoutMs: 0 } },
    /^Cannot use option raft.heartbeatTimeoutMs: found 0, expected milliseconds, more than 0$/,
  ],
  [
    { folder: 'f', raft: { heartbeatTimeoutMs: 2000 } },
    /^Cannot use the options: consensus.raft.election_timeout: found "1s", expected at least heartbeat_timeout, which is "2s"$/,
  ],
  [
    { folder: 'f', http: { credentials: { user: 5 } } },
    /^Cannot use option http.credentials.user: found 5, expected a text$/,
  ],
  [{ folder: 'f', log: {} }, /^Cannot use option log: found \{\}, expected an object with the functions error, /],
];

for (const [given, line] of refused) {
  test(`options: ${JSON.stringify(given)} is refused with what was found and expected`, () => {
    assert.throws(
      // As from a program without types.
      () => checkOptions(given as never, 'host'),
      (error: { code: string; message: string }) => {
        assert.equal(error.code, 'embed/bad-option');
        assert.match(error.message, line);
        return !error.message.includes('\n');
      },
    );
  });
}
