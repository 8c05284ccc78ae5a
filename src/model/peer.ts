/**
 * Peers and what they tell of themselves.
 * Source: Go `api/types.go` `ID`, `IPFSID`, `ConnectGraph`, `Version`.
 */

/** The text form of a libp2p peer id (base58btc of its multihash), as in `12D3KooW…` and `Qm…`. */
export type PeerId = string;

/** The text form of a multiaddr. Unknown protocols are kept as text, never refused. */
export type Multiaddr = string;

/** The IPFS node of a peer. */
export interface IpfsId {
  /** Empty when the IPFS node has not answered. */
  readonly id: PeerId;
  readonly addresses: readonly Multiaddr[] | null;
  readonly error: string;
}

/** What `Cluster.ID` answers. */
export interface Id {
  readonly id: PeerId;
  /** Listening addresses with `/p2p/<id>`. */
  readonly addresses: readonly Multiaddr[] | null;
  readonly clusterPeers: readonly PeerId[] | null;
  readonly clusterPeersAddresses: readonly Multiaddr[] | null;
  readonly version: string;
  readonly commit: string;
  readonly rpcProtocolVersion: string;
  readonly error: string;
  /** `null`: the Go zero value (prints as an object of empty fields in JSON). */
  readonly ipfs: IpfsId | null;
  readonly peername: string;
}

/** The version of a peer. */
export interface Version {
  readonly version: string;
}

/** Connectivity of the cluster as one peer sees it; keys are peer ids. */
export interface ConnectGraph {
  readonly clusterId: PeerId;
  readonly idToPeername: Readonly<Record<PeerId, string>> | null;
  readonly ipfsLinks: Readonly<Record<PeerId, readonly PeerId[]>> | null;
  readonly clusterLinks: Readonly<Record<PeerId, readonly PeerId[]>> | null;
  readonly clusterTrustLinks: Readonly<Record<PeerId, boolean>> | null;
  readonly clusterToIpfs: Readonly<Record<PeerId, PeerId>> | null;
}
