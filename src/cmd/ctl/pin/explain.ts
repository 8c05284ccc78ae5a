import { readCid } from '../arguments.ts';
import type { Command } from '../command.ts';
import { explanationForm } from '../format/explanation.ts';
import { pinOptions, readPinOptions } from './options.ts';

export const pinExplain: Command = {
  words: ['pin', 'explain'],
  summary: 'Show which peers a pin would get, and why',
  usage: '<CID>',
  argumentsMin: 1,
  details:
    'Takes the options of "pin add", and shows what the asked peer would decide now; nothing is pinned. The CID may be pinned ' +
    'already or not. Go peers do not know the question.',
  options: pinOptions,
  run: async ({ client, io, print }, [text = ''], options) => {
    const wanted = readPinOptions(options, io.now());
    print(explanationForm, await client.explainAllocation(readCid(text), wanted));
  },
};
