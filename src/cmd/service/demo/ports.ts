/** Free loopback ports. */
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Asks the system for unused ports, all held at once so that they differ. A peer must find its port again after a
 * restart, so port 0 will not do; another program could take one in between, which the peer then reports.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(
    servers.map((server) => {
      const closed = once(server, 'close');
      server.close();
      return closed;
    }),
  );
  return ports;
}
