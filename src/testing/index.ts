/** Clusters for the tests of programs that use one. */
export { createTestCluster } from './create.ts';
export type { Patience, TestCluster, TestClusterOptions, TestIpfs } from './test-cluster.ts';
