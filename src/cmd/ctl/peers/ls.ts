import type { Command } from '../command.ts';
import { idForm } from '../format/id.ts';

export const peersLs: Command = {
  words: ['peers', 'ls'],
  summary: 'List all members of the cluster',
  run: async ({ client, print }) => {
    for await (const id of client.peers()) print(idForm, id);
  },
};

/** The words of 2017. */
export const memberLs: Command = { ...peersLs, words: ['member', 'ls'], isHidden: true };
