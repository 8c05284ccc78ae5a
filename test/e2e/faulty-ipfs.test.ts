/** A real peer whose IPFS node hangs, is full, talks nonsense and is killed: other pins go on, causes are shown, it recovers by itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from '../../src/client/index.ts';
import { waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import type { Cid, OperationInfo, TrackerStatus } from '../../src/model/index.ts';
import { collect } from '../support/collect.ts';
import { type Fault, IpfsStandIn } from '../support/ipfs-stand-in.ts';
import { startPeers } from '../support/peers.ts';
import { cidNumber } from '../support/pins.ts';

const limitMs = 60_000;
const names = ['hangs', 'full', 'nonsense', 'cut', 'good', 'late'] as const;
type Name = (typeof names)[number];
const cidOf = (name: Name): Cid => cidNumber(names.indexOf(name));
const nameOf = (cid: Cid | null): Name | undefined => names.find((name) => cid?.equals(cidOf(name)) === true);

const faultOf: Partial<Record<Name, Fault>> = {
  hangs: () => true,
  full: (_, response) => {
    response.statusCode = 500;
    response.end('{"Message":"write /repo: no space left on device","Code":0,"Type":"error"}');
    return true;
  },
  nonsense: (_, response) => {
    response.end('<html>not what you think</html>');
    return true;
  },
  cut: (_, response) => {
    response.write('{"Progress":1}\n{"Prog');
    response.end();
    return true;
  },
};

test('a peer whose IPFS node hangs, is full, talks nonsense and is killed', async (t) => {
  const ipfs = new IpfsStandIn();
  await ipfs.start();
  t.after(() => ipfs.stop());
  ipfs.fault = (request, response) => {
    if (request.path !== 'pin/add') return false;
    const name = names.find((candidate) => cidOf(candidate).toString() === request.query.get('arg'));
    return (name !== undefined && faultOf[name]?.(request, response)) ?? false;
  };
  const { peers, end } = await startPeers({
    count: 1,
    change: (config) => ({
      ...config,
      embedded: undefined,
      ipfshttp: { ...config.ipfshttp, nodeMultiaddress: ipfs.multiaddress, pinTimeoutMs: 500 },
      stateless: { ...config.stateless, concurrentPins: 2 },
    }),
  });
  try {
    const client = createClient({ url: peers[0]?.apiUrl ?? '' });
    const operations = async (): Promise<Map<Name | undefined, OperationInfo>> =>
      new Map((await collect(client.operations())).map((operation) => [nameOf(operation.cid), operation]));
    const statuses = async (): Promise<Record<string, TrackerStatus | undefined>> => {
      const infos = await collect(client.statusAll());
      return Object.fromEntries(infos.map(({ cid, peerMap }) => [nameOf(cid), Object.values(peerMap)[0]?.status]));
    };
    const describeStatuses = (found: object): string => JSON.stringify(found);

    for (const name of ['hangs', 'full', 'nonsense', 'cut', 'good'] as const) await client.pin(cidOf(name), { name });
    await waitFor(statuses, ({ good }) => good === 'pinned', describeStatuses, limitMs);
    // Each has been tried, some again meanwhile: the cause of the last failure stays with it.
    const causes = async (): Promise<Record<string, string>> =>
      Object.fromEntries([...(await operations())].map(([name, { cause }]) => [name, cause]));
    const expected = { hangs: 'no_progress', full: 'full', nonsense: 'bad_answer', cut: 'bad_answer' };
    await waitFor(
      causes,
      (found) => Object.entries(expected).every(([name, cause]) => found[name] === cause),
      JSON.stringify,
      limitMs,
    );
    const full = (await operations()).get('full');
    assert.ok(full !== undefined && full.attempts >= 1 && full.since !== null, JSON.stringify(full));
    const [shown] = Object.values((await client.status(cidOf('full'))).peerMap);
    assert.match(shown?.error ?? '', /no space left on device/);

    await ipfs.stop();
    await client.pin(cidOf('late'), { name: 'late' });
    await waitFor(causes, ({ late }) => late === 'unreachable', JSON.stringify, limitMs);
    assert.notEqual((await statuses()).good, 'pinned', 'nobody can tell now');

    for (const name of names) delete faultOf[name];
    await ipfs.start();
    await waitFor(statuses, (found) => names.every((name) => found[name] === 'pinned'), describeStatuses, limitMs);
    assert.equal((await operations()).size, 0);
    assert.equal(ipfs.pins.size, names.length);
  } finally {
    await end();
  }
});
