/** The contract of the Kubo RPC, checked on the embedded node. */
import { startEmbeddedNode } from './embedded-node.ts';
import { kuboRpcSuite } from './kubo-rpc.ts';

kuboRpcSuite('the embedded node', startEmbeddedNode);
