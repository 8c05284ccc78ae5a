import { readPath } from '../arguments.ts';
import type { Command } from '../command.ts';
import { pinOptions, readPinOptions, resultOptions } from './options.ts';
import { showResult } from './result.ts';

export const pinAdd: Command = {
  words: ['pin', 'add'],
  summary: 'Pin something in the cluster',
  usage: '<CID|path>',
  argumentsMin: 1,
  details:
    'Takes a CID or a path under /ipfs, /ipns or /ipld, which the peer resolves. The cluster chooses the peers that hold it. ' +
    'Something that is pinned already gets exactly these options: what is not given, such as its name, is gone afterwards.',
  options: [...pinOptions, ...resultOptions],
  run: async (context, [text = ''], options) => {
    const wanted = readPinOptions(options, context.io.now());
    const pin = await context.client.pinPath(readPath(text), wanted);
    await showResult(context, options, pin, 'pinned');
  },
};
