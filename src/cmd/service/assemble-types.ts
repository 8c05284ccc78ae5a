/**
 * What `daemon` hands to `assemble.ts`, and what it gets back.
 */
import type { Clock, Logger } from '../../base/index.ts';
import type { ClusterApi, PinsetObserver } from '../../cluster/ports.ts';
import type { Identity, PeerFolder } from '../../io/config/index.ts';
import type { RaftConfig, ServiceConfig } from '../../model/config/index.ts';
import type { Alert, Multiaddr, PeerId } from '../../model/index.ts';

/** What a peer is built from. */
export interface AssembleOptions {
  /** Loaded, checked, environment applied. */
  readonly config: ServiceConfig & { readonly raft: RaftConfig };
  readonly identity: Identity;
  /** Absolute paths. The folder is locked by the caller for as long as the peer runs. */
  readonly folder: PeerFolder;
  /**
   * Join a running cluster through these, each of which ends with `/p2p/<id>`. Not empty: data of another cluster, as
   * they say, is moved away first (`RaftFolder.beginAnew`), and the peer waits to be added instead of forming a cluster. A member that
   * is not confirmed to be one asks to join again.
   */
  readonly bootstrap: readonly Multiaddr[];
  /** A peer that is a member by its own data goes on with it, whoever is in `bootstrap`. Default false. */
  readonly joinsOnce?: boolean;
  /** Lines of the peerstore file and `cluster.peer_addresses`: addresses to remember before anything is dialled. */
  readonly knownAddresses: readonly Multiaddr[];
  readonly log: Logger;
  /** Told of what happens in the peer. */
  readonly observer?: PeerObserver;
}

/** Consequences of agreement, for whoever looks on. Called synchronously: must not wait for anything, must not throw. */
export interface PeerObserver extends PinsetObserver {
  /** Leader or members, in ascending order, may have changed. */
  onMembership(members: readonly PeerId[], leader: PeerId | undefined): void;
  onAlert(alert: Alert): void;
}

/** Where the doors of a running peer are, with the real ports when 0 was configured. */
export interface Endpoints {
  readonly restapi: readonly Multiaddr[];
  readonly pinsvcapi: readonly Multiaddr[];
  readonly ipfsproxy: readonly Multiaddr[];
  /** HTTP APIs over libp2p, with `/p2p/<id>` of the host that serves them. */
  readonly libp2pHttp: readonly Multiaddr[];
  /** Kubo RPC of the IPFS node that this peer uses, embedded or not. */
  readonly ipfs: Multiaddr;
}

export interface RunningPeer {
  /** Listening addresses of the cluster's libp2p host, with `/p2p/<id>`. */
  readonly addresses: readonly Multiaddr[];
  readonly endpoints: Endpoints;
  /** Resolves when consensus is ready and IPFS has answered. Rejects when that cannot happen any more. */
  readonly ready: Promise<void>;
  /**
   * Resolves with the cause when the peer cannot go on (damaged log, full disk). Never rejects. Code `cluster/removed`:
   * others have removed this peer; that is an orderly end.
   */
  readonly failed: Promise<Error>;
  /** Idempotent, never rejects; the caller gives it 5 s and then ends the process. */
  stop(): Promise<void>;
}

/** A running peer for whoever speaks to it in the process. */
export interface AssembledPeer extends RunningPeer {
  readonly cluster: ClusterApi;
  /** The time that the peer runs by. */
  readonly clock: Clock;
  /** `undefined` while there is none. */
  leader(): PeerId | undefined;
  /** Size of the pinset. */
  pinCount(): number;
}

/**
 * Builds a peer from its parts and starts it. Resolves when its doors listen, which is before it is ready; a rejection
 * (port in use, damaged log, …) leaves nothing running.
 */
export type Assemble = (options: AssembleOptions) => Promise<RunningPeer>;
