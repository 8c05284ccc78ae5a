/**
 * Blocks, bandwidth, add results and API errors; gorpc headers.
 */
import { type RpcErrorType, type RpcResponse, rpcErrorTypes, type ServiceId } from '../gorpc.ts';
import type { AddedOutput, ApiError, Bandwidth, BandwidthByProtocol, NodeWithMeta } from '../transfer.ts';
import { field, presentMapType, structType, wireField, wireStructType } from './containers.ts';
import { peerIdsType } from './pin.ts';
import { bytesType, cidType, enumType, floatType, intType, optionalCidType, textType, uintType } from './scalars.ts';
import type { Type, WireType } from './type.ts';

const node = wireField<NodeWithMeta>();

export const nodeWithMetaType: WireType<NodeWithMeta> = wireStructType<NodeWithMeta>([
  node('data', 'd?', bytesType),
  node('cid', 'c?', cidType),
  node('cumulativeSize', 's?', uintType),
]);

const bandwidth = field<Bandwidth>();

const bandwidthType: Type<Bandwidth> = structType<Bandwidth>([
  bandwidth('totalIn', 'i?', 'total_in', intType),
  bandwidth('totalOut', 'o?', 'total_out', intType),
  bandwidth('rateIn', 'ri?', 'rate_in', floatType),
  bandwidth('rateOut', 'ro?', 'rate_out', floatType),
]);

export const bandwidthByProtocolType: Type<BandwidthByProtocol> = presentMapType(bandwidthType);

const added = field<AddedOutput>();

export const addedOutputType: Type<AddedOutput> = structType<AddedOutput>([
  added('name', 'n?', 'name', textType),
  added('cid', 'c', 'cid', optionalCidType),
  added('bytes', 'b?', 'bytes?', uintType),
  added('size', 's?', 'size?', uintType),
  added('allocations', 'a?', 'allocations?', peerIdsType),
]);

const error = field<ApiError>();

export const apiErrorType: Type<ApiError> = structType<ApiError>([
  error('code', 'o?', 'code', intType),
  error('message', 'm?', 'message', textType),
]);

const service = wireField<ServiceId>();

export const serviceIdType: WireType<ServiceId> = wireStructType<ServiceId>([
  service('service', 'Name', textType),
  service('method', 'Method', textType),
]);

const errorTypeType: Type<RpcErrorType> = enumType(rpcErrorTypes, { fallback: 'server', zero: 'application' });

const response = wireField<RpcResponse>();

export const rpcResponseType: WireType<RpcResponse> = wireStructType<RpcResponse>([
  response('serviceId', 'Service?', serviceIdType),
  response('error', 'Error?', textType),
  response('errorType', 'ErrType?', errorTypeType),
]);
