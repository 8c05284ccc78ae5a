/** Free loopback ports. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/**
 * Below the ports that systems give to outgoing connections (Linux from 32768, others from 49152). From among those, any
 * connection could take the port of a dead peer before it is back; one that is made to that very port can even get it as its
 * own and be connected to itself.
 */
const firstPort = 10_000;
const endPort = 32_000;

/**
 * Unused ports, all held at once so that they differ. A peer must find its port again after a restart, so port 0 will not
 * do; another program could take one in between, which the peer then reports.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(firstPort, endPort);
    const server = createServer();
    server.listen(port, '127.0.0.1');
    // Rejects when the port is in use: then another one.
    if (
      await once(server, 'listening').then(
        () => true,
        () => false,
      )
    ) {
      servers.push(server);
      ports.push(port);
    }
  }
  await Promise.all(
    servers.map((server) => {
      const closed = once(server, 'close');
      server.close();
      return closed;
    }),
  );
  return ports;
}
