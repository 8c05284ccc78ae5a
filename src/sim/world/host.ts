/**
 * The port `Host` on the virtual network, for one life of a peer: connections that are dialled and lost, streams on them, messages
 * to all. A peer that dies is noticed by the others when they can hear of it.
 */
import { OperatingError } from '../../base/index.ts';
import type { ByteStream, CallOptions, Host, PubSub, Streams } from '../../cluster/ports.ts';
import { type BandwidthByProtocol, type Multiaddr, type PeerId, peerIdOfMultiaddr } from '../../model/index.ts';
import type { Network, Port } from './network.ts';
import { streamError, VirtualStream } from './stream.ts';

const dialTimeoutMs = 3000;
/** A lost request to connect is sent again. */
const dialRetryMs = 1000;

type Handler = (stream: ByteStream) => void;

/** One side of a connection. */
class Connection {
  readonly own: VirtualHost;
  readonly streams: Set<VirtualStream> = new Set();
  readonly #remote: PeerId;
  readonly #network: Network;
  /** Ends of questions about protocols. */
  readonly #asking = new Set<() => void>();
  #other: Connection | undefined;
  isOpen = true;
  /** What the other side handles, as it told last. */
  protocols: readonly string[] | undefined;

  private constructor(own: VirtualHost, remote: PeerId, network: Network) {
    this.own = own;
    this.#remote = remote;
    this.#network = network;
  }

  /** Connects two hosts; each soon knows what the other handles. @returns the side of the first. */
  static between(a: VirtualHost, b: VirtualHost, network: Network): Connection {
    const ofA = new Connection(a, b.self, network);
    const ofB = new Connection(b, a.self, network);
    ofA.#other = ofB;
    ofB.#other = ofA;
    a.connected(b.self, ofA);
    b.connected(a.self, ofB);
    ofA.tellProtocols();
    ofB.tellProtocols();
    return ofA;
  }

  get other(): Connection {
    if (this.#other === undefined) throw new TypeError('A connection has two sides');
    return this.#other;
  }

  tellProtocols(): void {
    const protocols = this.own.protocols();
    this.#send(() => {
      this.other.protocols = protocols;
    });
  }

  /** The stream is there at once: what the other side says of its protocol comes later. */
  open(protocol: string): VirtualStream {
    const { other, own } = this;
    const there = this.#network.lane(own.self, this.#remote);
    const back = this.#network.lane(this.#remote, own.self);
    const near = new VirtualStream(this.#remote, there, (stream) => this.streams.delete(stream));
    const far = new VirtualStream(own.self, back, (stream) => other.streams.delete(stream));
    VirtualStream.join(near, far);
    this.streams.add(near);
    there(() => {
      if (!other.isOpen) return;
      other.streams.add(far);
      if (other.own.accept(protocol, far)) return;
      const refusal = streamError(
        'unsupported-protocol',
        this.#remote,
        `is for ${protocol}, which is not spoken there`,
      );
      far.fail(refusal);
      back(() => near.fail(refusal));
    });
    return near;
  }

  /** Whether the other side speaks it; asked on the way there and back. */
  agree(protocol: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const lost = (): void => reject(connectionLost(this.#remote));
      this.#asking.add(lost);
      this.#send(() => {
        const isSpoken = this.other.own.protocols().includes(protocol);
        this.other.#send(() => {
          this.#asking.delete(lost);
          resolve(isSpoken);
        });
      });
    });
  }

  /** This side ends it; the other learns of it when it can. */
  close(): void {
    if (!this.isOpen) return;
    this.#end();
    this.#tellEnd();
  }

  /** The peer of this side is gone: nothing here notices. */
  abandon(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    for (const stream of this.streams) stream.abandon();
    this.#tellEnd();
  }

  /** Gone under both sides, and both notice. */
  lose(): void {
    this.#end();
    this.other.#end();
  }

  #tellEnd(): void {
    this.#network.lane(this.own.self, this.#remote)(() => this.other.#end());
  }

  #end(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.own.disconnected(this.#remote, this);
    for (const lost of this.#asking) lost();
    this.#asking.clear();
    for (const stream of [...this.streams])
      stream.fail(streamError('stream-lost', this.#remote, 'was lost', 'unknown'));
  }

  /** Arrives only while the connection is open. */
  #send(arrive: () => void): void {
    this.#network.lane(
      this.own.self,
      this.#remote,
    )(() => {
      if (this.isOpen && this.other.isOpen) arrive();
    });
  }
}

export class VirtualHost implements Host, Streams, PubSub {
  readonly #network: Network;
  readonly #port: Port;
  readonly #handlers = new Map<string, Handler>();
  readonly #subscribers = new Map<string, (from: PeerId, data: Uint8Array) => void>();
  readonly #connections = new Map<PeerId, Connection>();
  readonly #dials = new Map<PeerId, Promise<Connection>>();
  readonly #endsOfDials = new Set<() => void>();
  readonly #addresses = new Map<PeerId, Set<Multiaddr>>();
  #isStopped = false;

  /** `known`: addresses as a peerstore has them. */
  constructor(network: Network, port: Port, known: readonly Multiaddr[]) {
    this.#network = network;
    this.#port = port;
    port.host = this;
    this.#learn(known);
  }

  get self(): PeerId {
    return this.#port.id;
  }

  get streams(): Streams {
    return this;
  }

  get pubsub(): PubSub {
    return this;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const end of [...this.#endsOfDials]) end();
    for (const connection of [...this.#connections.values()]) connection.close();
  }

  /** The others hear of it: the machine of a dead process says so. */
  died(): void {
    this.#isStopped = true;
    for (const connection of this.#connections.values()) connection.abandon();
  }

  // ------------------------------------------------------------------------------------------------ addresses

  addresses(): readonly Multiaddr[] {
    return [addressOf(this.self)];
  }

  addressesOf(peer: PeerId): readonly Multiaddr[] {
    return [...(this.#addresses.get(peer) ?? [])];
  }

  async addAddresses(addresses: readonly Multiaddr[]): Promise<void> {
    this.#learn(addresses);
  }

  async forget(peer: PeerId): Promise<void> {
    this.#addresses.delete(peer);
    this.#connections.get(peer)?.close();
  }

  #learn(addresses: readonly Multiaddr[]): void {
    for (const address of addresses) {
      const peer = peerIdOfMultiaddr(address);
      if (peer === undefined || peer === this.self) continue;
      this.#addresses.set(peer, (this.#addresses.get(peer) ?? new Set()).add(address));
    }
  }

  // ------------------------------------------------------------------------------------------------ connections

  bandwidth(): BandwidthByProtocol {
    return {};
  }

  connectedPeers(): readonly PeerId[] {
    return [...this.#connections.keys()];
  }

  connectionTo(peer: PeerId): Connection | undefined {
    return this.#connections.get(peer);
  }

  async connect(peerOrAddress: PeerId | Multiaddr, options: CallOptions = {}): Promise<PeerId> {
    const peer = peerOrAddress.startsWith('/') ? (peerIdOfMultiaddr(peerOrAddress) ?? '') : peerOrAddress;
    if (peer === this.self) return peer;
    if (peerOrAddress.startsWith('/')) this.#learn([peerOrAddress]);
    await this.#connectionWith(peer, options);
    return peer;
  }

  protocolsOf(peer: PeerId): readonly string[] | undefined {
    return this.#connections.get(peer)?.protocols;
  }

  connected(peer: PeerId, connection: Connection): void {
    this.#connections.set(peer, connection);
  }

  disconnected(peer: PeerId, connection: Connection): void {
    if (this.#connections.get(peer) === connection) this.#connections.delete(peer);
  }

  /** Streams that have not ended, of all connections. */
  get openStreams(): number {
    let sum = 0;
    for (const { streams } of this.#connections.values()) sum += streams.size;
    return sum;
  }

  protocols(): readonly string[] {
    return [...this.#handlers.keys()];
  }

  async #connectionWith(peer: PeerId, options: CallOptions): Promise<Connection> {
    const known = this.#connections.get(peer);
    if (known !== undefined) return known;
    let dial = this.#dials.get(peer);
    if (dial === undefined) {
      dial = this.#dial(peer).finally(() => this.#dials.delete(peer));
      this.#dials.set(peer, dial);
    }
    return await this.#within(dial, peer, options);
  }

  #dial(peer: PeerId): Promise<Connection> {
    const { clock } = this.#port;
    const network = this.#network;
    if (this.#isStopped) return Promise.reject(notRunning(peer));
    if (!this.#addresses.has(peer)) {
      return Promise.reject(hostError('no-address', `Cannot connect to ${peer}: no address known`));
    }
    return new Promise((resolve, reject) => {
      let cancelRetry = (): void => {};
      const end = (act: () => void): void => {
        if (!this.#endsOfDials.delete(stop) || !this.#port.isAlive) return;
        cancelLimit();
        cancelRetry();
        act();
      };
      const stop = (): void => end(() => reject(notRunning(peer)));
      const fail = (reason: string): void =>
        end(() => reject(hostError('unreachable', `Cannot connect to ${peer}: ${reason}`)));
      const meet = (remote: VirtualHost): void => {
        if (remote.#isStopped) fail('connection refused');
        // Both may have dialled.
        else end(() => resolve(this.#connections.get(peer) ?? Connection.between(this, remote, network)));
      };
      const ask = (): void => {
        network.post(this.self, peer, () => {
          const remote = network.portOf(peer)?.host;
          network.post(peer, this.self, () => (remote === undefined ? fail('connection refused') : meet(remote)));
        });
        cancelRetry = clock.after(dialRetryMs, ask);
      };
      const cancelLimit = clock.after(dialTimeoutMs, () => fail('no answer in time'));
      this.#endsOfDials.add(stop);
      ask();
    });
  }

  /** Giving up does not end a dial that others may share. */
  #within<T>(wait: Promise<T>, peer: PeerId, { signal, timeoutMs }: CallOptions): Promise<T> {
    if (signal === undefined && timeoutMs === undefined) return wait;
    return new Promise((resolve, reject) => {
      const abort = (): void => settle(() => reject(signal?.reason));
      const cancel =
        timeoutMs === undefined
          ? undefined
          : this.#port.clock.after(timeoutMs, () =>
              settle(() => reject(hostError('timeout', `Cannot connect to ${peer}: no answer in ${timeoutMs} ms`))),
            );
      const settle = (act: () => void): void => {
        cancel?.();
        signal?.removeEventListener('abort', abort);
        act();
      };
      if (signal?.aborted === true) abort();
      else signal?.addEventListener('abort', abort, { once: true });
      wait.then(
        (value) => settle(() => resolve(value)),
        (error: unknown) => settle(() => reject(error)),
      );
    });
  }

  // ------------------------------------------------------------------------------------------------ streams

  async open(peer: PeerId, protocol: string, options: CallOptions = {}): Promise<ByteStream> {
    const connection = await this.#connectionWith(peer, options);
    if (connection.protocols?.includes(protocol) !== true) {
      // As the real host: where it is not known yet, the answer is waited for.
      const isSpoken = await this.#within(connection.agree(protocol), peer, { timeoutMs: dialTimeoutMs, ...options });
      if (!isSpoken) throw hostError('unsupported-protocol', `${peer} does not speak ${protocol}`);
    }
    if (!connection.isOpen) throw connectionLost(peer);
    return connection.open(protocol);
  }

  handle(protocol: string, handler: Handler): void {
    this.#handlers.set(protocol, handler);
    for (const connection of this.#connections.values()) connection.tellProtocols();
  }

  /** @returns whether there is someone for it. */
  accept(protocol: string, stream: VirtualStream): boolean {
    const handler = this.#handlers.get(protocol);
    handler?.(stream);
    return handler !== undefined;
  }

  // ------------------------------------------------------------------------------------------------ messages to all

  async publish(topic: string, data: Uint8Array): Promise<void> {
    for (const peer of [...this.#connections.keys()].sort()) {
      const copy = data.slice();
      this.#network.post(this.self, peer, () => {
        const remote = this.#network.portOf(peer)?.host;
        if (remote?.connectionTo(this.self) === undefined) return;
        remote.#subscribers.get(topic)?.(this.self, copy);
      });
    }
  }

  subscribe(topic: string, onMessage: (from: PeerId, data: Uint8Array) => void): void {
    this.#subscribers.set(topic, onMessage);
  }
}

/** Where a peer listens; nobody asks which port it is. */
export function addressOf(peer: PeerId): Multiaddr {
  return `/ip4/127.0.0.1/tcp/9096/p2p/${peer}`;
}

function notRunning(peer: PeerId): OperatingError {
  return hostError('stopped', `Cannot connect to ${peer}: this host is not running`);
}

function connectionLost(peer: PeerId): OperatingError {
  return hostError('unreachable', `Cannot open a stream to ${peer}: the connection is lost`);
}

function hostError(
  kind: 'stopped' | 'no-address' | 'unreachable' | 'timeout' | 'unsupported-protocol',
  text: string,
): OperatingError {
  return new OperatingError(`p2p/${kind}`, text);
}
