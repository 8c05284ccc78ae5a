/** Unfinished work of a cluster that has a Go peer: it cannot tell, is shown as that, and holds up nobody. Needs `GO_CLUSTER_BIN`. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createClient } from '../../src/client/index.ts';
import { waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import { collect } from '../support/collect.ts';
import { IpfsStandIn } from '../support/ipfs-stand-in.ts';
import { createMembers, goPrograms } from '../support/members.ts';
import { cidNumber } from '../support/pins.ts';

const skip = goPrograms === undefined ? 'GO_CLUSTER_BIN is not set: operations of Go peers are NOT tested' : false;
if (skip !== false) console.warn(skip);
const limitMs = 40_000;

test('operations: ours tells, the Go peer is a row that says that it cannot', { skip }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'operations-go-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const ipfs = new IpfsStandIn();
  await ipfs.start();
  t.after(() => ipfs.stop());
  ipfs.fault = ({ path }, response) => {
    if (path !== 'pin/add') return false;
    response.statusCode = 500;
    response.end('{"Message":"no space left on device","Code":0,"Type":"error"}');
    return true;
  };
  const plan = { ipfsAddress: ipfs.multiaddress, raft: {} };
  const [ours, go] = await createMembers(folder, [
    { ...plan, kind: 'ours', isJoining: false },
    { ...plan, kind: 'go', isJoining: true },
  ]);
  assert.ok(ours && go);
  t.after(() => Promise.all([ours.kill(), go.kill()]));
  await ours.start();
  await go.start({ bootstrap: ours.address });
  const client = createClient({ url: ours.apiUrl });
  const peersOf = async (): Promise<number> => (await collect(client.peers())).length;
  await waitFor(peersOf, (count) => count === 2, String, limitMs);
  await client.pin(cidNumber(1), { replicationFactorMin: -1, replicationFactorMax: -1 });
  const rows = await waitFor(
    () => collect(client.operations()),
    (found) => found.some(({ cause }) => cause === 'full'),
    JSON.stringify,
    limitMs,
  );
  assert.ok(rows.length >= 2);
  const cannot = rows.filter(({ cause }) => cause === 'cluster_error');
  assert.equal(cannot.length, 1, JSON.stringify(rows));
  assert.match(cannot[0]?.error ?? '', /^the peer cannot tell: .*a Go peer does not/);
});
