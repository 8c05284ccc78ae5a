import { readCid, readPath } from '../arguments.ts';
import type { Command } from '../command.ts';
import { expireInOption, nameOption, readExpiry, resultOptions } from './options.ts';
import { showResult } from './result.ts';

export const pinUpdate: Command = {
  words: ['pin', 'update'],
  summary: 'Pin a new version of something pinned',
  usage: '<pinned CID> <new CID|path>',
  argumentsMin: 2,
  details:
    'The new pin takes over the options and the peers of the old one, so that only new blocks travel. The old pin stays.',
  options: [nameOption, expireInOption, ...resultOptions],
  run: async (context, [from = '', to = ''], options) => {
    const pinUpdateFrom = readCid(from, 'parsing from Cid');
    const pinOptions = {
      name: options.text('name'),
      expireAt: readExpiry(options.text('expire-in'), context.io.now()),
      pinUpdate: pinUpdateFrom,
    };
    const pin = await context.client.pinPath(readPath(to), pinOptions);
    await showResult(context, options, pin, 'pinned');
  },
};
