/** A `Cluster` whose waiting calls let virtual time pass. */
import type { Cluster } from '../embed/index.ts';

/** Does an act while time passes. */
export type Drive = <T>(act: () => Promise<T>) => Promise<T>;

export function driven(cluster: Cluster, drive: Drive): Cluster {
  const each = <T>(make: () => AsyncIterable<T>): AsyncIterable<T> => ({
    [Symbol.asyncIterator]: () => {
      const iterator = make()[Symbol.asyncIterator]();
      return {
        next: () => drive(() => iterator.next()),
        return: async () => await drive(async () => (await iterator.return?.()) ?? { done: true, value: undefined }),
      };
    },
  });
  return {
    id: cluster.id,
    peername: cluster.peername,
    addresses: cluster.addresses,
    doors: cluster.doors,
    secret: cluster.secret,
    get ready() {
      return drive(() => cluster.ready);
    },
    get ended() {
      return cluster.ended;
    },
    pin: (...args) => drive(() => cluster.pin(...args)),
    explain: (...args) => drive(() => cluster.explain(...args)),
    unpin: (...args) => drive(() => cluster.unpin(...args)),
    get: (cid) => cluster.get(cid),
    pins: (...args) => each(() => cluster.pins(...args)),
    readBarrier: (...args) => drive(() => cluster.readBarrier(...args)),
    status: (...args) => drive(() => cluster.status(...args)),
    statusAll: (...args) => each(() => cluster.statusAll(...args)),
    recover: (...args) => drive(() => cluster.recover(...args)),
    recoverAll: (...args) => each(() => cluster.recoverAll(...args)),
    waitFor: (...args) => drive(() => cluster.waitFor(...args)),
    peers: (...args) => drive(() => cluster.peers(...args)),
    removePeer: (...args) => drive(() => cluster.removePeer(...args)),
    cordonPeer: (...args) => drive(() => cluster.cordonPeer(...args)),
    members: (...args) => drive(() => cluster.members(...args)),
    leader: () => cluster.leader(),
    alerts: () => cluster.alerts(),
    on: (event, listener) => cluster.on(event, listener),
    stop: () => drive(() => cluster.stop()),
    [Symbol.asyncDispose]: () => drive(() => cluster.stop()),
  };
}
