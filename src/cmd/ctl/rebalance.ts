import { type Command, LocalFailure } from './command.ts';
import { rebalanceForm } from './format/rebalance.ts';

export const rebalance: Command = {
  words: ['rebalance'],
  refusesMore: true,
  summary: 'Spread pins over groups, and even the peers',
  details:
    'Moves pins with two holders in one group (or on one IPFS node) into another group, and pins from peers that have more than their ' +
    'share to those that have less. Of each pin, the new holder has the content before the old one lets it go. Peers that are cordoned, ' +
    'lost or late with a metric take no part. Interrupted, it finishes the moves that are under way. Go peers do not have it.',
  options: [
    { names: ['dry-run'], kind: 'boolean', summary: 'Show what would be moved, and move nothing' },
    { names: ['max-moves'], kind: 'integer', summary: 'Moves at most, up to 100000', fallback: '1000' },
  ],
  run: async ({ client, print }, _args, options) => {
    const maxMoves = options.integer('max-moves');
    if (maxMoves < 1) throw new LocalFailure('parsing max-moves', `found ${maxMoves}, expected 1 or more`);
    let failed = 0;
    for await (const event of client.rebalance({ dryRun: options.flag('dry-run'), maxMoves })) {
      print(rebalanceForm, event);
      failed = event.summary?.failed ?? failed;
    }
    if (failed === 0) return;
    const pins = failed === 1 ? '1 pin' : `${failed} pins`;
    throw new LocalFailure('rebalancing', `${pins} could not be moved; the log of the peer tells why`);
  },
};
