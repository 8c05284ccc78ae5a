import { readCid } from './arguments.ts';
import type { Command } from './command.ts';
import { statusForm } from './format/status.ts';
import { localOption } from './status.ts';

export const recover: Command = {
  words: ['recover'],
  summary: 'Try failed pins and unpins again',
  usage: '[CID]',
  argumentsMax: 1,
  details: 'Without a CID everything that has failed is tried again, and shown.',
  options: [localOption],
  run: async ({ client, print }, [text], options) => {
    const local = options.flag('local');
    if (text !== undefined) {
      print(statusForm, await client.recover(readCid(text), { local }));
      return;
    }
    for await (const info of client.recoverAll({ local })) print(statusForm, info);
  },
};

/** The word of 2017: refresh, and repair what is in error. Refreshing happens by itself today. */
export const sync: Command = { ...recover, words: ['sync'], isHidden: true };
