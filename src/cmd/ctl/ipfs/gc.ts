import type { Command } from '../command.ts';
import { gcForm } from '../format/gc.ts';
import { localOption } from '../status.ts';

export const ipfsGc: Command = {
  words: ['ipfs', 'gc'],
  summary: 'Collect garbage on the IPFS nodes',
  options: [localOption],
  run: async ({ client, print }, _args, options) =>
    print(gcForm, await client.repoGc({ local: options.flag('local') })),
};
