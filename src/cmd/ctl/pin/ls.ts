import type { AllocationsOptions, Client, SearchOptions } from '../../../client/index.ts';
import { type Pin, type PinType, pinTypeBits } from '../../../model/index.ts';
import { readCid } from '../arguments.ts';
import { type Command, LocalFailure, type OptionValues } from '../command.ts';
import { pinForm } from '../format/pin.ts';
import { metadataOption, readMetadata } from './options.ts';

/** As many as a peer gives at once. */
const pageLimitMax = 1000;

export const pinLs: Command = {
  words: ['pin', 'ls'],
  summary: 'List the pinset, or one pin of it',
  usage: '[CID]',
  argumentsMax: 1,
  details:
    'What is looked for is found in an index of the peer; Go peers list everything, and this program chooses from that.',
  options: [
    {
      names: ['filter'],
      kind: 'text',
      summary: 'Types with commas between: all, pin, meta-pin, clusterdag-pin, shard-pin',
      fallback: 'all',
      completion: Object.keys(pinTypeBits).filter(isType),
      isCommaList: true,
    },
    { names: ['name', 'n'], kind: 'text', summary: 'Only pins with exactly this name' },
    { names: ['name-prefix'], kind: 'text', summary: 'Only pins whose name begins so' },
    { ...metadataOption, summary: 'Only pins with this key=value; can be given again' },
    { names: ['limit'], kind: 'integer', summary: 'So many pins at most; 0 is all', fallback: '0' },
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
    const asked = { ...readTypes(options.text('filter')), linearizable };
    for await (const pin of pinsOf(client, asked, readSearch(options), readLimit(options))) print(pinForm, pin);
  },
};

/** Throws `LocalFailure`. @returns 0 for all */
function readLimit(options: OptionValues): number {
  const limit = options.integer('limit');
  if (limit < 0) throw new LocalFailure('parsing limit', `found ${limit}, expected 0 or more`);
  return limit;
}

/** `undefined`: nothing is looked for. Throws `LocalFailure`. */
function readSearch(options: OptionValues): SearchOptions | undefined {
  const name = options.text('name');
  const namePrefix = options.text('name-prefix');
  const metadata = readMetadata(options.list('metadata'));
  if (name === '' && namePrefix === '' && Object.keys(metadata).length === 0) return undefined;
  return { metadata, ...(name === '' ? {} : { name }), ...(namePrefix === '' ? {} : { namePrefix }) };
}

/** Page by page where not everything is wanted; a peer that knows no pages gives all at once. */
async function* pinsOf(
  client: Client,
  asked: AllocationsOptions,
  search: SearchOptions | undefined,
  limit: number,
): AsyncIterable<Pin> {
  let left = limit === 0 ? Number.POSITIVE_INFINITY : limit;
  const isPaged = search !== undefined || limit > 0;
  let cursor: string | undefined;
  do {
    const page = isPaged ? { limit: Math.min(left, pageLimitMax), ...(cursor === undefined ? {} : { cursor }) } : {};
    const pins = client.allocations({ ...asked, ...search, ...page });
    for await (const pin of pins) {
      if (search !== undefined && !isFound(pin, search)) continue;
      yield pin;
      left -= 1;
      if (left === 0) return;
    }
    cursor = isPaged ? pins.next : undefined;
  } while (cursor !== undefined);
}

function isFound(pin: Pin, { name, namePrefix = '', metadata = {} }: SearchOptions): boolean {
  if (name !== undefined && pin.name !== name) return false;
  if (!pin.name.startsWith(namePrefix)) return false;
  return Object.entries(metadata).every(([key, value]) => pin.metadata?.[key] === value);
}

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
