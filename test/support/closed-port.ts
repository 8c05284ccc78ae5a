import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** A port of the loopback on which nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // listening
  await new Promise((resolve) => server.close(resolve));
  return port;
}
