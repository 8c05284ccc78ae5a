import { type PinType, pinTypeBits } from '../../../model/index.ts';
import { readCid } from '../arguments.ts';
import { type Command, LocalFailure } from '../command.ts';
import { pinForm } from '../format/pin.ts';

export const pinLs: Command = {
  words: ['pin', 'ls'],
  summary: 'List the pinset, or one pin of it',
  usage: '[CID]',
  argumentsMax: 1,
  options: [
    {
      names: ['filter'],
      kind: 'text',
      summary: 'Types with commas between: all, pin, meta-pin, clusterdag-pin, shard-pin',
      fallback: 'all',
      completion: Object.keys(pinTypeBits).filter(isType),
      isCommaList: true,
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

/** The Go program drops unknown names, and lists everything when nothing is left. Throws `LocalFailure`. */
function readTypes(text: string): { readonly types?: readonly PinType[] } {
  const names = text.split(',').map((name) => name.trim());
  const types = names.filter(isType);
  const unknown = names.find((name) => name !== '' && !isType(name));
  if (unknown !== undefined) {
    const expected = Object.keys(pinTypeBits).filter(isType).join(', ');
    throw new LocalFailure('parsing filter flag', `found ${JSON.stringify(unknown)}, expected names of: ${expected}`);
  }
  return types.length === 0 || types.includes('all') ? {} : { types };
}

function isType(name: string): name is PinType {
  return name !== 'bad' && Object.hasOwn(pinTypeBits, name);
}
