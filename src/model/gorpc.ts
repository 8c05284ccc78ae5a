/**
 * What gorpc writes around arguments and replies.
 * Source: go-libp2p-gorpc `ServiceID`, `Response`, `ErrorType`.
 */

export interface ServiceId {
  readonly service: string;
  readonly method: string;
}

/** Position is the wire value: the method's own error, or one of the RPC layer. */
export const rpcErrorTypes = { application: 0, server: 1, client: 2, authorization: 3 } as const;
export type RpcErrorType = keyof typeof rpcErrorTypes;

/** The header in front of each reply; an empty `error` means success. */
export interface RpcResponse {
  readonly serviceId: ServiceId;
  readonly error: string;
  readonly errorType: RpcErrorType;
}
