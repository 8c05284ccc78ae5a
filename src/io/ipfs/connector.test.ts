import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { collect } from '../../../test/support/collect.ts';
import { IpfsStandIn } from '../../../test/support/ipfs-stand-in.ts';
import { cidNumber, pinOf } from '../../../test/support/pins.ts';
import { systemClock } from '../../../test/support/system-clock.ts';
import { type Logger, silentLogger } from '../../base/index.ts';
import type { IpfsConnector } from '../../cluster/ports.ts';
import { createIpfsConnector, type IpfsConnectorOptions } from './connector.ts';

const signal = new AbortController().signal;

async function connected(t: TestContext, more: Partial<IpfsConnectorOptions> = {}, logger: Logger = silentLogger) {
  const ipfs = new IpfsStandIn();
  await ipfs.start();
  const connector = connectorTo(t, { nodeMultiaddress: ipfs.multiaddress, ...more }, logger);
  t.after(() => ipfs.stop());
  await connector.start();
  return { ipfs, connector };
}

function connectorTo(
  t: TestContext,
  more: Partial<IpfsConnectorOptions> & Pick<IpfsConnectorOptions, 'nodeMultiaddress'>,
  logger: Logger = silentLogger,
): IpfsConnector {
  const options = {
    ipfsRequestTimeoutMs: 5000,
    pinTimeoutMs: 5000,
    unpinTimeoutMs: 5000,
    repoGcTimeoutMs: 5000,
    unpinDisable: false,
    concurrentPins: 2,
    ...more,
  };
  const connector = createIpfsConnector(options, { clock: systemClock, logger });
  t.after(() => connector.stop());
  return connector;
}

const up = (connector: IpfsConnector): Promise<void> => new Promise((resolve) => connector.onUp(resolve));

test('IpfsConnector pins, lists both kinds, and takes "not pinned" of an unpin as success', async (t) => {
  const { ipfs, connector } = await connected(t);
  const [a, b] = [cidNumber(1), cidNumber(2)];
  await connector.pin(pinOf(a), { signal });
  await connector.pin(pinOf(b, { maxDepth: 0, mode: 'direct' }), { signal });
  const listed = (await collect(connector.pinLs(['recursive', 'direct']))).flat();
  assert.deepEqual(
    listed.map((info) => [info.cid.toString(), info.status]),
    [
      [a.toString(), 'recursive'],
      [b.toString(), 'direct'],
    ],
  );
  assert.equal(await connector.pinLsCid(pinOf(a)), 'recursive');
  assert.equal(await connector.pinLsCid(pinOf(b, { maxDepth: 0 })), 'direct');
  assert.equal(await connector.pinLsCid(pinOf(b)), 'unpinned', 'a direct pin is less than a recursive one');
  await connector.unpin(a, { signal });
  await connector.unpin(a, { signal });
  assert.deepEqual([...ipfs.pins.keys()], [b.toString()]);
});

test('IpfsConnector asks nothing before it pins data recursively', async (t) => {
  const { ipfs, connector } = await connected(t);
  await connector.pin(pinOf(cidNumber(1)), { signal });
  assert.deepEqual(ipfs.asked, ['id', 'pin/add']);
});

test('IpfsConnector does not pin directly what is held recursively', async (t) => {
  const { ipfs, connector } = await connected(t);
  ipfs.pins.set(cidNumber(1).toString(), 'recursive');
  await connector.pin(pinOf(cidNumber(1), { maxDepth: 0, mode: 'direct' }), { signal });
  assert.equal(ipfs.asked.includes('pin/add'), false);
});

test('IpfsConnector updates a pin when the old one is here, else pins as usual', async (t) => {
  const { ipfs, connector } = await connected(t);
  const [from, to] = [cidNumber(1), cidNumber(2)];
  await connector.pin(pinOf(to, { pinUpdate: from }), { signal });
  assert.equal(ipfs.asked.at(-1), 'pin/add');
  ipfs.pins.set(from.toString(), 'recursive');
  await connector.pin(pinOf(cidNumber(3), { pinUpdate: from }), { signal });
  assert.equal(ipfs.asked.at(-1), 'pin/update');
});

test('IpfsConnector pins as usual what the node does not want to update', async (t) => {
  const { ipfs, connector } = await connected(t);
  const [from, to] = [cidNumber(1), cidNumber(2)];
  ipfs.pins.set(from.toString(), 'recursive');
  ipfs.fault = ({ path }, response) => {
    if (path !== 'pin/update') return false;
    response.statusCode = 500;
    response.end('{"Message":"pin update: not today","Code":0,"Type":"error"}');
    return true;
  };
  await connector.pin(pinOf(to, { pinUpdate: from }), { signal });
  assert.deepEqual(ipfs.asked, ['id', 'pin/ls', 'pin/update', 'pin/add']);
  assert.equal(ipfs.pins.get(to.toString()), 'recursive');
});

test('IpfsConnector takes an answer that tells of fewer pins than were asked for as a failure', async (t) => {
  const { ipfs, connector } = await connected(t);
  const cids = [1, 2, 3].map(cidNumber);
  await connector.pinAll(cids, { signal, timeoutMs: 10_000 });
  assert.deepEqual(ipfs.asked, ['id', 'pin/add']);
  assert.equal(ipfs.pins.size, 3);
  ipfs.fault = ({ path, query }, response) => {
    if (path !== 'pin/add') return false;
    response.end(`{"Pins":["${query.get('arg')}"]}\n`);
    return true;
  };
  const path = `pin/add?arg=${cids.join('&arg=')}&recursive=true`;
  const message = `Cannot read the answer of IPFS to "${path}": 1 pins, expected 3`;
  await assert.rejects(connector.pinAll(cids, { signal, timeoutMs: 10_000 }), { code: 'ipfs/bad-answer', message });
});

const wrongAnswers: readonly (readonly [name: string, code: string, answer: (response: ServerResponse) => void])[] = [
  ['nothing at all', 'ipfs/timeout', () => {}],
  ['the end of the connection', 'ipfs/unreachable', (response) => response.destroy()],
  [
    'a part',
    'ipfs/unreachable',
    (response) => {
      response.write('{"Pins":["');
      setImmediate(() => response.destroy());
    },
  ],
  ...['', 'yes', '[]', '{"Pins":7}', '{"Pins":[]}', '{"Pins":["a","b","c"]}'].map(
    (text) => [`'${text}'`, 'ipfs/bad-answer', (response: ServerResponse) => void response.end(text)] as const,
  ),
];
for (const [name, code, answer] of wrongAnswers) {
  test(`IpfsConnector: a request of several pins that is answered with ${name} fails whole, as ${code}`, async (t) => {
    const { ipfs, connector } = await connected(t);
    let count = 0;
    ipfs.fault = ({ path }, response) => {
      if (path !== 'pin/add') return false;
      count += 1;
      answer(response);
      return true;
    };
    const timeoutMs = code === 'ipfs/timeout' ? 40 : 10_000;
    await assert.rejects(connector.pinAll([1, 2].map(cidNumber), { signal, timeoutMs }), { code });
    assert.ok(count > 0, 'it was asked');
  });
}

test('IpfsConnector: a request of several pins ends with its signal', async (t) => {
  const { ipfs, connector } = await connected(t);
  const aborter = new AbortController();
  ipfs.fault = ({ path }) => {
    if (path === 'pin/add') aborter.abort();
    return path === 'pin/add';
  };
  await assert.rejects(connector.pinAll([1, 2].map(cidNumber), { signal: aborter.signal, timeoutMs: 10_000 }));
  assert.equal(aborter.signal.aborted, true);
});

test('IpfsConnector ends a pin that repeats the same progress, and says so', async (t) => {
  const { ipfs, connector } = await connected(t, { pinTimeoutMs: 60 });
  const talkers: NodeJS.Timeout[] = [];
  t.after(() => talkers.forEach(clearInterval));
  ipfs.fault = ({ path }, response) => {
    if (path !== 'pin/add') return false;
    talkers.push(setInterval(() => response.write('{"Progress":7}\n'), 5));
    return true;
  };
  const cid = cidNumber(1);
  await assert.rejects(connector.pin(pinOf(cid), { signal }), {
    code: 'ipfs/stalled',
    message: `Pin of "${cid}" stalled: no new block in 60ms, 7 fetched so far`,
  });
});

test('IpfsConnector lets a pin with progress go on beyond its stall limit', async (t) => {
  const { ipfs, connector } = await connected(t, { pinTimeoutMs: 1000 });
  ipfs.fault = ({ path }, response) => {
    if (path !== 'pin/add') return false;
    let blocks = 0;
    const talker = setInterval(() => {
      blocks += 1;
      response.write(`{"Progress":${blocks}}\n`);
      if (blocks < 16) return;
      clearInterval(talker);
      response.end('{"Pins":[]}\n');
    }, 100);
    return true;
  };
  await connector.pin(pinOf(cidNumber(1)), { signal });
});

test('IpfsConnector ends a pin when told', async (t) => {
  const { ipfs, connector } = await connected(t);
  const abort = new AbortController();
  ipfs.fault = ({ path }) => {
    if (path === 'pin/add') abort.abort();
    return path === 'pin/add';
  };
  await assert.rejects(connector.pin(pinOf(cidNumber(1)), { signal: abort.signal }), { code: 'ipfs/aborted' });
});

test('IpfsConnector error texts are the reference ones', async (t) => {
  const { ipfs, connector } = await connected(t);
  ipfs.fault = ({ path }, response) => {
    if (path !== 'pin/add') return false;
    response.statusCode = 500;
    response.end('{"Message":"merkledag: not found","Code":0,"Type":"error"}');
    return true;
  };
  const cid = cidNumber(1);
  await assert.rejects(connector.pin(pinOf(cid), { signal }), {
    code: 'ipfs/refused',
    message: `IPFS error (pin/add?arg=${cid}&recursive=true&progress=true). Code: 500. Message: merkledag: not found`,
  });
  ipfs.fault = (_, response) => {
    response.statusCode = 404;
    response.end('nothing here');
    return true;
  };
  await assert.rejects(connector.id(), {
    message: 'IPFS request failed (is it running?) (id). Code 404: nothing here',
  });
});

test('IpfsConnector takes an error in the middle of a pin, a trailer and a cut stream as failures', async (t) => {
  const { ipfs, connector } = await connected(t);
  ipfs.fault = ({ path }, response) => {
    if (path !== 'pin/ls') return false;
    response.writeHead(200, { Trailer: 'X-Stream-Error' });
    response.write(`{"Cid":"${cidNumber(1)}","Type":"recursive"}\n`);
    response.addTrailers({ 'X-Stream-Error': 'datastore closed' });
    response.end();
    return true;
  };
  await assert.rejects(collect(connector.pinLs(['recursive'])), /datastore closed/);
  ipfs.fault = ({ path }, response) => {
    if (path !== 'pin/ls') return false;
    response.write(`{"Cid":"${cidNumber(1)}","Type":"recursive"}\n`, () => response.destroy());
    return true;
  };
  await assert.rejects(collect(connector.pinLs(['recursive'])), { code: 'ipfs/unreachable' });
});

test('IpfsConnector refuses unpins when configured so', async (t) => {
  const { connector } = await connected(t, { unpinDisable: true });
  await assert.rejects(connector.unpin(cidNumber(1), { signal }), {
    message: 'ipfs unpinning is disallowed by configuration on this peer',
  });
});

test('IpfsConnector without IPFS: says once what to do, fails at once, and resumes by itself', async (t) => {
  const lines: string[] = [];
  const note = (message: string): void => void lines.push(message);
  const logger: Logger = { ...silentLogger, warn: note, error: note, info: note };
  const { ipfs, connector } = await connected(t, {}, logger);
  await ipfs.stop();
  assert.equal(connector.isUp(), true);
  await assert.rejects(connector.id(), { code: 'ipfs/unreachable' });
  assert.equal(connector.isUp(), false);
  assert.equal(lines.length, 1);

  const fresh = connectorTo(t, { nodeMultiaddress: ipfs.multiaddress }, logger);
  await fresh.start();
  assert.equal(fresh.isUp(), false);
  await assert.rejects(
    fresh.id(),
    /^OperatingError: Post "http:\/\/127\.0\.0\.1:\d+\/api\/v0\/id": connect ECONNREFUSED/,
  );
  assert.equal(lines.length, 2);
  assert.match(lines[1] ?? '', /No IPFS node answers at \/ip4\/127.*start IPFS there, or use .*init --embedded-ipfs/);

  let ups = 0;
  connector.onUp(() => {
    ups += 1;
  });
  const both = Promise.all([up(connector), up(fresh)]);
  await ipfs.start();
  await both;
  assert.equal(ups, 1);
  assert.equal((await fresh.id()).id.length > 0, true);
});

test('IpfsConnector fails at once while it asks a node that accepts and says nothing', async (t) => {
  const { ipfs, connector } = await connected(t);
  await ipfs.stop();
  await assert.rejects(connector.id(), { code: 'ipfs/unreachable' });
  const asked = new Promise<void>((resolve) => {
    ipfs.fault = ({ path }) => {
      if (path === 'id') resolve();
      return true;
    };
  });
  await ipfs.start();
  await asked;
  await assert.rejects(connector.repoStat(), { code: 'ipfs/unreachable' });
  assert.equal(ipfs.asked.includes('repo/stat'), false);
});

test('IpfsConnector speaks over a unix socket', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ipfs-connector-'));
  t.after(() => rm(folder, { recursive: true }));
  const ipfs = new IpfsStandIn();
  await ipfs.start(join(folder, 'api.sock'));
  t.after(() => ipfs.stop());
  const connector = connectorTo(t, { nodeMultiaddress: `/unix${join(folder, 'api.sock')}` });
  await connector.start();
  assert.equal(connector.isUp(), true);
});

test('IpfsConnector refuses addresses that are no Kubo RPC', (t) => {
  for (const nodeMultiaddress of ['127.0.0.1:5001', '/ip4/127.0.0.1/udp/5001', '/unix', '/ip4/127.0.0.1']) {
    assert.throws(() => connectorTo(t, { nodeMultiaddress }), { code: 'ipfs/bad-address' });
  }
});

test('IpfsConnector reads the small answers', async (t) => {
  const { connector } = await connected(t);
  const { id, addresses } = await connector.id();
  assert.deepEqual([id.slice(0, 4), addresses], ['12D3', ['/ip4/127.0.0.1/tcp/4001']]);
  assert.deepEqual(await connector.repoStat(), { repoSize: 300, storageMax: 1000 });
  assert.equal(await connector.configKey('Datastore/Spec/type'), 'mount');
  await assert.rejects(connector.configKey('Datastore/None'), { message: 'key not found in configuration' });
  await assert.rejects(connector.configKey('/'), { message: 'invalid path' });
  assert.equal((await connector.swarmPeers()).length, 1);
  assert.deepEqual([...(await connector.blockGet(cidNumber(1)))], [1, 2, 3]);
  const removed = await collect(connector.repoGc());
  assert.deepEqual(
    removed.map((r) => [r.key?.toString().slice(0, 4), r.error]),
    [
      ['bafk', ''],
      [undefined, 'could not remove'],
    ],
  );
});

test('IpfsConnector resolves paths, plain CIDs without asking', async (t) => {
  const { ipfs, connector } = await connected(t);
  const cid = cidNumber(1);
  for (const path of [`/ipfs/${cid}`, `${cid}`, `/ipfs/${cid}/`])
    assert.ok((await connector.resolve(path)).equals(cid));
  assert.equal(ipfs.asked.includes('resolve'), false);
  assert.equal((await connector.resolve(`/ipfs/${cid}/a/b c`)).toString().slice(0, 8), 'bafkreig');
  await assert.rejects(connector.resolve('/ipfs'), /invalid path "\/ipfs": path does not have enough components/);
});
