/** The node's HTTP server: the part of Kubo's RPC that clusters and ordinary Kubo clients use. */
export { createRpcServer, type RpcServerOptions } from './server.ts';
