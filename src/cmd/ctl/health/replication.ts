import type { Command } from '../command.ts';
import { replicationForm } from '../format/replication.ts';

export const healthReplication: Command = {
  words: ['health', 'replication'],
  summary: 'Show how many pins have as many replicas as they should',
  details:
    'A replica is an allocation to a member that is alive; with --verify, what the member itself lists as pinned. Go peers have no such route.',
  options: [{ names: ['verify'], kind: 'boolean', summary: 'Ask every member what it has pinned' }],
  run: async ({ client, print }, _args, options) =>
    print(replicationForm, await client.replication({ verify: options.flag('verify') })),
};
