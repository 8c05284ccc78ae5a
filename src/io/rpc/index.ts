export { multiplexedProtocol } from './frames.ts';
export { gorpcProtocol } from './gorpc-client.ts';
export type { CallContext, HandlerOf, HandlersOf, StreamHandler, UnaryHandler } from './registry.ts';
export { createRpc, type RpcDeps, type RpcNode, type RpcOptions } from './rpc.ts';
export { registerServices, type ServiceDeps } from './services/register.ts';
export { ValueReader } from './value-reader.ts';
