/**
 * What gorpc writes around arguments and replies.
 * Source: go-libp2p-gorpc `ServiceID`, `Response`, `ErrorType`.
 */

/** The name of a method on the wire. */
export interface ServiceId {
  readonly service: string;
  readonly method: string;
}

/** Position is the wire value: the method's own error, or one of the RPC layer. */
export const rpcErrorTypes = { application: 0, server: 1, client: 2, authorization: 3 } as const;
/** Who failed: the method, or a part of the RPC layer. */
export type RpcErrorType = keyof typeof rpcErrorTypes;

/** The header in front of each reply; an empty `error` means success. */
export interface RpcResponse {
  readonly serviceId: ServiceId;
  readonly error: string;
  readonly errorType: RpcErrorType;
}
