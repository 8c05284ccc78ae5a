/** Faults on real processes: a minority, an absent IPFS node, ends by signal, a second daemon, wrong settings. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { pin, pinset, status, waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import { addText } from '../../src/cmd/service/demo/content.ts';
import { createIpfsNode } from '../../src/ipfs-node/index.ts';
import { createRpcServer } from '../../src/ipfs-node/rpc/index.ts';
import { serviceProgram, startPeers, type TestPeer } from '../support/peers.ts';

const limitMs = 60_000;
const someCid = 'bafkreigaknpexyvxt76zgkitavbwx6ejgfheup5oybpm77f3pxzrvwpfdi';

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** Runs a daemon that is expected to end by itself. */
async function runDaemon(peer: TestPeer): Promise<Ended> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [
      serviceProgram,
      '--config',
      peer.folder,
      'daemon',
    ]);
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

describe('the minority side', () => {
  it('refuses writes with a clear error in bounded time and goes on answering reads', async () => {
    const { peers, end } = await startPeers({
      change: (config) => ({ ...config, raft: config.raft && { ...config.raft, waitForLeaderTimeoutMs: 2_000 } }),
    });
    try {
      const [first, second, third] = peers;
      assert.ok(first && second && third);
      const cid = await addText(first.ipfsUrl, 'before');
      await pin(first.apiUrl, cid, 'before');
      await Promise.all([second.process.kill(), third.process.kill()]);
      await assert.rejects(pin(first.apiUrl, someCid, 'alone'), /leader|deadline|quorum/);
      assert.deepEqual(await pinset(first.apiUrl), [cid]);
      const response = await fetch(`${first.apiUrl}/id`);
      assert.equal(response.status, 200);
      await response.body?.cancel();
    } finally {
      await end();
    }
  });
});

describe('a peer without its IPFS node', () => {
  it('serves, says so in id and status, and pins by itself when the node comes', async () => {
    const { peers, end } = await startPeers({
      count: 1,
      change: (config) => ({ ...config, embedded: undefined }),
      isStarted: false,
    });
    const [peer] = peers;
    assert.ok(peer);
    try {
      await peer.process.start();
      const id = (await (await fetch(`${peer.apiUrl}/id`)).json()) as { ipfs: { error: string } };
      assert.match(id.ipfs.error, /ECONNREFUSED|connection refused/);

      const node = await createIpfsNode({
        folder: join(peer.folder, 'later'),
        rpcListen: peer.ipfsAddress,
        swarmListen: ['/ip4/127.0.0.1/tcp/0'],
        createRpc: createRpcServer,
      });
      await node.start();
      const cid = await addText(peer.ipfsUrl, 'content').finally(() => node.stop());
      await pin(peer.apiUrl, cid, 'later');
      const [state] = await status(peer.apiUrl, cid);
      assert.ok(state !== undefined && state.status !== 'pinned', `status is ${state?.status}`);

      const again = await createIpfsNode({
        folder: join(peer.folder, 'later'),
        rpcListen: peer.ipfsAddress,
        swarmListen: ['/ip4/127.0.0.1/tcp/0'],
        createRpc: createRpcServer,
      });
      await again.start();
      try {
        await waitFor(
          () => status(peer.apiUrl, cid),
          ([found]) => found?.status === 'pinned',
          JSON.stringify,
          limitMs,
        );
      } finally {
        await again.stop();
      }
    } finally {
      await end();
    }
  });
});

describe('one clear line for', () => {
  it('a second daemon on the same folder', async () => {
    const { peers, end } = await startPeers({ count: 1 });
    try {
      const [peer] = peers;
      assert.ok(peer);
      const { code, output } = await runDaemon(peer);
      assert.equal(code, 1);
      assert.match(output, /another|lock/i);
      assert.equal((await fetch(`${peer.apiUrl}/version`)).status, 200);
    } finally {
      await end();
    }
  });

  it('a port in use', async () => {
    const { peers, end } = await startPeers({ count: 1, isStarted: false });
    const [peer] = peers;
    assert.ok(peer);
    const blocker = createServer();
    blocker.listen(Number(new URL(peer.apiUrl).port), '127.0.0.1');
    await once(blocker, 'listening');
    try {
      const { code, output } = await runDaemon(peer);
      assert.equal(code, 1);
      assert.match(output, /in use/);
    } finally {
      blocker.close();
      await end();
    }
  });
});
