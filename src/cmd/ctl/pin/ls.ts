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
    {
      names: ['linearizable'],
      kind: 'boolean',
      summary: 'Show all that any peer has acknowledged, or fail; Go peers ignore it',
    },
  ],
  run: async ({ client, print }, [text], options) => {
    const linearizable = options.flag('linearizable');
    if (text !== undefined) {
      print(pinForm, await client.allocation(readCid(text), { linearizable }));
      return;
    }
    const types = readTypes(options.text('filter'));
    for await (const pin of client.allocations({ ...types, linearizable })) print(pinForm, pin);
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
