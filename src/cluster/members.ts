/**
 * Keeps this peer connected to all members, and members and their IPFS nodes known to each other.
 *
 * Addresses travel by RPC: `Cluster.ID` of a member carries its own addresses and those it knows of others. That works
 * on loopback and in private networks, where there is no DHT to ask. Who is not connected is dialled again and again,
 * with a growing delay. What is known of members is saved as it changes: a peer that is killed finds them again by itself.
 */
import { type Clock, errorMessage, type Logger, LogLimit, type Random } from '../base/index.ts';
import { type Id, type Multiaddr, methods, nothing, type PeerId, peerIdOfMultiaddr } from '../model/index.ts';
import { Loop } from './loop.ts';
import type { AddressFile, Consensus, Host, IpfsConnector, Rpc } from './ports.ts';

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
  /** Absent: a start knows all addresses from elsewhere. */
  readonly addressFile?: AddressFile;
}

/** Keys of the configuration. */
export interface MembersOptions {
  /** Section `ipfs_connector.ipfshttp`; 0: IPFS nodes of members are not introduced to each other. */
  readonly connectSwarmsDelayMs: number;
  /** Section `cluster`: with as many connections to members no others are dialled before they are needed. Default: all are. */
  readonly connectionManager?: { readonly lowWater: number };
  /** Section `cluster`: members that are dialled in any case. */
  readonly peerAddresses?: readonly Multiaddr[];
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
/** Members that a line names. */
const namedMax = 5;
/** Of a reason in it, in characters: a member can have many addresses. */
const troubleLengthMax = 400;

interface Member {
  dialDelayMs: number;
  nextDialMs: number;
  /** When addresses are to be exchanged next; 0: at once. */
  nextExchangeMs: number;
  isBusy: boolean;
  wasConnected: boolean;
  /** Why it was not reached the last time. */
  trouble: string | undefined;
}

export class Members {
  readonly #deps: MembersDeps;
  readonly #connectionsLow: number;
  readonly #preferred: ReadonlySet<PeerId>;
  readonly #members = new Map<PeerId, Member>();
  readonly #loop: Loop;
  readonly #logLimit: LogLimit;
  /** Were members, and are still in the file. */
  readonly #left = new Set<PeerId>();
  /** What is in the file, with line breaks between. */
  #saved: string | undefined;
  #saving: Promise<void> = Promise.resolve();
  #savesUnderWay = 0;
  #isStopped = false;
  /** IPFS nodes are introduced to each other from this time on; `undefined`: never. */
  #introduceFromMs: number | undefined;

  constructor(deps: MembersDeps, options: MembersOptions) {
    this.#deps = deps;
    this.#connectionsLow = options.connectionManager?.lowWater ?? Number.POSITIVE_INFINITY;
    this.#preferred = new Set((options.peerAddresses ?? []).flatMap((address) => peerIdOfMultiaddr(address) ?? []));
    this.#logLimit = new LogLimit(deps.clock);
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
    this.#isStopped = true;
    await this.#loop.stop();
    await this.#saving;
  }

  /** Resolves when a start will know what is known of members now, or when that cannot be, which is told. */
  save(): Promise<void> {
    this.#savesUnderWay++;
    this.#saving = this.#saving.then(() => this.#save()).finally(() => this.#savesUnderWay--);
    return this.#saving;
  }

  /** One line on members that are not connected, and what helps; `undefined` when all are. */
  async whoIsMissing(): Promise<string | undefined> {
    const { consensus, host, addressFile } = this.#deps;
    const others = (await consensus.peers()).filter((peer) => peer !== host.self);
    const connected = new Set(host.connectedPeers());
    const missing = others.filter((peer) => !connected.has(peer));
    if (missing.length === 0) return undefined;
    const named = missing.slice(0, namedMax).map((peer) => {
      if (host.addressesOf(peer).length === 0) return `${peer}: no address known`;
      const trouble = this.#members.get(peer)?.trouble ?? `${peer} has not answered yet`;
      return trouble.length > troubleLengthMax ? `${trouble.slice(0, troubleLengthMax)} …` : trouble;
    });
    const more = missing.length > namedMax ? `; and ${missing.length - namedMax} more` : '';
    const place =
      addressFile === undefined ? '' : ` write where they listen into "${addressFile.path}", one address a line, or`;
    return (
      `${missing.length} of ${others.length} other members are not reached (${named.join('; ')}${more}). If they run,` +
      `${place} start this peer with --bootstrap /ip4/<where one listens>/tcp/<port>/p2p/<its id>`
    );
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
    const all = await consensus.peers();
    const peers = new Set(all.filter((peer) => peer !== host.self));
    for (const gone of this.#members.keys()) {
      if (peers.has(gone)) continue;
      this.#members.delete(gone);
      // One that has been removed itself needs the others to come back.
      if (all.includes(host.self)) this.#left.add(gone);
    }
    for (const peer of peers) this.#left.delete(peer);
    const connected = new Set(host.connectedPeers());
    /** To members, open or about to be. Those of strangers must not keep members away. */
    let connections = [...peers].filter((peer) => connected.has(peer)).length;
    for (const peer of this.#inOrderOfDialling(peers)) {
      const member = this.#memberOf(peer);
      const isConnected = connected.has(peer);
      if (isConnected && !member.wasConnected) {
        member.nextExchangeMs = 0;
        this.#deps.onConnected(peer);
      }
      member.wasConnected = isConnected;
      if (isConnected) {
        member.dialDelayMs = dialDelayMinMs;
        member.trouble = undefined;
      }
      if (member.isBusy) {
        if (!isConnected) connections += 1;
        continue;
      }
      // Nobody waits for anybody: a peer that hangs must not delay the others.
      if (isConnected && member.nextExchangeMs <= clock.now()) void this.#exchange(peer, member, signal);
      if (isConnected || member.nextDialMs > clock.now()) continue;
      if (connections >= this.#connectionsLow && !this.#preferred.has(peer)) continue;
      connections += 1;
      void this.#dial(peer, member, signal);
    }
    // A disk that hangs holds up nobody.
    if (this.#savesUnderWay === 0) void this.save();
    return lookIntervalMs;
  }

  /** Where not all are dialled: preferred ones first, and others than another peer dials. */
  #inOrderOfDialling(peers: ReadonlySet<PeerId>): readonly PeerId[] {
    if (peers.size <= this.#connectionsLow) return [...peers];
    const [preferred, others]: [PeerId[], PeerId[]] = [[], []];
    for (const peer of peers) (this.#preferred.has(peer) ? preferred : others).push(peer);
    const start = this.#deps.random.integer(Math.max(1, others.length));
    return [...preferred, ...others.slice(start), ...others.slice(0, start)];
  }

  async #save(): Promise<void> {
    const { addressFile, consensus, host, logger } = this.#deps;
    // The folder is somebody else's after the end.
    if (addressFile === undefined || this.#isStopped) return;
    try {
      const peers = await consensus.peers();
      // Whoever is no member has nobody to find again; one that was removed keeps what it has.
      if (!peers.includes(host.self)) return;
      const addresses = peers.flatMap((peer) => (peer === host.self ? [] : host.addressesOf(peer)));
      const left = [...this.#left];
      const text = addresses.join('\n');
      if (left.length === 0 && text === this.#saved) return;
      await addressFile.save(addresses, left);
      this.#saved = text;
      for (const peer of left) this.#left.delete(peer);
    } catch (error) {
      if (this.#logLimit.allows('save')) {
        logger.warn('the addresses of members are not saved: killed now, this peer would not find them again', {
          error: errorMessage(error),
        });
      }
    }
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
        trouble: undefined,
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
      member.trouble = errorMessage(error);
      logger.debug('member not reached', { peer, error: member.trouble });
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
