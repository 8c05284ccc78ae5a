/** What other peers send on streams: RPC in both forms, Raft, bitswap, and the lines in front of them. */
import { setImmediate as turn } from 'node:timers/promises';
import { CID } from 'multiformats/cid';
import { type Clock, OperatingError, silentLogger, utf8Encode } from '../../../src/base/index.ts';
import { FrameReader } from '../../../src/bitswap/frames.ts';
import { decodeMessage, encodeFrame as encodeBitswap } from '../../../src/bitswap/message.ts';
import type { ByteStream, Streams } from '../../../src/cluster/ports.ts';
import { createStreamTransport, raftProtocol } from '../../../src/io/consensus/index.ts';
import { decodeResponse } from '../../../src/io/consensus/wire.ts';
import { agreementOf, readProposal } from '../../../src/io/p2p/negotiation.ts';
import { encodeFrame, encodeName, frameKinds } from '../../../src/io/rpc/frames.ts';
import { createRpc, gorpcProtocol, multiplexedProtocol } from '../../../src/io/rpc/index.ts';
import { ValueBuffer } from '../../../src/io/rpc/value-buffer.ts';
import { methods, raftLeaderMethods } from '../../../src/model/index.ts';
import { bytesOf, cut, type FuzzTarget } from '../target.ts';
import { recorded } from './model.ts';

/** Turns of the event loop that a server gets for one input, which takes a few. */
const turnsMax = 20_000;

/** A stream on which the other side says the input and no more. */
class InputStream implements ByteStream {
  readonly remotePeer = '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5';
  readonly #aborter = new AbortController();
  readonly signal: AbortSignal = this.#aborter.signal;
  readonly #pieces: Uint8Array[];
  writtenBytes = 0;
  isEnded = false;

  constructor(input: Uint8Array) {
    // Servers may keep views: each input has its own bytes.
    this.#pieces = cut(Uint8Array.from(input));
  }

  async read(): Promise<Uint8Array | null> {
    return this.#pieces.shift() ?? null;
  }
  async write(bytes: Uint8Array): Promise<void> {
    this.writtenBytes += bytes.length;
  }
  async closeWrite(): Promise<void> {
    this.isEnded = true;
  }
  reset(): void {
    this.isEnded = true;
    this.#aborter.abort();
  }
}

type Accept = (stream: ByteStream) => void;

const stillClock: Clock = { now: () => 0, wallNanos: () => 0n, after: () => () => {} };

/** Handlers by protocol of what is made with these streams. */
function listening(make: (streams: Streams) => void): ReadonlyMap<string, Accept> {
  const handlers = new Map<string, Accept>();
  make({
    self: 'self',
    open: () => Promise.reject(new OperatingError('test/none', 'nobody to open a stream to')),
    handle: (protocol, handler) => void handlers.set(protocol, handler),
    protocolsOf: () => undefined,
  });
  return handlers;
}

/** Serves the input to its end, whatever it is. @returns how much was answered. */
async function serve(accept: Accept | undefined, input: Uint8Array): Promise<number> {
  const stream = new InputStream(input);
  accept?.(stream);
  for (let turns = 0; !stream.isEnded; turns += 1) {
    if (turns > turnsMax) throw new RangeError(`the stream is still served after ${turnsMax} turns`);
    await turn();
  }
  return stream.writtenBytes;
}

const rpc = listening((streams) => {
  const node = createRpc({}, { streams, clock: stillClock, logger: silentLogger, isTrusted: () => true });
  const refused = (): OperatingError => new OperatingError('test/refused', 'refused by the test');
  for (const rows of [...Object.values(methods), raftLeaderMethods]) {
    const handlers = Object.fromEntries(
      Object.values(rows).map((row) => [
        row.name,
        row.kind === 'unary'
          ? async () => {
              throw refused();
            }
          : // biome-ignore lint/correctness/useYield: it reads all and answers with a failure
            async function* (args: AsyncIterable<unknown>) {
              for await (const _ of args);
              throw refused();
            },
      ]),
    );
    // The handlers take any row: they answer nothing.
    node.register(rows as object, handlers as never);
  }
  void node.start();
});

const raft = listening((streams) => {
  const transport = createStreamTransport({ streams, clock: stillClock, logger: silentLogger });
  transport.handle(async (_from, _request, body) => {
    if (body !== undefined) for await (const _ of body.chunks);
    return { type: 'preVote', term: 1, granted: true };
  });
});

const multiplexedSeeds = (): Uint8Array[] => {
  const name = encodeName('Cluster.ID');
  const argument = Buffer.from('80', 'hex');
  const listName = encodeName('PinTracker.StatusAll');
  return [
    encodeFrame(frameKinds.call, 1, name, argument),
    Buffer.concat([
      encodeFrame(frameKinds.open, 2, listName),
      encodeFrame(frameKinds.credit, 2, Uint8Array.of(0, 0, 1, 0)),
      encodeFrame(frameKinds.data, 2, Uint8Array.of(0)),
      encodeFrame(frameKinds.end, 2),
      encodeFrame(frameKinds.cancel, 2),
    ]),
    Buffer.concat([
      encodeFrame(frameKinds.part, 3, name),
      encodeFrame(frameKinds.part, 3, argument),
      encodeFrame(frameKinds.call, 3, name, argument),
    ]),
  ];
};

const bitswapCid = CID.parse('bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am');

const bitswapSeeds = (): Uint8Array[] => {
  const wants = [{ cid: bitswapCid, priority: 1, isCancel: false, wantsBlock: true, sendDontHave: true }];
  const blocks = [{ cid: bitswapCid, data: utf8Encode('hello\n') }];
  const presences = [{ cid: bitswapCid, has: true }];
  return [false, true].flatMap((isOld) => [
    encodeBitswap({ wants, blocks, presences } as never, isOld),
    encodeBitswap({ wants: [], blocks, presences: [] } as never, isOld),
  ]);
};

const responseTypes = ['append', 'vote', 'preVote', 'snapshot', 'timeoutNow'] as const;

/** Targets of streams. */
export const streamTargets: readonly FuzzTarget[] = [
  {
    name: 'gorpc',
    form: 'msgpack',
    seeds: () => recorded(['gorpc-streams', 'live-captures']),
    parse: (input) => serve(rpc.get(gorpcProtocol), input),
  },
  {
    name: 'rpc-frames',
    form: 'bytes',
    seeds: multiplexedSeeds,
    words: multiplexedSeeds(),
    parse: (input) => serve(rpc.get(multiplexedProtocol), input),
  },
  {
    name: 'raft-stream',
    form: 'msgpack',
    seeds: () => recorded(['raft', 'live-captures']),
    words: [Uint8Array.of(0), Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3), Uint8Array.of(4)],
    parse: (input) => serve(raft.get(raftProtocol), input),
  },
  {
    name: 'raft-response',
    form: 'msgpack',
    seeds: () => recorded(['raft'], /response/i),
    parse: (input) => {
      const buffer = new ValueBuffer(1024 * 1024);
      buffer.push(input);
      const [error, body] = [buffer.next(), buffer.next()];
      if (error === undefined || body === undefined) throw new OperatingError('test/short', 'two values expected');
      const type = responseTypes[body.length % responseTypes.length] ?? 'append';
      return decodeResponse(type, error, body);
    },
  },
  {
    name: 'values',
    form: 'msgpack',
    seeds: () => recorded(['gorpc-streams', 'rpc-types']),
    parse: (input) => {
      const buffer = new ValueBuffer(1024 * 1024);
      const values: Uint8Array[] = [];
      for (const piece of cut(input)) {
        buffer.push(piece);
        for (let value = buffer.next(); value !== undefined; value = buffer.next()) values.push(value);
      }
      return values;
    },
  },
  {
    name: 'bitswap',
    form: 'protobuf',
    // An empty message is one byte; each is dealt with before the next is read.
    weightPerByteMax: 256,
    seeds: bitswapSeeds,
    parse: (input) => {
      const reader = new FrameReader();
      return cut(input).flatMap((piece) => reader.push(piece).map((frame) => texts(decodeMessage(frame))));
    },
  },
  {
    name: 'bitswap-message',
    form: 'protobuf',
    seeds: () => bitswapSeeds().flatMap((frame) => new FrameReader().push(frame)),
    parse: (input) => texts(decodeMessage(input)),
  },
  {
    name: 'negotiation',
    form: 'bytes',
    seeds: () => [agreementOf(gorpcProtocol), agreementOf(raftProtocol), bytesOf('\x13/multistream/1.0.0\n\x03ls\n')],
    parse: (input) => readProposal(input),
  },
];

/** CIDs hold on to caches of their own: as texts. */
function texts(value: object): unknown {
  return JSON.parse(JSON.stringify(value, (_key, item) => (item instanceof Uint8Array ? item.length : item)));
}
