/** A few Kubo RPC endpoints over a set of pins, and the faults that a test wants. Pins at once, keeps no content. */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { peerIdFromBytes } from '../../src/model/index.ts';

export type Fault = (
  request: { readonly path: string; readonly query: URLSearchParams },
  response: ServerResponse,
) => boolean;

export class IpfsStandIn {
  /** Of its own: peers that share an IPFS node count as one. */
  readonly id: string = peerIdFromBytes(Uint8Array.of(0, 0x24, 8, 1, 0x12, 0x20, ...randomBytes(32)));
  readonly pins: Map<string, 'recursive' | 'direct'> = new Map<string, 'recursive' | 'direct'>();
  /** Paths asked for, such as `pin/add`. */
  readonly asked: string[] = [];
  /** Handles a request itself when it returns true. */
  fault: Fault = () => false;
  #server: Server | undefined;
  #port = 0;

  get multiaddress(): string {
    return `/ip4/127.0.0.1/tcp/${this.#port}`;
  }

  /** Listens, on the port of the last time if there was one. */
  async start(at: number | string = this.#port): Promise<void> {
    const server = createServer((request, response) => this.#answer(request, response));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      if (typeof at === 'string') server.listen(at, resolve);
      else server.listen(at, '127.0.0.1', resolve);
    });
    if (typeof at === 'number') this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://stand-in');
    const path = url.pathname.replace('/api/v0/', '');
    const query = url.searchParams;
    this.asked.push(path);
    if (this.fault({ path, query }, response)) return;
    const [first = '', second = ''] = query.getAll('arg');
    const json = (value: unknown): void => {
      response.end(`${JSON.stringify(value)}\n`);
    };
    const refuse = (message: string): void => {
      response.statusCode = 500;
      json({ Message: message, Code: 0, Type: 'error' });
    };
    switch (path) {
      case 'id':
        json({
          ID: this.id,
          Addresses: ['/ip4/127.0.0.1/tcp/4001', '/nonsense/1'],
        });
        return;
      case 'pin/add':
        for (const cid of query.getAll('arg')) {
          this.pins.set(cid, query.get('recursive') === 'false' ? 'direct' : 'recursive');
        }
        response.write('{"Progress":1}\n');
        json({ Pins: query.getAll('arg') });
        return;
      case 'pin/update':
        this.pins.set(second, 'recursive');
        json({ Pins: [first, second] });
        return;
      case 'pin/rm':
        if (this.pins.delete(first)) json({ Pins: [first] });
        else refuse('not pinned or pinned indirectly');
        return;
      case 'pin/ls': {
        const type = query.get('type');
        if (first !== '' && this.pins.get(first) !== type) {
          refuse(`path '${first}' is not pinned`);
          return;
        }
        const listed = [...this.pins].filter(([cid, held]) => held === type && (first === '' || cid === first));
        for (const [cid, held] of listed) response.write(`${JSON.stringify({ Cid: cid, Type: held })}\n`);
        response.end();
        return;
      }
      case 'repo/stat':
        json({ RepoSize: 300, StorageMax: 1000 });
        return;
      case 'config/show':
        json({ Datastore: { StorageMax: '10GB', Spec: { type: 'mount' } } });
        return;
      case 'resolve':
        json({ Path: `/ipfs/bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy` });
        return;
      case 'swarm/peers':
        json({ Peers: [{ Peer: '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5' }] });
        return;
      case 'swarm/connect':
        json({ Strings: [] });
        return;
      case 'block/get':
        response.end(Buffer.from([1, 2, 3]));
        return;
      case 'repo/gc':
        response.write(
          `${JSON.stringify({ Key: { '/': 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy' } })}\n`,
        );
        json({ Error: 'could not remove' });
        return;
      default:
        response.statusCode = 404;
        response.end('404 page not found');
        return;
    }
  }
}
