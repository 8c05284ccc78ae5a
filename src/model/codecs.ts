/**
 * Codecs of what travels outside of method arguments and replies.
 */
import type { Codec } from './codec.ts';
import type { RpcResponse, ServiceId } from './gorpc.ts';
import type { Metric } from './metric.ts';
import { MsgpackReader, truncated } from './schema/msgpack-reader.ts';
import { metricType } from './schema/peer.ts';
import { rpcResponseType, serviceIdType } from './schema/transfer.ts';
import { codecOf } from './schema/type.ts';

/** The name of the called method, first on a gorpc stream. */
export const serviceIdCodec: Codec<ServiceId> = codecOf(serviceIdType);

/** The header of each reply on a gorpc stream. */
export const rpcResponseCodec: Codec<RpcResponse> = codecOf(rpcResponseType);

/** Data of pubsub messages on `monitor.metrics`. */
export const metricCodec: Codec<Metric> = codecOf(metricType);

/**
 * The offset behind the msgpack value of unknown type at `offset`, such as the one that follows an error header;
 * `undefined` when the bytes end before it does. Throws `OperatingError` `model/bad-encoding`.
 */
export function skipMsgpackValue(bytes: Uint8Array, offset: number): number | undefined {
  const reader = new MsgpackReader(bytes, offset, false);
  try {
    reader.skip();
    return reader.offset;
  } catch (error) {
    if (error === truncated) return undefined;
    throw error;
  }
}
