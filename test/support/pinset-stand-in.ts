/** The part of a cluster that the IPFS proxy uses, in memory: one pinset, no peers. */
import { OperatingError, silentLogger } from '../../src/base/index.ts';
import type { IpfsConnector } from '../../src/cluster/ports.ts';
import type { ProxyCluster } from '../../src/http/proxy/index.ts';
import { createAdder } from '../../src/io/add/index.ts';
import {
  Cid,
  type GlobalPinInfo,
  type Pin,
  type PinOptions,
  type PinPath,
  type TrackerStatus,
} from '../../src/model/index.ts';
import { AddRpc } from './add-rpc.ts';
import { systemClock } from './system-clock.ts';

const self = '12D3KooWStandIn';

export class PinsetStandIn implements ProxyCluster {
  /** Stores what is added. */
  readonly #ipfs: Pick<IpfsConnector, 'blockStream'>;
  readonly all: Map<string, Pin> = new Map();
  /** CIDs that are refused. */
  readonly refused: Set<string> = new Set();
  /** Statuses of the peers for the next questions, one list a question; then all have pinned. */
  readonly statuses: TrackerStatus[][] = [];

  constructor(ipfs: Pick<IpfsConnector, 'blockStream'>) {
    this.#ipfs = ipfs;
  }

  add(...[entries, params, options]: Parameters<ProxyCluster['add']>): ReturnType<ProxyCluster['add']> {
    const rpc = new AddRpc({
      allocate: () => [self],
      store: (_, blocks, signal) => this.#ipfs.blockStream(blocks, signal === undefined ? {} : { signal }),
      pin: async ({ cid, ...pin }) => {
        await this.pin(cid, pin);
      },
    });
    return createAdder({ self, rpc, clock: systemClock, logger: silentLogger }).add(entries, params, options);
  }

  async pin(cid: Cid, options: PinOptions): Promise<Pin> {
    if (this.refused.has(cid.key)) throw new OperatingError('cluster/bad-pin', 'refused by the test');
    if (options.pinUpdate !== null) this.pinGet(options.pinUpdate);
    const pin: Pin = {
      ...options,
      cid,
      type: 'pin',
      allocations: null,
      maxDepth: options.mode === 'direct' ? 0 : -1,
      reference: null,
      timestamp: null,
    };
    this.all.set(cid.key, pin);
    return pin;
  }

  async pinPath({ path, ...options }: PinPath): Promise<Pin> {
    return await this.pin(rootOf(path), options);
  }

  async unpin(cid: Cid): Promise<Pin> {
    const pin = this.pinGet(cid);
    this.all.delete(cid.key);
    return pin;
  }

  async unpinPath(path: string): Promise<Pin> {
    return await this.unpin(rootOf(path));
  }

  pinGet(cid: Cid): Pin {
    const pin = this.all.get(cid.key);
    if (pin === undefined) throw new OperatingError('cluster/not-pinned', 'pin is not part of the pinset');
    return pin;
  }

  async *pins(): AsyncGenerator<readonly Pin[]> {
    yield [...this.all.values()];
  }

  async status(cid: Cid): Promise<GlobalPinInfo> {
    const peers = (this.statuses.shift() ?? ['pinned']).map((status, i) => [
      `peer${i}`,
      {
        peername: '',
        ipfsPeerId: '',
        ipfsAddresses: null,
        status,
        timestamp: null,
        error: status.endsWith('_error') ? `${status} of the test` : '',
        attemptCount: 0,
        priorityPin: false,
      },
    ]);
    const { name = '' } = this.all.get(cid.key) ?? {};
    const peerMap = Object.fromEntries(peers);
    return { cid, name, allocations: null, origins: null, created: null, metadata: null, peerMap };
  }

  async repoStat(): Promise<{ repoSize: number; storageMax: number }> {
    return { repoSize: 11, storageMax: 22 };
  }

  async repoGc(): ReturnType<ProxyCluster['repoGc']> {
    const key = Cid.parse('QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN');
    return {
      peerMap: {
        a: {
          peer: 'a',
          peername: '',
          keys: [
            { key, error: '' },
            { key: null, error: 'e1' },
          ],
          error: '',
        },
        b: { peer: 'b', peername: '', keys: null, error: 'e2' },
      },
    };
  }
}

function rootOf(path: string): Cid {
  return Cid.parse(path.split('/')[2] ?? '');
}
