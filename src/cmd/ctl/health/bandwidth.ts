import type { Command } from '../command.ts';
import { bandwidthForm } from '../format/bandwidth.ts';

export const healthBandwidth: Command = {
  words: ['health', 'bandwidth'],
  summary: 'Show what each protocol takes of the network',
  run: async ({ client, print }) => print(bandwidthForm, await client.bandwidth()),
};
