import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { collect } from '../../../test/support/collect.ts';
import { IpfsStandIn } from '../../../test/support/ipfs-stand-in.ts';
import { cidNumber, pinOf } from '../../../test/support/pins.ts';
import { systemClock } from '../../../test/support/system-clock.ts';
import { silentLogger } from '../../base/index.ts';
import type { IpfsConnector } from '../../cluster/ports.ts';
import { createIpfsConnector } from './connector.ts';

async function connected(t: TestContext, onWork: () => void): Promise<{ ipfs: IpfsStandIn; connector: IpfsConnector }> {
  const ipfs = new IpfsStandIn();
  await ipfs.start();
  const options = {
    nodeMultiaddress: ipfs.multiaddress,
    ipfsRequestTimeoutMs: 5000,
    pinTimeoutMs: 5000,
    unpinTimeoutMs: 5000,
    repoGcTimeoutMs: 5000,
    unpinDisable: false,
    concurrentPins: 2,
  };
  const connector = createIpfsConnector(options, { clock: systemClock, logger: silentLogger, onWork });
  t.after(async () => {
    await connector.stop();
    await ipfs.stop();
  });
  await connector.start();
  return { ipfs, connector };
}

test('IpfsConnector repoStat takes sizes, and nothing that only looks like one (R22)', async (t) => {
  const { ipfs, connector } = await connected(t, () => {});
  let body = '';
  ipfs.fault = ({ path }, response) => {
    if (path === 'repo/stat') response.end(body);
    return path === 'repo/stat';
  };
  body = '{"RepoSize":300,"StorageMax":18446744073709551615}';
  assert.deepEqual(await connector.repoStat(), { repoSize: 300, storageMax: Number.MAX_SAFE_INTEGER });
  const odd = ['-1', '0.5', '"300"', 'null', '[]', 'true', '1e400', ''];
  for (const value of odd) {
    body = `{"StorageMax":1000${value === '' ? '' : `,"RepoSize":${value}`}}`;
    await assert.rejects(connector.repoStat(), { code: 'ipfs/bad-answer', message: /RepoSize is not a size/ }, value);
  }
  body = '{"RepoSize":NaN,"StorageMax":1000}';
  await assert.rejects(connector.repoStat(), { code: 'ipfs/bad-answer' });
});

test('IpfsConnector tells of each beginning and end of a pin and each end of a collection, also of one that fails', async (t) => {
  let worked = 0;
  const { ipfs, connector } = await connected(t, () => {
    worked += 1;
  });
  const { signal } = new AbortController();
  await connector.pin(pinOf(cidNumber(1)), { signal });
  assert.equal(worked, 2);
  await connector.unpin(cidNumber(1), { signal });
  assert.equal(worked, 2);
  await collect(connector.repoGc());
  assert.equal(worked, 3);
  ipfs.fault = (_, response) => {
    response.statusCode = 500;
    response.end('{"Message":"no","Code":0,"Type":"error"}');
    return true;
  };
  await assert.rejects(connector.pin(pinOf(cidNumber(2)), { signal }));
  assert.equal(worked, 5);
});
