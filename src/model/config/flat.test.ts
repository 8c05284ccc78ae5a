import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isFlatService, readFlatService } from './flat.ts';

const file = new URL('../../../test/vectors/config/service.seed-2017.json', import.meta.url);
const flat = JSON.parse(readFileSync(file, 'utf8'));
const noWarning = (message: string): void => assert.fail(message);

test('isFlatService tells the file of 2017 from those with sections', () => {
  assert.equal(isFlatService(flat), true);
  assert.equal(isFlatService({ cluster: {} }), false);
  assert.equal(isFlatService([]), false);
});

test('readFlatService brings the file of 2017 into the form of today', () => {
  const { config, peerAddresses } = readFlatService(flat, 'myhost', noWarning);
  assert.equal(config.cluster.id, flat.id);
  assert.equal(config.cluster.peername, 'myhost');
  assert.equal(config.cluster.secret, '');
  assert.deepEqual(config.cluster.listenMultiaddress, ['/ip4/0.0.0.0/tcp/9096']);
  assert.deepEqual(config.restapi?.httpListenMultiaddress, ['/ip4/127.0.0.1/tcp/9094']);
  assert.deepEqual(config.ipfsproxy?.listenMultiaddress, ['/ip4/127.0.0.1/tcp/9095']);
  assert.equal(config.ipfsproxy?.nodeMultiaddress, '/ip4/127.0.0.1/tcp/5001');
  assert.equal(config.ipfshttp.nodeMultiaddress, '/ip4/127.0.0.1/tcp/5001');
  assert.equal(config.raft?.snapshotIntervalMs, 120_000);
  assert.equal(config.raft?.dataFolder, '');
  assert.deepEqual(peerAddresses, []);
});

test('readFlatService knows the other members from cluster_peers', () => {
  const other = '12D3KooWBCJm4uy27rCNUQPwtsC3Wtc3M9YTP4i9c7fLFfC3ZYWT';
  const cluster_peers = [`/ip4/127.0.0.1/tcp/9096/ipfs/${other}`, `/ip4/127.0.0.1/tcp/9097/ipfs/${flat.id}`];
  const { config, peerAddresses } = readFlatService({ ...flat, cluster_peers }, 'myhost', noWarning);
  assert.deepEqual(peerAddresses, [`/ip4/127.0.0.1/tcp/9096/p2p/${other}`]);
  assert.deepEqual(config.raft?.initPeerset, [other]);
});

test('readFlatService names the flat key of a wrong value', () => {
  assert.throws(() => readFlatService({ ...flat, cluster_multiaddress: 'x' }, 'h', noWarning), {
    message: 'cluster_multiaddress: found "x", expected a multiaddress such as "/ip4/127.0.0.1/tcp/5001"',
  });
  assert.throws(() => readFlatService({ ...flat, raft_config: { snapshot_interval_seconds: 'x' } }, 'h', noWarning), {
    message: 'raft_config.snapshot_interval_seconds: found "x", expected an integer',
  });
  assert.throws(() => readFlatService({ ...flat, cluster_peers: ['/ip4/1.2.3.4/tcp/1'] }, 'h', noWarning), {
    code: 'config/bad-value',
  });
});
