/** The door for the package's entry: the simulator is loaded by those who ask for it. */
import type { TestCluster, TestClusterOptions } from './test-cluster.ts';

/**
 * Makes a cluster of so many peers, all members, in this process and under virtual time. Resolves when they are ready and know of
 * each other's free space; for five peers that takes a part of a second. **Errors**: `embed/bad-option`.
 */
export async function createTestCluster(peers: number, options: TestClusterOptions = {}): Promise<TestCluster> {
  const { makeTestCluster } = await import('./test-cluster.ts');
  return await makeTestCluster(peers, options);
}
