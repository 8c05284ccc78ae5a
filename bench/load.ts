/** A load of pins on the HTTP APIs of some peers, from keep-alive clients. */
import { randomBytes } from 'node:crypto';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { type Dispatcher, Pool } from 'undici';

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
  close(): Promise<void>;
}

/** A client of these APIs (base URLs), at most `connectionsMax` connections each. */
export function createClient(apiUrls: readonly string[], connectionsMax: number): Client {
  // Not pipelined: each pin is a client of its own that waits for its answer.
  const pools = apiUrls.map((url) => new Pool(url, { connections: connectionsMax, pipelining: 1 }));
  let count = 0;
  const pin = async (): Promise<void> => {
    count += 1;
    await post(pools[count % pools.length] as Pool, `/pins/${randomCid()}?name=bench-${count}`);
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
    close: async () => {
      await Promise.all(pools.map((pool) => pool.destroy()));
    },
  };
}

export function percentile(ascending: readonly number[], part: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * part))] ?? Number.NaN;
}

/** Takes the client's events directly, which spares half of the processor time of `Pool.request`. */
function post(pool: Pool, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let status = 0;
    let text = '';
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: () => {},
      onResponseStart: (_controller, statusCode) => {
        status = statusCode;
      },
      onResponseData: (_controller, chunk) => {
        if (status !== 200) text += chunk.toString();
      },
      onResponseEnd: () => {
        if (status === 200) resolve();
        else reject(new Error(`POST ${path} answered ${status}: ${text}`));
      },
      onResponseError: (_controller, error) => reject(error),
    };
    pool.dispatch({ path, method: 'POST' }, handler);
  });
}

/** Of content that every node has, since the CID itself holds it: the cluster is measured, not the transfer of blocks. */
function randomCid(): string {
  return CID.createV1(rawCodec, createDigest(identityCode, randomBytes(16))).toString();
}
