/**
 * A load of pins on the HTTP APIs of some peers, from keep-alive clients.
 *
 * It shares the processors with the peers, so it speaks HTTP by hand: a client library takes three times its processor time
 * for a request, which would count as theirs.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';

const rawCodec = 0x55;
const identityCode = 0;

export interface LoadResult {
  readonly pinsPerSecond: number;
  /** Milliseconds, ascending. */
  readonly latencies: readonly number[];
}

export interface Client {
  /** Pins something new through the next peer in turn. Rejects unless the answer is 200. */
  pin(): Promise<void>;
  /** `count` pins, `inFlight` at any time. */
  run(count: number, inFlight: number): Promise<LoadResult>;
  close(): void;
}

/** A client of these APIs (base URLs), on as many connections as there are pins in flight. */
export function createClient(apiUrls: readonly string[]): Client {
  const doors = apiUrls.map((url) => createDoor(new URL(url)));
  let count = 0;
  const pin = async (): Promise<void> => {
    count += 1;
    await doors[count % doors.length]?.post(`/pins/${randomCid()}?name=bench-${count}`);
  };
  const run = async (total: number, inFlight: number): Promise<LoadResult> => {
    const latencies: number[] = [];
    let left = total;
    const began = performance.now();
    await Promise.all(
      Array.from({ length: inFlight }, async () => {
        while (left-- > 0) {
          const sentAt = performance.now();
          await pin();
          latencies.push(performance.now() - sentAt);
        }
      }),
    );
    const seconds = (performance.now() - began) / 1000;
    return { pinsPerSecond: total / seconds, latencies: latencies.sort((a, b) => a - b) };
  };
  return {
    pin,
    run,
    close: () => {
      for (const door of doors) door.close();
    },
  };
}

export function percentile(ascending: readonly number[], part: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * part))] ?? Number.NaN;
}

interface Door {
  /** Rejects unless the answer is 200. */
  post(path: string): Promise<void>;
  close(): void;
}

function createDoor({ hostname, port, host }: URL): Door {
  const idle: Connection[] = [];
  const open = new Set<Connection>();
  return {
    post: async (path) => {
      let connection = idle.pop();
      if (connection === undefined) {
        connection = await createConnection(hostname, Number(port));
        open.add(connection);
      }
      try {
        await connection.ask(`POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\n\r\n`);
        idle.push(connection);
      } catch (error) {
        open.delete(connection);
        connection.socket.destroy();
        throw error;
      }
    },
    close: () => {
      for (const { socket } of open) socket.destroy();
    },
  };
}

interface Connection {
  readonly socket: Socket;
  /** One request at a time. */
  ask(request: string): Promise<void>;
}

async function createConnection(hostname: string, port: number): Promise<Connection> {
  const socket = connect(port, hostname).setNoDelay(true);
  await once(socket, 'connect');
  let answered: PromiseWithResolvers<void> | undefined;
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
    if (!isWhole(text)) return;
    if (text.startsWith('HTTP/1.1 200 ')) answered?.resolve();
    else answered?.reject(new Error(`A pin was answered with ${text}`));
    text = '';
  });
  socket.on('error', (error) => answered?.reject(error));
  socket.on('close', () => answered?.reject(new Error('The connection was closed')));
  return {
    socket,
    ask: (request) => {
      answered = Promise.withResolvers();
      if (socket.destroyed) answered.reject(new Error('The connection is closed'));
      else socket.write(request, 'latin1');
      return answered.promise;
    },
  };
}

const lengthHeader = /\r\ncontent-length: *(\d+)\r\n/i;

/** Whether an answer is there to its last byte. */
function isWhole(text: string): boolean {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return false;
  const length = lengthHeader.exec(text)?.[1];
  if (length === undefined) return text.endsWith('\r\n0\r\n\r\n');
  return text.length >= headEnd + 4 + Number(length);
}

/** Of content that every node has, since the CID itself holds it: the cluster is measured, not the transfer of blocks. */
function randomCid(): string {
  return CID.createV1(rawCodec, createDigest(identityCode, randomBytes(16))).toString();
}
