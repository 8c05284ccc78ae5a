/** Kubo's own client for pinning services, `ipfs pin remote`, against ours. Kubo is the program that `KUBO_BIN` names. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { freePorts } from '../../src/cmd/service/demo/ports.ts';
import { type KuboDaemon, startKubo } from '../support/kubo.ts';
import { type PinningPeers, startPinningPeers } from '../support/pinsvc.ts';

const program = process.env.KUBO_BIN ?? '';
const skip = program === '' ? 'KUBO_BIN is not set: NOT TESTED with the client of a real Kubo' : false;
if (skip !== false) console.error(`pinning service with Kubo: ${skip}`);

const run = promisify(execFile);

describe('ipfs pin remote', { skip }, () => {
  let folder: string;
  let kubo: KuboDaemon;
  let peers: PinningPeers;
  const ipfs = async (...args: string[]): Promise<string> =>
    (await run(program, args, { env: { ...process.env, IPFS_PATH: join(folder, 'kubo') } })).stdout.trim();
  const remote = (verb: string, ...args: string[]): Promise<string> =>
    ipfs('pin', 'remote', verb, '--service=ours', ...args);
  const add = async (name: string): Promise<string> => {
    const file = join(folder, name);
    await writeFile(file, `the content of ${name}`);
    return await ipfs('add', '--quiet', '--cid-version=1', file);
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-pinsvc-'));
    const [rpcPort = 0] = await freePorts(1);
    [kubo, peers] = await Promise.all([
      startKubo(program, join(folder, 'kubo'), rpcPort),
      startPinningPeers({ count: 2, pinsvcapi: { basicAuthCredentials: { alice: 'secret1' } } }),
    ]);
    const response = await fetch(`${peers.services[0]}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('alice:secret1').toString('base64')}` },
    });
    const { token } = (await response.json()) as { token: string };
    await ipfs('pin', 'remote', 'service', 'add', 'ours', peers.services[0] ?? '', token);
    // As a node that is found in the public network would be.
    for (const { ipfsUrl } of peers.peers) {
      const id = (await (await fetch(`${ipfsUrl}/api/v0/id`, { method: 'POST' })).json()) as { Addresses: string[] };
      await ipfs('swarm', 'connect', id.Addresses.find((address) => address.includes('/tcp/')) ?? '');
    }
  });
  after(async () => {
    await Promise.all([kubo?.stop(), peers?.end()]);
    await rm(folder, { recursive: true, force: true });
  });

  it('service ls --stat counts pins by state', async () => {
    const services = JSON.parse(await ipfs('pin', 'remote', 'service', 'ls', '--stat', '--enc=json')) as {
      RemoteServices: { Service: string; Stat: { Status: string; PinCount: object } }[];
    };
    const [{ Service, Stat } = { Service: '', Stat: undefined }] = services.RemoteServices;
    assert.equal(Service, 'ours');
    assert.deepEqual(Stat, { Status: 'valid', PinCount: { Queued: 0, Pinning: 0, Pinned: 0, Failed: 0 } });
  });

  it('add waits until the content is pinned, ls lists it', async () => {
    const cid = await add('one');
    const added = await remote('add', '--name=first', cid);
    assert.match(added, new RegExp(`CID:\\s+${cid}`));
    assert.match(added, /Name:\s+first/);
    assert.match(added, /Status:\s+pinned/);
    assert.equal(await remote('ls'), `${cid}\tpinned\tfirst`);
    assert.equal(await remote('ls', '--name=first', '--enc=json'), `{"Status":"pinned","Cid":"${cid}","Name":"first"}`);
    assert.equal(await remote('ls', `--cid=${cid}`, '--status=queued,pinning,pinned,failed'), `${cid}\tpinned\tfirst`);
    assert.equal(await remote('ls', '--name=other'), '');
  });

  it('ls goes over all pages', async () => {
    const cids = await Promise.all(Array.from({ length: 25 }, (_, i) => add(`page ${i}`)));
    for (const cid of cids) await remote('add', '--background', '--name=page', cid);
    const all = '--status=queued,pinning,pinned,failed';
    const lines = (await remote('ls', '--name=page', all)).split('\n');
    assert.deepEqual(lines.map((line) => line.split('\t')[0]).sort(), [...cids].sort());
  });

  it('rm removes by name and by CID', async () => {
    const cid = await add('two');
    await remote('add', '--name=second', cid);
    await remote('rm', '--name=second');
    assert.equal(await remote('ls', `--cid=${cid}`, '--status=queued,pinning,pinned,failed'), '');
    await remote('rm', '--name=page', '--status=queued,pinning,pinned,failed', '--force');
    assert.match(await remote('ls'), /^\S+\tpinned\tfirst$/);
  });

  it('a wrong token is told', async () => {
    await ipfs('pin', 'remote', 'service', 'add', 'theirs', peers.services[1] ?? '', 'wrong');
    await assert.rejects(ipfs('pin', 'remote', 'ls', '--service=theirs'), /UNAUTHORIZED.*invalid token/s);
  });
});
