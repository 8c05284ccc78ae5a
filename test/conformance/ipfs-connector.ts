/** The port `IpfsConnector` over a running node: Kubo, the embedded node, whatever speaks the Kubo RPC. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { silentLogger } from '../../src/base/index.ts';
import type { IpfsConnector } from '../../src/cluster/ports.ts';
import { createIpfsConnector } from '../../src/io/ipfs/index.ts';
import { Cid } from '../../src/model/index.ts';
import { collect } from '../support/collect.ts';
import { cidNumber, pinOf } from '../support/pins.ts';
import { systemClock } from '../support/system-clock.ts';
import { send } from './kubo-rpc/client.ts';
import type { RpcTargetFactory } from './kubo-rpc.ts';

const signal = new AbortController().signal;

/** Runs the suite against what the factory starts. */
export function ipfsConnectorSuite(name: string, factory: RpcTargetFactory): void {
  describe(`IpfsConnector to ${name}`, () => {
    let connector: IpfsConnector;
    let end = async (): Promise<void> => {};
    let url = '';
    /** A small file in the node, not pinned. */
    const added = async (text: string): Promise<Cid> => {
      const parts = [{ path: 'file', content: text }];
      const answer = await send(url, 'add?pin=false&cid-version=1&raw-leaves=true', { parts });
      return Cid.parse((answer.json() as { Hash: string }).Hash);
    };

    before(async () => {
      const target = await factory();
      url = target.url;
      const { hostname, port } = new URL(url);
      connector = createIpfsConnector(
        {
          nodeMultiaddress: `/ip4/${hostname}/tcp/${port}`,
          ipfsRequestTimeoutMs: 10_000,
          pinTimeoutMs: 1000,
          unpinTimeoutMs: 10_000,
          repoGcTimeoutMs: 10_000,
          unpinDisable: false,
          concurrentPins: 3,
        },
        { clock: systemClock, logger: silentLogger },
      );
      await connector.start();
      end = async () => {
        await connector.stop();
        await target.stop();
      };
    });
    after(() => end());

    it('is up and knows the node', async () => {
      assert.equal(connector.isUp(), true);
      const { id, addresses } = await connector.id();
      assert.match(id, /^(12D3|Qm)/);
      assert.ok((addresses ?? []).every((address) => address.endsWith(`/p2p/${id}`)));
      assert.ok((await connector.repoStat()).storageMax > 0);
      assert.deepEqual(await connector.swarmPeers(), []);
    });

    it('pins recursively, again without harm, lists and unpins, also what is not pinned', async () => {
      const cid = await added('one');
      assert.equal(await connector.pinLsCid(pinOf(cid)), 'unpinned');
      await connector.pin(pinOf(cid), { signal });
      await connector.pin(pinOf(cid), { signal });
      assert.equal(await connector.pinLsCid(pinOf(cid)), 'recursive');
      const listed = (await collect(connector.pinLs(['recursive', 'direct']))).flat();
      assert.deepEqual(
        listed.filter((info) => info.cid.equals(cid)).map((info) => info.status),
        ['recursive'],
      );
      await connector.unpin(cid, { signal });
      await connector.unpin(cid, { signal });
      assert.equal(await connector.pinLsCid(pinOf(cid)), 'unpinned');
    });

    it('pins several by one request, some of them pinned before', async () => {
      const cids = await Promise.all(['a', 'b', 'c'].map((text) => added(`several ${text}`)));
      await connector.pinAll(cids.slice(1, 2), { signal, timeoutMs: 10_000 });
      await connector.pinAll(cids, { signal, timeoutMs: 10_000 });
      for (const cid of cids) assert.equal(await connector.pinLsCid(pinOf(cid)), 'recursive');
    });

    it('ends a request of several when one does not come in time, and holds those before it', async () => {
      const [before, after] = [await added('before it'), await added('after it')];
      const asked = connector.pinAll([before, cidNumber(79), after], { signal, timeoutMs: 500 });
      await assert.rejects(asked, { code: 'ipfs/timeout', message: 'Not all of 3 pins were made within 500ms' });
      assert.equal(await connector.pinLsCid(pinOf(before)), 'recursive');
      await connector.pin(pinOf(after), { signal });
    });

    it('pins directly, and turns a direct pin into a recursive one', async () => {
      const cid = await added('two');
      const direct = pinOf(cid, { maxDepth: 0, mode: 'direct' });
      await connector.pin(direct, { signal });
      await connector.pin(direct, { signal });
      assert.equal(await connector.pinLsCid(direct), 'direct');
      assert.equal(await connector.pinLsCid(pinOf(cid)), 'unpinned');
      const listed = (await collect(connector.pinLs(['direct']))).flat();
      assert.ok(listed.some((info) => info.cid.equals(cid) && info.status === 'direct'));
      await connector.pin(pinOf(cid), { signal });
      assert.equal(await connector.pinLsCid(direct), 'recursive');
      await connector.pin(direct, { signal });
      assert.equal(await connector.pinLsCid(pinOf(cid)), 'recursive', 'what is held recursively stays so');
    });

    it('updates pins', async () => {
      const [from, to] = [await added('three'), await added('four')];
      await connector.pin(pinOf(from), { signal });
      await connector.pin(pinOf(to, { pinUpdate: from }), { signal });
      assert.equal(await connector.pinLsCid(pinOf(from)), 'recursive');
      assert.equal(await connector.pinLsCid(pinOf(to)), 'recursive');
    });

    it('gives up a pin whose content does not come, and is free for the next', async () => {
      const cid = cidNumber(77);
      await assert.rejects(connector.pin(pinOf(cid), { signal }), {
        code: 'ipfs/stalled',
        message: `Pin of "${cid}" stalled: no new block in 1s, 0 fetched so far`,
      });
      await connector.pin(pinOf(await added('five')), { signal });
    });

    it('ends a pin when told', async () => {
      const abort = new AbortController();
      const pinning = connector.pin(pinOf(cidNumber(78)), { signal: abort.signal });
      abort.abort();
      await assert.rejects(pinning, { code: 'ipfs/aborted' });
    });

    it('reads blocks, resolves paths and collects garbage', async () => {
      const cid = await added('six');
      assert.equal(new TextDecoder().decode(await connector.blockGet(cid)), 'six');
      assert.ok((await connector.resolve(`/ipfs/${cid}`)).equals(cid));
      const removed = await collect(connector.repoGc());
      assert.ok(removed.some((entry) => entry.key?.multihash.join() === cid.multihash.join()));
      assert.ok(removed.every((entry) => entry.error === ''));
    });

    it('stores streams of blocks, each under its own codec and hash', async () => {
      const blocks = ['raw', 'dag-pb', 'dag-cbor'].flatMap((codec, i) =>
        [
          [0x12, 'sha256'],
          [0x13, 'sha512'],
        ].map(([code, hash]) => {
          const data = codec === 'dag-pb' ? Buffer.from([0x0a, 1, i]) : Buffer.from([0x82, i, Number(code)]);
          const digest = createHash(String(hash)).update(data).digest();
          const codes = { raw: 0x55, 'dag-pb': 0x70, 'dag-cbor': 0x71 }[codec] ?? 0;
          const prefix = Buffer.from([1, codes, Number(code), digest.length]);
          return { cid: Cid.decode(Buffer.concat([prefix, digest])), data, cumulativeSize: data.length };
        }),
      );
      await connector.blockStream(each(blocks));
      for (const { cid, data } of blocks) assert.deepEqual(Buffer.from(await connector.blockGet(cid)), data);
    });
    it('stores far more than it holds at once', async () => {
      const many = Array.from({ length: 300 }, (_, i) => {
        const data = Buffer.alloc(50_000, `${i} `);
        const digest = createHash('sha256').update(data).digest();
        return {
          cid: Cid.decode(Buffer.concat([Buffer.from([1, 0x55, 0x12, 0x20]), digest])),
          data,
          cumulativeSize: 0,
        };
      });
      await connector.blockStream(each(many));
      for (const { cid, data } of many) assert.ok(data.equals(await connector.blockGet(cid)));
    });
    it('refuses streams without blocks, and blocks that no node can make', async () => {
      await assert.rejects(connector.blockStream(each([])), { message: /no blocks to peek/ });
      const strange = Cid.decode(Buffer.concat([Buffer.from([1, 0x55, 0x22, 8]), Buffer.alloc(8)]));
      await assert.rejects(connector.blockStream(each([{ cid: strange, data: Buffer.from('x'), cumulativeSize: 1 }])), {
        code: 'ipfs/bad-block',
      });
      const wrong = Cid.decode(Buffer.concat([Buffer.from([1, 0x55, 0x12, 0x20]), Buffer.alloc(32)]));
      await assert.rejects(connector.blockStream(each([{ cid: wrong, data: Buffer.from('x'), cumulativeSize: 1 }])), {
        code: 'ipfs/bad-answer',
      });
    });
  });
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
