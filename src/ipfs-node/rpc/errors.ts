/** Requests that cannot be served. Texts are Kubo's. */
import { OperatingError } from '../../base/index.ts';

export type RpcErrorCode =
  /** Answered as 400 with the text, as go-ipfs-cmds does before a command runs. */
  | 'ipfs-rpc/bad-request'
  | 'ipfs-rpc/bad-option'
  | 'ipfs-rpc/bad-upload'
  | 'ipfs-rpc/bad-car'
  | 'ipfs-rpc/bad-block'
  | 'ipfs-rpc/not-pinned'
  | 'ipfs-rpc/deadline'
  | 'ipfs-rpc/client-gone';

export function rpcError(code: RpcErrorCode, message: string, cause?: unknown): OperatingError {
  return new OperatingError(code, message, cause === undefined ? {} : { cause });
}
