/**
 * Kubo RPC endpoints that pin at once and keep no content, as cheap as Node can: a process of its own for all peers of a
 * benchmark, so that neither the time that pinning takes nor its processor time counts as the peers'.
 *
 * It reads HTTP by hand: the peers' clients send short requests without bodies, one at a time on a connection.
 */
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { peerIdFromBytes } from '../src/model/index.ts';

/** What the processes of a benchmark talk to. */
export interface KuboStandIns {
  /** One for each node, `/ip4/127.0.0.1/tcp/<port>`. */
  readonly multiaddresses: readonly string[];
  readonly pid: number | undefined;
  /** Pins of each node. One question at a time. */
  pinCounts(): Promise<readonly number[]>;
  stop(): void;
}

/** Starts the process, with that many nodes in it. With `held`, a file of CIDs, one a line, all of them hold these. */
export async function startKuboStandIns(count: number, held: string = ''): Promise<KuboStandIns> {
  const child = fork(fileURLToPath(import.meta.url), [String(count), held], { stdio: 'inherit' });
  const [ports] = (await once(child, 'message')) as [number[]];
  return {
    multiaddresses: ports.map((port) => `/ip4/127.0.0.1/tcp/${port}`),
    pid: child.pid,
    pinCounts: async () => {
      child.send('pins');
      const [counts] = (await once(child, 'message')) as [number[]];
      return counts;
    },
    stop: () => {
      child.disconnect();
    },
  };
}

type Pins = Map<string, string>;

interface Node {
  /** Of its own: peers that share an IPFS node count as one. */
  readonly id: string;
  readonly pins: Pins;
}

function answerTo(path: string, { id, pins }: Node): readonly [status: 200 | 500, body: string | Iterable<string>] {
  const [name = '', query = ''] = path.replace('/api/v0/', '').split('?');
  const arg = /(?:^|&)arg=(\w+)/.exec(query)?.[1] ?? '';
  switch (name) {
    case 'id':
      return [200, `{"ID":"${id}","Addresses":["/ip4/127.0.0.1/tcp/4001"]}`];
    case 'pin/add': {
      const args = [...query.matchAll(/(?:^|&)arg=(\w+)/g)].map(([, cid = '']) => cid);
      const type = query.includes('recursive=false') ? 'direct' : 'recursive';
      for (const cid of args) pins.set(cid, type);
      return [200, `{"Pins":["${args.join('","')}"]}`];
    }
    case 'pin/rm':
      return pins.delete(arg) ? [200, `{"Pins":["${arg}"]}`] : refused('not pinned or pinned indirectly');
    case 'pin/ls': {
      const type = /(?:^|&)type=(\w+)/.exec(query)?.[1] ?? 'all';
      if (arg !== '') {
        return pins.get(arg) === type ? [200, line(arg, type)] : refused(`path '${arg}' is not pinned`);
      }
      return [200, listed(pins, type)];
    }
    case 'repo/stat':
      return [200, '{"RepoSize":300,"StorageMax":1000000000}'];
    case 'config/show':
      return [200, '{"Datastore":{"StorageMax":"10GB"}}'];
    case 'swarm/peers':
      return [200, '{"Peers":[]}'];
    default:
      return [200, '{"Strings":[]}'];
  }
}

const pageLines = 1000;

function* listed(pins: Pins, type: string): Iterable<string> {
  let page = '';
  let count = 0;
  for (const [cid, of] of pins) {
    if (type !== 'all' && of !== type) continue;
    page += line(cid, of);
    if (++count % pageLines > 0) continue;
    yield page;
    page = '';
  }
  yield page;
}

function line(cid: string, type: string): string {
  return `{"Cid":"${cid}","Type":"${type}"}\n`;
}

function refused(message: string): readonly [500, string] {
  return [500, JSON.stringify({ Message: message, Code: 0, Type: 'error' })];
}

function serve(socket: Socket, node: Node): void {
  let text = '';
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
    for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
      const [status, body] = answerTo(text.slice(text.indexOf(' ') + 1, text.indexOf(' HTTP/')), node);
      text = text.slice(end + 4);
      const reason = status === 200 ? 'OK' : 'Internal Server Error';
      const head = `HTTP/1.1 ${status} ${reason}\r\nContent-Type: application/json\r\n`;
      if (typeof body === 'string') socket.write(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
      else void sendPages(socket, head, body);
    }
  });
}

async function sendPages(socket: Socket, head: string, pages: Iterable<string>): Promise<void> {
  socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
  for (const page of pages) {
    if (socket.destroyed) return;
    if (page === '') continue;
    const isTaken = socket.write(`${page.length.toString(16)}\r\n${page}\r\n`);
    if (!isTaken) await drained(socket);
  }
  socket.write('0\r\n\r\n');
}

/** Leaves no listener behind, whichever comes first. */
async function drained(socket: Socket): Promise<void> {
  const waiting = new AbortController();
  const { signal } = waiting;
  try {
    await Promise.race([once(socket, 'drain', { signal }), once(socket, 'close', { signal })]);
  } finally {
    waiting.abort();
  }
}

async function listen(pins: Pins): Promise<Server> {
  const id = peerIdFromBytes(Uint8Array.of(0, 0x24, 8, 1, 0x12, 0x20, ...randomBytes(32)));
  const node: Node = { id, pins };
  const server = createServer((socket) => serve(socket, node)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , count, held = ''] = process.argv;
  const cids = held === '' ? [] : readFileSync(held, 'utf8').trimEnd().split('\n');
  const shared: Pins = new Map(cids.map((cid) => [cid, 'recursive']));
  // What is held from the start is not expected to change, and not kept several times.
  const nodes = Array.from({ length: Number(count) }, (): Pins => (held === '' ? new Map() : shared));
  const servers = await Promise.all(nodes.map((pins) => listen(pins)));
  process.on('message', () => process.send?.(nodes.map((pins) => pins.size)));
  process.send?.(servers.map((server) => (server.address() as AddressInfo).port));
  process.once('disconnect', () => process.exit(0));
}
