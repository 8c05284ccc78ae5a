/**
 * What `daemon` hands to `assemble.ts`, and what it gets back.
 */
import type { Logger } from '../../base/index.ts';
import type { Identity, PeerFolder } from '../../io/config/index.ts';
import type { RaftConfig, ServiceConfig } from '../../model/config/index.ts';
import type { Multiaddr } from '../../model/index.ts';

export interface AssembleOptions {
  /** Loaded, checked, environment applied. */
  readonly config: ServiceConfig & { readonly raft: RaftConfig };
  readonly identity: Identity;
  /** Absolute paths. The folder is locked by the caller for as long as the peer runs. */
  readonly folder: PeerFolder;
  /**
   * Join a running cluster through these, each of which ends with `/p2p/<id>`. Not empty: data of an earlier membership
   * is moved away first (`RaftFolder.moveAway`), and the peer waits to be added instead of forming a cluster.
   */
  readonly bootstrap: readonly Multiaddr[];
  /** Lines of the peerstore file and `cluster.peer_addresses`: addresses to remember before anything is dialled. */
  readonly knownAddresses: readonly Multiaddr[];
  readonly log: Logger;
}

/** Where the doors of a running peer are, with the real ports when 0 was configured. */
export interface Endpoints {
  readonly restapi: readonly Multiaddr[];
  readonly ipfsproxy: readonly Multiaddr[];
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
  /** Addresses of the other members, best first, for the peerstore file. Each ends with `/p2p/<id>`. */
  knownAddresses(): readonly Multiaddr[];
  /** Idempotent, never rejects; the caller gives it 5 s and then ends the process. */
  stop(): Promise<void>;
}

/**
 * Builds a peer from its parts and starts it. Resolves when its doors listen, which is before it is ready; a rejection
 * (port in use, damaged log, …) leaves nothing running.
 */
export type Assemble = (options: AssembleOptions) => Promise<RunningPeer>;
