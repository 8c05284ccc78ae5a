/**
 * Keeps this peer connected to all members, and members and their IPFS nodes known to each other.
 *
 * Addresses travel by RPC: `Cluster.ID` of a member carries its own addresses and those it knows of others. That works
 * on loopback and in private networks, where there is no DHT to ask. Who is not connected is dialled again and again,
 * with a growing delay.
 */
import { type Clock, errorMessage, type Logger, type Random } from '../base/index.ts';
import { type Id, methods, nothing, type PeerId } from '../model/index.ts';
import { Loop } from './loop.ts';
import type { Consensus, Host, IpfsConnector, Rpc } from './ports.ts';

export interface MembersDeps {
  readonly host: Host;
  readonly rpc: Rpc;
  readonly consensus: Consensus;
  readonly ipfs: IpfsConnector;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** A member is connected that was not before. */
  readonly onConnected: (peer: PeerId) => void;
}

/** Between looks at who is connected. */
const lookIntervalMs = 2000;
/** Between exchanges of addresses with a member that stays connected. */
const exchangeIntervalMs = 60_000;
const idTimeoutMs = 5000;
const dialTimeoutMs = 5000;
const dialDelayMinMs = 1000;
const dialDelayMaxMs = 60_000;
const swarmConnectTimeoutMs = 10_000;

interface Member {
  dialDelayMs: number;
  nextDialMs: number;
  /** When addresses are to be exchanged next; 0: at once. */
  nextExchangeMs: number;
  isBusy: boolean;
  wasConnected: boolean;
}

export class Members {
  readonly #deps: MembersDeps;
  readonly #members = new Map<PeerId, Member>();
  readonly #loop: Loop;
  /** IPFS nodes are introduced to each other from this time on; `undefined`: never. */
  #introduceFromMs: number | undefined;

  constructor(deps: MembersDeps, options: { readonly connectSwarmsDelayMs: number }) {
    this.#deps = deps;
    this.#loop = new Loop('keeping members connected', lookIntervalMs, deps, (signal) => this.#look(signal));
    if (options.connectSwarmsDelayMs > 0) {
      deps.ipfs.onUp(() => {
        this.#introduceFromMs ??= deps.clock.now() + options.connectSwarmsDelayMs;
        // The node may have come back without its connections.
        for (const member of this.#members.values()) member.nextExchangeMs = this.#introduceFromMs;
      });
    }
  }

  start(): void {
    this.#loop.wake();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  /** Looks at everyone again now: members have changed. */
  refresh(): void {
    for (const member of this.#members.values()) member.nextExchangeMs = 0;
    this.#loop.wake();
  }

  /** Remembers what a member has told about itself and others. */
  async learn(id: Id): Promise<void> {
    const known = [...(id.addresses ?? []), ...(id.clusterPeersAddresses ?? [])];
    await this.#deps.host.addAddresses(known.filter((address) => !address.endsWith(`/p2p/${this.#deps.host.self}`)));
  }

  async #look(signal: AbortSignal): Promise<number> {
    const { consensus, host, clock } = this.#deps;
    const peers = new Set((await consensus.peers()).filter((peer) => peer !== host.self));
    for (const gone of this.#members.keys()) if (!peers.has(gone)) this.#members.delete(gone);
    const connected = new Set(host.connectedPeers());
    for (const peer of peers) {
      const member = this.#memberOf(peer);
      const isConnected = connected.has(peer);
      if (isConnected && !member.wasConnected) {
        member.nextExchangeMs = 0;
        this.#deps.onConnected(peer);
      }
      member.wasConnected = isConnected;
      if (isConnected) member.dialDelayMs = dialDelayMinMs;
      if (member.isBusy) continue;
      // Nobody waits for anybody: a peer that hangs must not delay the others.
      if (isConnected && member.nextExchangeMs <= clock.now()) void this.#exchange(peer, member, signal);
      else if (!isConnected && member.nextDialMs <= clock.now()) void this.#dial(peer, member, signal);
    }
    return lookIntervalMs;
  }

  #memberOf(peer: PeerId): Member {
    let member = this.#members.get(peer);
    if (member === undefined) {
      member = {
        dialDelayMs: dialDelayMinMs,
        nextDialMs: 0,
        nextExchangeMs: 0,
        isBusy: false,
        wasConnected: false,
      };
      this.#members.set(peer, member);
    }
    return member;
  }

  async #dial(peer: PeerId, member: Member, signal: AbortSignal): Promise<void> {
    const { host, clock, random, logger } = this.#deps;
    member.isBusy = true;
    try {
      await host.connect(peer, { signal, timeoutMs: dialTimeoutMs });
    } catch (error) {
      logger.debug('member not reached', { peer, error: errorMessage(error) });
    }
    // Half of the delay is random, so that members that come back are not dialled by all at once.
    const delayMs = member.dialDelayMs / 2 + (member.dialDelayMs / 2) * (random.integer(1024) / 1024);
    member.nextDialMs = clock.now() + delayMs;
    member.dialDelayMs = Math.min(dialDelayMaxMs, member.dialDelayMs * 2);
    member.isBusy = false;
  }

  async #exchange(peer: PeerId, member: Member, signal: AbortSignal): Promise<void> {
    const { rpc, clock, logger } = this.#deps;
    member.isBusy = true;
    try {
      const id = await rpc.call(peer, methods.Cluster.ID, nothing, { signal, timeoutMs: idTimeoutMs });
      await this.learn(id);
      const nowMs = clock.now();
      const introduceMs = this.#introduceFromMs ?? nowMs;
      member.nextExchangeMs = introduceMs > nowMs ? introduceMs : nowMs + exchangeIntervalMs;
      await this.#introduce(id, signal);
    } catch (error) {
      logger.debug('no id from member', { peer, error: errorMessage(error) });
      member.nextExchangeMs = clock.now() + dialDelayMinMs;
    }
    member.isBusy = false;
  }

  /** Connects our IPFS node to the member's, so that they fetch content from each other. */
  async #introduce(id: Id, signal: AbortSignal): Promise<void> {
    const { ipfs, clock, logger } = this.#deps;
    const from = this.#introduceFromMs;
    if (from === undefined || clock.now() < from || !ipfs.isUp()) return;
    if (id.ipfs === null || id.ipfs.id === '') return;
    const linked = await ipfs.swarmPeers({ signal, timeoutMs: idTimeoutMs });
    if (linked.includes(id.ipfs.id)) return;
    const own = await ipfs.id({ signal, timeoutMs: idTimeoutMs });
    if (id.ipfs.id === own.id) return;
    for (const address of id.ipfs.addresses ?? []) {
      try {
        await ipfs.connectSwarm(address, { signal, timeoutMs: swarmConnectTimeoutMs });
        return;
      } catch (error) {
        logger.debug('IPFS node of member not reached', { peer: id.id, address, error: errorMessage(error) });
      }
    }
  }
}
