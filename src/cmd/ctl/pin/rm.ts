import { readPath } from '../arguments.ts';
import type { Command } from '../command.ts';
import { resultOptions } from './options.ts';
import { showResult } from './result.ts';

export const pinRm: Command = {
  words: ['pin', 'rm'],
  summary: 'Unpin something from the cluster',
  usage: '<CID|path>',
  argumentsMin: 1,
  options: resultOptions,
  run: async (context, [text = ''], options) => {
    const pin = await context.client.unpinPath(readPath(text));
    await showResult(context, options, pin, 'unpinned');
  },
};
