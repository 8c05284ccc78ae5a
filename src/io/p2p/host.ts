/**
 * The cluster's libp2p host: connections to members, streams on them, published messages.
 *
 * No DHT: members learn each other's addresses by RPC, which also works on loopback and in private networks.
 */
import { noise } from '@chainsafe/libp2p-noise';
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys';
import type { GossipSub } from '@libp2p/gossipsub';
import { identify, identifyPush } from '@libp2p/identify';
import type { Connection, Libp2p, PrivateKey, ServiceMap, Stream } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { tls } from '@libp2p/tls';
import type { Multiaddr as Libp2pMultiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Logger } from '../../base/index.ts';
import { errorCode, errorMessage } from '../../base/index.ts';
import type { ByteStream, CallOptions, Host, PubSub, Streams } from '../../cluster/ports.ts';
import type { BandwidthByProtocol, Multiaddr, PeerId } from '../../model/index.ts';
import { AddressBook, isListenable, type PeerAddress, parsePeerAddress } from './address-book.ts';
import { toByteStream } from './byte-stream.ts';
import { p2pError } from './errors.ts';
import { toComponentLogger } from './libp2p-logger.ts';
import { createOwnStream, type InboundStream, type Muxer, muxerFactory, muxerOf } from './muxer.ts';
import { agreementOf } from './negotiation.ts';
import { noiseCrypto } from './noise-cipher.ts';
import { createProtector, wrongSecretText } from './protector.ts';
import { type HostPubSub, type PubSubOptions, pubSubService, toPubSub } from './pubsub.ts';
import { sweepIntervalMs, Traffic } from './traffic.ts';

/** Go `host.DefaultDialTimeout` of the cluster, `cluster.dial_peer_timeout`. */
const dialTimeoutMsDefault = 3_000;
/** An address gets at least this long, even when a peer has many. */
const addressDialTimeoutMsMin = 500;
/** Stopping takes no longer, whatever remotes do. */
const stopTimeoutMs = 3_000;
/** Streams of one protocol on one connection; a Go peer opens one per call. */
const streamsPerProtocolMax = 8192;
/** A stranger that keeps trying gets one line in this time. */
const refusalLogMs = 60_000;
const livenessIntervalMs = 15_000;
/** Above the pauses that an overloaded machine has. */
const livenessTimeoutMs = 10_000;

/** What a host is made of. */
export interface HostOptions {
  /** The peer's private key in libp2p's protobuf form, as in `identity.json` (there in base64). */
  readonly privateKey: Uint8Array;
  /** 32 bytes of the private network; `null` is an open network. */
  readonly secret: Uint8Array | null;
  /** Addresses to listen on; those for transports other than TCP are skipped. */
  readonly listen: readonly Multiaddr[];
  /** When not empty, told to others in place of the listening addresses. */
  readonly announce?: readonly Multiaddr[];
  /** Exact addresses never told to others. */
  readonly noAnnounce?: readonly Multiaddr[];
  /** Default 3 s per peer. */
  readonly dialTimeoutMs?: number;
  /** Connections from which on idle ones are closed; default 400. */
  readonly connectionsHigh?: number;
  /** `null`: a host without published messages. */
  readonly pubsub?: PubSubOptions | null;
  /** What identify tells; default `ipfs-cluster-ts`. */
  readonly agentVersion?: string;
}

/** What a host needs of others. */
export interface HostDeps {
  readonly logger: Logger;
}

/**
 * Makes a host; it listens and dials once started.
 *
 * **Errors**: `p2p/bad-option` here; `p2p/listen` from `start`; `p2p/no-address`, `p2p/unreachable`, `p2p/wrong-secret`,
 * `p2p/unsupported-protocol` from `connect` and `open`, all refused: nothing of the caller was sent.
 */
export async function createHost(options: HostOptions, deps: HostDeps): Promise<Host> {
  let privateKey: PrivateKey;
  try {
    privateKey = privateKeyFromProtobuf(options.privateKey);
  } catch (error) {
    throw p2pError('bad-option', `Cannot use the private key: ${errorMessage(error)}`, { cause: error });
  }
  return Libp2pHost.create(options, privateKey, deps.logger.scope('p2p'));
}

interface HostServices extends ServiceMap {
  readonly pubsub?: GossipSub;
}

type Handler = (stream: ByteStream) => void;

class Libp2pHost implements Host, Streams {
  readonly self: PeerId;
  readonly #options: HostOptions;
  readonly #logger: Logger;
  readonly #book = new AddressBook();
  readonly #handlers = new Map<string, Handler>();
  /** Open connections, oldest first. */
  readonly #connections = new Map<PeerId, Connection[]>();
  readonly #peerOfMuxer = new WeakMap<Muxer, PeerId>();
  readonly #protocols = new Map<PeerId, readonly string[]>();
  readonly #dials = new Map<PeerId, Promise<Connection>>();
  readonly #traffic = new Traffic(performance.now());
  #sweeping: NodeJS.Timeout | undefined;
  #libp2p: Libp2p<HostServices> | undefined;
  #pubsub: HostPubSub | undefined;
  #state: 'new' | 'started' | 'stopped' = 'new';
  #quietUntilMs = 0;

  private constructor(options: HostOptions, self: PeerId, logger: Logger) {
    this.#options = options;
    this.self = self;
    this.#logger = logger;
  }

  static async create(options: HostOptions, privateKey: PrivateKey, logger: Logger): Promise<Libp2pHost> {
    const host = new Libp2pHost(options, peerIdFromPrivateKey(privateKey).toString(), logger);
    const protector = options.secret === null ? undefined : createProtector(options.secret, host.#onRefused);
    const listen = options.listen.filter(isListenable);
    if (listen.length === 0 && options.listen.length > 0) {
      throw p2pError('listen', `Cannot listen on ${quoted(options.listen)}: no TCP address among them`);
    }
    const dialTimeout = options.dialTimeoutMs ?? dialTimeoutMsDefault;
    const libp2p = await createLibp2p({
      start: false,
      privateKey,
      logger: toComponentLogger(logger),
      nodeInfo: { userAgent: options.agentVersion ?? 'ipfs-cluster-ts' },
      addresses: {
        listen,
        announce: [...(options.announce ?? [])],
        noAnnounce: [...(options.noAnnounce ?? [])],
      },
      transports: [tcp()],
      ...(protector === undefined ? {} : { connectionProtector: () => protector }),
      connectionEncrypters: [noise({ crypto: noiseCrypto }), tls()],
      streamMuxers: [
        muxerFactory(
          {
            isOurs: (protocol) => host.#handlers.has(protocol),
            accept: (inbound) => host.#accept(inbound),
          },
          host.#traffic,
        ),
      ],
      connectionManager: {
        maxConnections: options.connectionsHigh ?? 400,
        dialTimeout,
        addressDialTimeout: dialTimeout,
        inboundUpgradeTimeout: 10_000,
        // The stock limits guard public nodes; a cluster on one machine, restarting, comes from one address at once.
        inboundConnectionThreshold: 10_000,
        maxIncomingPendingConnections: 1024,
        maxParallelDials: 256,
      },
      connectionMonitor: { pingInterval: livenessIntervalMs, pingTimeout: { minTimeout: livenessTimeoutMs } },
      services: {
        identify: identify(),
        identifyPush: identifyPush(),
        ping: ping({ maxInboundStreams: 64, maxOutboundStreams: 64 }),
        ...(options.pubsub === null ? {} : { pubsub: pubSubService(options.pubsub ?? {}) }),
      },
    });
    host.#attach(libp2p);
    return host;
  }

  get streams(): Streams {
    return this;
  }

  get pubsub(): PubSub {
    const { pubsub } = this.#running();
    if (pubsub === undefined) throw p2pError('bad-option', 'This host was made without published messages');
    return pubsub;
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') return;
    const { libp2p, pubsub } = this.#running();
    try {
      await libp2p.start();
    } catch (error) {
      throw listenError(error);
    }
    pubsub?.onStarted();
    this.#sweeping = setInterval(() => this.#traffic.sweep(performance.now()), sweepIntervalMs).unref();
    this.#state = 'started';
  }

  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    clearInterval(this.#sweeping);
    const { libp2p, pubsub } = this.#running();
    pubsub?.onStopping();
    const { promise: timeout, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, stopTimeoutMs);
    try {
      await Promise.race([libp2p.stop(), timeout]);
    } catch (error) {
      this.#logger.debug('libp2p did not stop cleanly', { cause: errorMessage(error) });
    } finally {
      clearTimeout(timer);
    }
    for (const connection of [...this.#connections.values()].flat()) {
      connection.abort(p2pError('stopped', 'This host was stopped'));
    }
  }

  // ------------------------------------------------------------------------------------------------ addresses

  addresses(): readonly Multiaddr[] {
    return this.#running()
      .libp2p.getMultiaddrs()
      .map((address) => address.toString());
  }

  addressesOf(peer: PeerId): readonly Multiaddr[] {
    return this.#book.best(peer);
  }

  async addAddresses(addresses: readonly Multiaddr[]): Promise<void> {
    for (const text of addresses) {
      const parsed = parsePeerAddress(text);
      if (parsed?.peer !== undefined && parsed.peer !== this.self) this.#book.add(parsed.peer, [parsed.text]);
    }
  }

  async forget(peer: PeerId): Promise<void> {
    this.#book.forget(peer);
    for (const connection of this.#connections.get(peer) ?? []) {
      connection.close().catch((error: Error) => connection.abort(error));
    }
  }

  // ------------------------------------------------------------------------------------------------ connections

  connectedPeers(): readonly PeerId[] {
    return [...this.#connections.keys()];
  }

  bandwidth(): BandwidthByProtocol {
    return this.#traffic.snapshot();
  }

  async connect(peerOrAddress: PeerId | Multiaddr, options: CallOptions = {}): Promise<PeerId> {
    if (!peerOrAddress.startsWith('/')) {
      if (peerOrAddress === this.self) return this.self;
      await this.#connectionTo(peerOrAddress, options);
      return peerOrAddress;
    }
    const address = parsePeerAddress(peerOrAddress);
    if (address === undefined) {
      throw p2pError(
        'bad-address',
        `Cannot connect to "${peerOrAddress}": not a TCP address such as /ip4/…/tcp/…/p2p/…`,
      );
    }
    if (address.peer === this.self) return this.self;
    if (address.peer !== undefined) {
      this.#book.add(address.peer, [address.text]);
      await this.#connectionTo(address.peer, options, address);
      return address.peer;
    }
    const connection = await this.#dialOne(address, AbortSignal.timeout(this.#dialTimeoutMs(options)), options.signal);
    return connection.remotePeer.toString();
  }

  protocolsOf(peer: PeerId): readonly string[] | undefined {
    return this.#protocols.get(peer);
  }

  /** Shares a dial that is under way, unless an address is named that it may not know: that is tried next, before all others. */
  async #connectionTo(peer: PeerId, options: CallOptions, named?: PeerAddress): Promise<Connection> {
    const open = this.#openConnection(peer);
    if (open !== undefined) return open;
    const underWay = this.#dials.get(peer);
    if (underWay !== undefined && named === undefined) return await withinLimits(underWay, peer, options);
    const dial = this.#dialAfter(underWay, peer, named).finally(() => {
      if (this.#dials.get(peer) === dial) this.#dials.delete(peer);
    });
    this.#dials.set(peer, dial);
    return await withinLimits(dial, peer, options);
  }

  /** One after the other: libp2p would make two dials to a peer one. */
  async #dialAfter(
    underWay: Promise<Connection> | undefined,
    peer: PeerId,
    named: PeerAddress | undefined,
  ): Promise<Connection> {
    await underWay?.catch(() => {});
    return this.#openConnection(peer) ?? (await this.#dial(peer, named));
  }

  #openConnection(peer: PeerId): Connection | undefined {
    return this.#connections.get(peer)?.find((connection) => connection.status === 'open');
  }

  /**
   * Tries the known addresses one after the other, sharing the dial timeout among those that are left; one that is named comes first,
   * and may take half of it.
   */
  async #dial(peer: PeerId, named: PeerAddress | undefined): Promise<Connection> {
    if (this.#state !== 'started') throw p2pError('stopped', `Cannot connect to ${peer}: this host is not running`);
    const known = this.#book.of(peer).filter((text) => text !== named?.text);
    const addresses = [
      ...(named === undefined ? [] : [named]),
      ...known.flatMap((text) => parsePeerAddress(text) ?? []),
    ];
    if (addresses.length === 0) throw p2pError('no-address', `Cannot connect to ${peer}: no address known`);
    const start = performance.now();
    const timeoutMs = this.#dialTimeoutMs({});
    const causes: unknown[] = [];
    for (const [index, address] of addresses.entries()) {
      const leftMs = timeoutMs - (performance.now() - start);
      if (leftMs <= 0) break;
      const left = addresses.length - index;
      const budgetMs = Math.max(
        addressDialTimeoutMsMin,
        Math.ceil(leftMs / (address === named ? Math.min(left, 2) : left)),
      );
      try {
        return await this.#dialOne(address, AbortSignal.timeout(budgetMs));
      } catch (error) {
        // The remote may have reached us meanwhile.
        const open = this.#openConnection(peer);
        if (open !== undefined) return open;
        causes.push(error);
      }
    }
    const isWrongSecret = causes.some((cause) => errorCode(cause) === 'p2p/wrong-secret');
    const reasons = [...new Set(causes.map(errorMessage))].join('; ');
    throw p2pError(isWrongSecret ? 'wrong-secret' : 'unreachable', reasons, { cause: causes[0] });
  }

  async #dialOne(
    { peer, text, address }: PeerAddress,
    timeout: AbortSignal,
    signal?: AbortSignal,
  ): Promise<Connection> {
    try {
      const connection = await this.#running().libp2p.dial(address, {
        signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
      });
      // The remote may have reached us meanwhile, from a port that leads nowhere.
      if (connection.direction === 'outbound') {
        this.#book.confirm(connection.remotePeer.toString(), withPeer(connection.remoteAddr, connection));
      }
      return connection;
    } catch (error) {
      const reason = dialFailure(error, timeout);
      throw p2pError(
        reason === wrongSecretText ? 'wrong-secret' : 'unreachable',
        `Cannot connect to ${peer ?? 'a peer'} at "${text}": ${reason}`,
        { cause: error },
      );
    }
  }

  #dialTimeoutMs(options: CallOptions): number {
    return options.timeoutMs ?? this.#options.dialTimeoutMs ?? dialTimeoutMsDefault;
  }

  // ------------------------------------------------------------------------------------------------ streams

  async open(peer: PeerId, protocol: string, options: CallOptions = {}): Promise<ByteStream> {
    const connection = await this.#connectionTo(peer, options);
    const muxer = this.#protocols.get(peer)?.includes(protocol) === true ? muxerOf(connection) : undefined;
    if (muxer === undefined) return this.#openNegotiated(peer, protocol, connection, options);
    let stream: Stream;
    try {
      stream = await createOwnStream(muxer);
    } catch (error) {
      throw p2pError('unreachable', `Cannot open a stream to ${peer}: ${errorMessage(error)}`, { cause: error });
    }
    stream.protocol = protocol;
    const agreement = agreementOf(protocol);
    const traffic = this.#traffic.of(protocol);
    return toByteStream(stream, { remotePeer: peer, prefix: agreement, expectedAnswer: agreement, traffic });
  }

  handle(protocol: string, handler: Handler): void {
    this.#handlers.set(protocol, handler);
    // Registered for identify, and for dialers whose negotiation the muxer leaves to libp2p.
    this.#running()
      .libp2p.handle(
        protocol,
        (stream, connection) => handler(toByteStream(stream, { remotePeer: connection.remotePeer.toString() })),
        { maxInboundStreams: streamsPerProtocolMax, maxOutboundStreams: streamsPerProtocolMax },
      )
      .catch((error: unknown) =>
        this.#logger.error('cannot register a protocol', { protocol, cause: errorMessage(error) }),
      );
  }

  async #openNegotiated(
    peer: PeerId,
    protocol: string,
    connection: Connection,
    options: CallOptions,
  ): Promise<ByteStream> {
    const timeout = AbortSignal.timeout(this.#dialTimeoutMs(options));
    try {
      const stream = await connection.newStream(protocol, {
        signal: options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]),
        maxOutboundStreams: streamsPerProtocolMax,
      });
      return toByteStream(stream, { remotePeer: peer });
    } catch (error) {
      options.signal?.throwIfAborted();
      const isUnsupported = error instanceof Error && error.name === 'UnsupportedProtocolError';
      throw isUnsupported
        ? p2pError('unsupported-protocol', `${peer} does not speak ${protocol}`, { cause: error })
        : p2pError('unreachable', `Cannot open a stream to ${peer}: ${errorMessage(error)}`, { cause: error });
    }
  }

  #accept({ stream, protocol, early, muxer }: InboundStream): void {
    const handler = this.#handlers.get(protocol);
    const remotePeer = this.#peerOfMuxer.get(muxer);
    if (handler === undefined || remotePeer === undefined) {
      stream.abort(p2pError('unsupported-protocol', `no handler for ${protocol}`));
      return;
    }
    const agreement = agreementOf(protocol);
    const bytes = toByteStream(stream, { remotePeer, prefix: agreement, early, traffic: this.#traffic.of(protocol) });
    // A dialer that sent nothing more waits for the answer; to others it goes with the first bytes of the reply.
    if (early.length === 0) bytes.write(new Uint8Array(0)).catch(() => bytes.reset());
    handler(bytes);
  }

  // ------------------------------------------------------------------------------------------------ events of libp2p

  readonly #onRefused = (remote: string): void => {
    const nowMs = performance.now();
    if (nowMs < this.#quietUntilMs) return;
    this.#quietUntilMs = nowMs + refusalLogMs;
    this.#logger.warn(`refused a connection: ${wrongSecretText}`, { remote });
  };

  #running(): { readonly libp2p: Libp2p<HostServices>; readonly pubsub: HostPubSub | undefined } {
    if (this.#libp2p === undefined) throw p2pError('stopped', 'The host is not set up');
    return { libp2p: this.#libp2p, pubsub: this.#pubsub };
  }

  #attach(libp2p: Libp2p<HostServices>): void {
    this.#libp2p = libp2p;
    const { pubsub } = libp2p.services;
    this.#pubsub = pubsub === undefined ? undefined : toPubSub(pubsub, this.#logger);
    libp2p.addEventListener('connection:open', ({ detail: connection }) => {
      const peer = connection.remotePeer.toString();
      const muxer = muxerOf(connection);
      if (muxer !== undefined) this.#peerOfMuxer.set(muxer, peer);
      this.#connections.set(peer, [...(this.#connections.get(peer) ?? []), connection]);
    });
    libp2p.addEventListener('connection:close', ({ detail: connection }) => {
      const peer = connection.remotePeer.toString();
      const left = (this.#connections.get(peer) ?? []).filter((other) => other !== connection);
      if (left.length > 0) {
        this.#connections.set(peer, left);
      } else {
        this.#connections.delete(peer);
        // It may come back as another program.
        this.#protocols.delete(peer);
      }
    });
    libp2p.addEventListener('peer:identify', ({ detail }) => {
      const peer = detail.peerId.toString();
      if (!this.#connections.has(peer)) return;
      if (detail.protocols.length > 0) this.#protocols.set(peer, detail.protocols);
      const told = detail.listenAddrs.map((address) => withPeer(address, detail.connection));
      this.#book.tell(
        peer,
        told.filter((text) => parsePeerAddress(text) !== undefined),
      );
    });
  }
}

/** The address with `/p2p/<peer>` at its end. */
function withPeer(address: Libp2pMultiaddr, connection: Connection): string {
  const text = address.toString();
  return text.includes('/p2p/') ? text : `${text}/p2p/${connection.remotePeer.toString()}`;
}

function quoted(texts: readonly string[]): string {
  return texts.map((text) => `"${text}"`).join(', ');
}

/** Waits for a dial that others may share; giving up does not end it for them. */
async function withinLimits(dial: Promise<Connection>, peer: PeerId, options: CallOptions): Promise<Connection> {
  const { signal, timeoutMs } = options;
  if (signal === undefined && timeoutMs === undefined) return dial;
  signal?.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  const timer =
    timeoutMs === undefined || !Number.isFinite(timeoutMs)
      ? undefined
      : setTimeout(
          () => reject(p2pError('timeout', `Cannot connect to ${peer}: no answer in ${timeoutMs} ms`)),
          timeoutMs,
        );
  try {
    return await Promise.race([dial, promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    dial.catch(() => {});
  }
}

function dialFailure(error: unknown, timeout: AbortSignal): string {
  const text = errorMessage(error);
  if (text.includes(wrongSecretText)) return wrongSecretText;
  const refused = /\b(ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EPIPE)\b/.exec(text)?.[1];
  if (refused === 'ECONNREFUSED') return 'connection refused';
  if (refused !== undefined) return `connection failed (${refused})`;
  if (timeout.aborted) return 'no answer in time';
  return text;
}

function listenError(error: unknown): Error {
  const text = errorMessage(error);
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: 'the port is in use',
    EADDRNOTAVAIL: 'not an address of this machine',
    EACCES: 'not permitted',
  };
  for (const [code, reason] of Object.entries(reasons)) {
    const found = new RegExp(`^ *(/\\S+): .*\\b${code}\\b`, 'm').exec(text);
    if (found !== null) return p2pError('listen', `Cannot listen on "${found[1]}": ${reason}`, { cause: error });
  }
  return p2pError('listen', `Cannot start the libp2p host: ${text.trim().split('\n')[0]}`, { cause: error });
}
