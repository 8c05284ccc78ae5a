/** The IPFS proxy: the node's RPC with the cluster's pins. */
export { ProxyError } from './errors.ts';
export type { ProxyCluster } from './hijacked.ts';
export { bindProxy, type IpfsProxy, type ProxyDeps } from './proxy.ts';
