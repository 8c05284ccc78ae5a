/** Free ports for `init --randomports`. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { ServiceConfig } from '../../model/config/index.ts';
import type { Multiaddr } from '../../model/index.ts';

/** Every port that the peer would listen on, replaced by a free one; each different. */
export async function withRandomPorts(config: ServiceConfig): Promise<ServiceConfig> {
  const { cluster, restapi, pinsvcapi, ipfsproxy, embedded } = config;
  const listening = [
    ...cluster.listenMultiaddress,
    ...(restapi?.httpListenMultiaddress ?? []),
    ...(pinsvcapi?.httpListenMultiaddress ?? []),
    ...(ipfsproxy?.listenMultiaddress ?? []),
    ...(embedded === undefined ? [] : [embedded.rpcListenMultiaddress, ...embedded.swarmListenMultiaddress]),
  ];
  const ports = await freePorts(listening.length);
  // In the order of `listening`, by position: two places may have held the same address.
  const next = (address: Multiaddr): Multiaddr => withPort(address, ports.shift() ?? 0);
  return {
    ...config,
    cluster: { ...cluster, listenMultiaddress: cluster.listenMultiaddress.map(next) },
    restapi: restapi && { ...restapi, httpListenMultiaddress: restapi.httpListenMultiaddress.map(next) },
    pinsvcapi: pinsvcapi && { ...pinsvcapi, httpListenMultiaddress: pinsvcapi.httpListenMultiaddress.map(next) },
    ipfsproxy: ipfsproxy && { ...ipfsproxy, listenMultiaddress: ipfsproxy.listenMultiaddress.map(next) },
    embedded: embedded && {
      ...embedded,
      rpcListenMultiaddress: next(embedded.rpcListenMultiaddress),
      swarmListenMultiaddress: embedded.swarmListenMultiaddress.map(next),
    },
  };
}

function withPort(address: Multiaddr, port: number): Multiaddr {
  return address.replace(/\/(tcp|udp)\/\d+/, `/$1/${port}`);
}

/** Held all at once, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  return await Promise.all(
    servers.map(async (server) => {
      const address = server.address();
      await new Promise((resolve) => server.close(resolve));
      return typeof address === 'object' && address !== null ? address.port : 0;
    }),
  );
}
