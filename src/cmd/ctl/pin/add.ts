import type { PinMode } from '../../../model/index.ts';
import { readPath } from '../arguments.ts';
import { type Command, LocalFailure } from '../command.ts';
import { expireInOption, nameOption, readAllocations, readExpiry, readMetadata, resultOptions } from './options.ts';
import { showResult } from './result.ts';

export const pinAdd: Command = {
  words: ['pin', 'add'],
  summary: 'Pin something in the cluster',
  usage: '<CID|path>',
  argumentsMin: 1,
  details:
    'Takes a CID or a path under /ipfs, /ipns or /ipld, which the peer resolves. The cluster chooses the peers that hold it. ' +
    'Something that is pinned already gets exactly these options: what is not given, such as its name, is gone afterwards.',
  options: [
    { names: ['replication', 'r'], kind: 'integer', summary: 'Sets both replication factors', fallback: '0' },
    {
      names: ['replication-min', 'rmin'],
      kind: 'integer',
      summary: 'Fewest peers that must hold the pin; -1 is all',
      fallback: '0',
    },
    {
      names: ['replication-max', 'rmax'],
      kind: 'integer',
      summary: 'Most peers that hold the pin; -1 is all',
      fallback: '0',
    },
    { names: ['allocations', 'allocs'], kind: 'text', summary: 'Peers to prefer, as ids with commas between' },
    nameOption,
    { names: ['mode'], kind: 'text', summary: 'recursive or direct', fallback: 'recursive' },
    expireInOption,
    { names: ['metadata'], kind: 'list', summary: 'key=value; can be given again' },
    ...resultOptions,
  ],
  run: async (context, [text = ''], options) => {
    const replication = options.integer('replication');
    const pinOptions = {
      replicationFactorMin: replication || options.integer('replication-min'),
      replicationFactorMax: replication || options.integer('replication-max'),
      name: options.text('name'),
      mode: readMode(options.text('mode')),
      userAllocations: readAllocations(options.text('allocations')),
      expireAt: readExpiry(options.text('expire-in'), context.io.now()),
      metadata: readMetadata(options.list('metadata')),
    };
    const pin = await context.client.pinPath(readPath(text), pinOptions);
    await showResult(context, options, pin, 'pinned');
  },
};

/** The Go program takes every other word for recursive. Throws `LocalFailure`. */
function readMode(text: string): PinMode {
  if (text === 'recursive' || text === 'direct') return text;
  throw new LocalFailure('parsing mode', `found ${JSON.stringify(text)}, expected recursive or direct`);
}
