import { type PinType, pinTypeBits } from '../../../model/index.ts';
import { readCid } from '../arguments.ts';
import type { Command } from '../command.ts';
import { pinForm } from '../format/pin.ts';

export const pinLs: Command = {
  words: ['pin', 'ls'],
  summary: 'List the pinset, or one pin of it',
  usage: '[CID]',
  options: [
    {
      names: ['filter'],
      kind: 'text',
      summary: 'Types with commas between: all, pin, meta-pin, clusterdag-pin, shard-pin',
      fallback: 'all',
    },
  ],
  run: async ({ client, print }, [text], options) => {
    if (text !== undefined) {
      print(pinForm, await client.allocation(readCid(text)));
      return;
    }
    for await (const pin of client.allocations(readTypes(options.text('filter')))) print(pinForm, pin);
  },
};

/** Unknown names are dropped; when nothing is left, everything is listed. */
function readTypes(text: string): { readonly types?: readonly PinType[] } {
  const names = text.split(',').map((name) => name.trim());
  const types = names.filter(isType);
  return types.length === 0 || types.includes('all') ? {} : { types };
}

function isType(name: string): name is PinType {
  return name !== 'bad' && Object.hasOwn(pinTypeBits, name);
}
