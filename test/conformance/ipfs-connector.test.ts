/** The port `IpfsConnector`, checked on the embedded node and on Kubo itself. */
import { it } from 'node:test';
import { startEmbeddedNode } from './embedded-node.ts';
import { ipfsConnectorSuite } from './ipfs-connector.ts';
import { startKubo } from './kubo-daemon.ts';

ipfsConnectorSuite('the embedded node', startEmbeddedNode);

const program = process.env.KUBO_BIN;
if (program === undefined || program === '') {
  it('IpfsConnector to Kubo', { skip: 'SKIPPED: KUBO_BIN does not name the ipfs program' }, () => {});
} else {
  ipfsConnectorSuite('Kubo', () => startKubo(program));
}
