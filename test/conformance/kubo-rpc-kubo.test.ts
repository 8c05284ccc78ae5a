/** The contract of the Kubo RPC, checked on Kubo itself. */
import { it } from 'node:test';
import { startKubo } from './kubo-daemon.ts';
import { kuboRpcSuite } from './kubo-rpc.ts';

const program = process.env.KUBO_BIN;
if (program === undefined || program === '') {
  it('Kubo RPC of Kubo', { skip: 'SKIPPED: KUBO_BIN does not name the ipfs program' }, () => {});
} else {
  kuboRpcSuite('Kubo', () => startKubo(program));
}
