import { readCid } from './arguments.ts';
import type { Command } from './command.ts';
import { operationForm } from './format/operation.ts';
import { localOption } from './status.ts';

export const operations: Command = {
  words: ['operations'],
  summary: 'Show what is not pinned or unpinned yet, and why',
  usage: '[CID]',
  argumentsMax: 1,
  details:
    'Of each pin and unpin that a peer has still to do: since when, attempts, place in the queue, next try, and the class of what holds it up: unreachable (no connection to the IPFS node), timeout, no_progress (no new block for pin_timeout), full, refused, bad_answer, cancelled, disabled, internal. Go peers cannot tell.',
  options: [localOption],
  run: async ({ client, io, print }, [text], options) => {
    const local = options.flag('local');
    const cid = text === undefined ? {} : { cid: readCid(text) };
    const form = operationForm(io.now());
    for await (const operation of client.operations({ local, ...cid })) print(form, operation);
  },
};
