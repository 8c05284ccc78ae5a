/**
 * The RPC methods of a peer: one row each, with codecs and the trust that a remote caller needs.
 * Server, client and tests derive from this table. Source: Go `rpc_api.go`, `rpc_policy.go`.
 */
import type { Codec } from './codec.ts';

/** open: any peer of the swarm; trusted: peers that this peer trusts; closed: calls from inside the process only. */
export type RpcTrust = 'open' | 'trusted' | 'closed';

export interface RpcMethod<A, R> {
  readonly kind: 'unary';
  readonly service: string;
  readonly name: string;
  readonly trust: RpcTrust;
  readonly argument: Codec<A>;
  readonly reply: Codec<R>;
}

export interface RpcStreamMethod<A, R> {
  readonly kind: 'stream';
  readonly service: string;
  readonly name: string;
  readonly trust: RpcTrust;
  readonly argument: Codec<A>;
  readonly reply: Codec<R>;
}
