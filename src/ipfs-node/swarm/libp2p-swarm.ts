/**
 * The node's own libp2p host: TCP, noise, yamux, identify, ping. Its key, port and peers are not the cluster's.
 * No DHT yet: peers are those that are connected to by address and those that connect.
 */
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import {
  generateKeyPair,
  privateKeyFromProtobuf,
  privateKeyToProtobuf,
  publicKeyToProtobuf,
} from '@libp2p/crypto/keys';
import { identify, identifyPush } from '@libp2p/identify';
import type { ComponentLogger, Connection, IdentifyResult, Libp2p, Logger as Libp2pLogger } from '@libp2p/interface';
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { errorMessage, type Logger } from '../../base/index.ts';
import type { BitswapNetwork, BitswapStream } from '../../bitswap/index.ts';
import { nodeError } from '../errors.ts';
import type { AbortOptions, Swarm, SwarmPeer } from '../ports.ts';
import { toBitswapStream } from './byte-stream.ts';

const connectTimeoutMs = 15_000;
const stopTimeoutMs = 2_000;
/** Go opens a stream for each message. */
const inboundStreamsMax = 4096;

/** Who the node is, and where it listens. */
export interface SwarmOptions {
  /** Protobuf of the private key. */
  readonly privateKey: Uint8Array;
  readonly listen: readonly string[];
  readonly agentVersion: string;
  readonly logger: Logger;
  /** Handled by `onStream`; peers that say they speak one of them are told to `onPeer`. */
  readonly protocols: readonly string[];
  readonly onStream: (peer: string, stream: BitswapStream) => void;
  readonly onPeer: (peer: string) => void;
  readonly onPeerLost: (peer: string) => void;
}

/** A new Ed25519 identity. */
export async function generateIdentity(): Promise<{ readonly peerId: string; readonly privateKey: Uint8Array }> {
  const key = await generateKeyPair('Ed25519');
  return { peerId: peerIdFromPrivateKey(key).toString(), privateKey: privateKeyToProtobuf(key) };
}

/** Listens once started; `start` throws `ipfs-node/listen`. */
export class Libp2pSwarm implements Swarm, BitswapNetwork {
  readonly peerId: string;
  readonly publicKey: Uint8Array;
  readonly agentVersion: string;
  readonly #libp2p: Libp2p;
  readonly #options: SwarmOptions;

  private constructor(libp2p: Libp2p, options: SwarmOptions, publicKey: Uint8Array) {
    this.#libp2p = libp2p;
    this.#options = options;
    this.peerId = libp2p.peerId.toString();
    this.publicKey = publicKey;
    this.agentVersion = options.agentVersion;
  }

  static async create(options: SwarmOptions): Promise<Libp2pSwarm> {
    const privateKey = privateKeyFromProtobuf(options.privateKey);
    const libp2p = await createLibp2p({
      start: false,
      privateKey,
      logger: quietLogger(options.logger.scope('swarm')),
      nodeInfo: { userAgent: options.agentVersion },
      addresses: { listen: [...options.listen] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [
        yamux({
          maxInboundStreams: inboundStreamsMax,
          maxOutboundStreams: inboundStreamsMax,
          streamOptions: {
            // The streams of bitswap are kept and used when there is something to say.
            inactivityTimeout: 0,
            initialStreamWindowSize: 256 * 1024,
            maxStreamWindowSize: 2 * 1024 * 1024,
            // Above the window: a paused stream whose buffer overflows is reset.
            maxReadBufferLength: 4 * 1024 * 1024,
          },
        }),
      ],
      connectionManager: { maxConnections: 600, inboundConnectionThreshold: 1000, maxIncomingPendingConnections: 256 },
      services: { identify: identify(), identifyPush: identifyPush(), ping: ping() },
    });
    const swarm = new Libp2pSwarm(libp2p, options, publicKeyToProtobuf(privateKey.publicKey));
    await swarm.#attach();
    return swarm;
  }

  async start(): Promise<void> {
    try {
      await this.#libp2p.start();
    } catch (error) {
      const where = this.#options.listen.join(', ');
      throw nodeError('ipfs-node/listen', `Cannot listen on ${where}: ${errorMessage(innermost(error))}`, error);
    }
  }

  /** Bounded, whatever remotes do. */
  async stop(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, stopTimeoutMs);
    try {
      await Promise.race([this.#libp2p.stop(), promise]);
    } catch (error) {
      this.#options.logger.debug('The swarm did not stop cleanly', { cause: errorMessage(error) });
    } finally {
      clearTimeout(timer);
    }
    for (const connection of this.#libp2p.getConnections()) {
      connection.abort(nodeError('ipfs-node/stopped', 'The node was stopped'));
    }
  }

  addresses(): string[] {
    return this.#libp2p.getMultiaddrs().map((address) => address.toString());
  }

  protocols(): string[] {
    return this.#libp2p.getProtocols();
  }

  async connect(address: string, options: AbortOptions = {}): Promise<string> {
    const { target, peer } = parseAddress(address);
    if (peer === this.peerId)
      throw nodeError('ipfs-node/connect-failed', `connect ${peer} failure: this is the node itself`);
    const timeout = AbortSignal.timeout(connectTimeoutMs);
    const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
    if (this.#connectionsTo(peer).length > 0) return peer;
    try {
      await this.#libp2p.dial(target, { signal });
      return peer;
    } catch (error) {
      options.signal?.throwIfAborted();
      const reason = timeout.aborted ? `no answer within ${connectTimeoutMs / 1000} s` : errorMessage(innermost(error));
      throw nodeError('ipfs-node/connect-failed', `connect ${peer} failure: ${reason}`, error);
    }
  }

  async disconnect(address: string): Promise<void> {
    const { peer } = parseAddress(address);
    const connections = this.#connectionsTo(peer);
    if (connections.length === 0) {
      throw nodeError('ipfs-node/not-connected', `disconnect ${peer} failure: not connected`);
    }
    await Promise.all(connections.map((connection) => connection.close()));
  }

  peers(): SwarmPeer[] {
    const peers = new Map<string, SwarmPeer>();
    for (const connection of this.#libp2p.getConnections()) {
      const peerId = connection.remotePeer.toString();
      if (connection.status !== 'open' || peers.has(peerId)) continue;
      const address = connection.remoteAddr.toString().replace(/\/p2p\/[^/]*$/, '');
      peers.set(peerId, { peerId, address, direction: connection.direction });
    }
    return [...peers.values()];
  }

  async open(peer: string, protocols: readonly string[], options: { signal: AbortSignal }): Promise<BitswapStream> {
    const [connection] = this.#connectionsTo(peer);
    if (connection === undefined) throw nodeError('ipfs-node/not-connected', `No connection to ${peer}`);
    const stream = await connection.newStream([...protocols], {
      signal: options.signal,
      maxOutboundStreams: inboundStreamsMax,
    });
    return toBitswapStream(stream);
  }

  #connectionsTo(peer: string): Connection[] {
    return this.#libp2p.getConnections(peerIdFromString(peer)).filter(({ status }) => status === 'open');
  }

  async #attach(): Promise<void> {
    const { protocols, onStream, onPeer, onPeerLost } = this.#options;
    for (const protocol of protocols) {
      await this.#libp2p.handle(
        protocol,
        (stream, connection) => onStream(connection.remotePeer.toString(), toBitswapStream(stream)),
        { maxInboundStreams: inboundStreamsMax, maxOutboundStreams: inboundStreamsMax },
      );
    }
    // Only identify tells whether a peer speaks bitswap.
    this.#libp2p.addEventListener('peer:identify', ({ detail }: CustomEvent<IdentifyResult>) => {
      const peer = detail.peerId.toString();
      const speaks = detail.protocols.some((protocol) => protocols.includes(protocol));
      if (speaks && this.#connectionsTo(peer).length > 0) onPeer(peer);
    });
    this.#libp2p.addEventListener('peer:disconnect', ({ detail }) => onPeerLost(detail.toString()));
  }
}

function parseAddress(address: string): { target: Multiaddr; peer: string } {
  try {
    const target = multiaddr(address);
    const last = target.getComponents().at(-1);
    if (last?.name === 'p2p' && last.value !== undefined) {
      return { target, peer: peerIdFromString(last.value).toString() };
    }
  } catch (error) {
    throw nodeError('ipfs-node/bad-address', `invalid peer address "${address}": ${errorMessage(error)}`, error);
  }
  throw nodeError('ipfs-node/bad-address', `invalid peer address "${address}": it must end in /p2p/ and a peer id`);
}

/** libp2p wraps what happened in errors of several layers; the first cause says it best. */
function innermost(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors[0]);
  return error instanceof Error && error.cause !== undefined ? innermost(error.cause) : error;
}

/** libp2p's errors as `debug` lines; its other lines, several per stream, are dropped. */
function quietLogger(logger: Logger): ComponentLogger {
  const forComponent = (component: string): Libp2pLogger => {
    const drop = (): void => {};
    const log: Libp2pLogger = Object.assign(drop, {
      enabled: false,
      trace: drop,
      error: (format: string, ...args: unknown[]) => {
        const cause = args.find((arg) => arg instanceof Error);
        logger.debug(format, { component, ...(cause === undefined ? {} : { cause: errorMessage(cause) }) });
      },
      newScope: () => log,
    });
    return log;
  };
  return { forComponent };
}
