import { versionJson } from '../../model/index.ts';
import type { Command } from './command.ts';

export const versionCommand: Command = {
  words: ['version'],
  summary: 'Show the version of the peer',
  run: async ({ client, print }) => {
    const version = await client.version();
    print({ json: versionJson, text: (value) => `${value.version}\n` }, { version });
  },
};
