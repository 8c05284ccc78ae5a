import type { Command } from './command.ts';
import { idForm } from './format/id.ts';

export const id: Command = {
  words: ['id'],
  summary: 'Show the peer and its IPFS node',
  run: async ({ client, print }) => print(idForm, await client.id()),
};
