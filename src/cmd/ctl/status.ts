import { parseStatusFilter, trackerStatusBits, trackerStatusGroups } from '../../model/index.ts';
import { readCid } from './arguments.ts';
import { type Command, type CommandContext, LocalFailure } from './command.ts';
import { statusForm } from './format/status.ts';

/** Of `status`, `recover` and `ipfs gc`. */
export const localOption = {
  names: ['local'],
  kind: 'boolean',
  summary: 'Only of the peer that is called',
} as const;

export const status: Command = {
  words: ['status'],
  summary: 'Show the state of pins on the peers',
  usage: '[CID]...',
  argumentsMax: Number.POSITIVE_INFINITY,
  details:
    'Without CIDs all pins are listed. States for --filter: cluster_error, pin_error, unpin_error, error (any of these), pinned, pinning, unpinning, unpinned, remote, pin_queued, unpin_queued, queued (either), sharded, unexpectedly_unpinned.',
  options: [
    localOption,
    {
      names: ['filter'],
      kind: 'text',
      summary: 'Only pins in these states, with commas between',
      completion: [...Object.keys(trackerStatusBits), ...Object.keys(trackerStatusGroups)].filter(
        (name) => name !== 'undefined',
      ),
      isCommaList: true,
    },
  ],
  run: async ({ client, print, warn }, args, options) => {
    const local = options.flag('local');
    const cids = args.map((text) => readCid(text));
    const [first, ...others] = cids;
    if (first !== undefined && others.length === 0) {
      print(statusForm, await client.status(first, { local }));
      return;
    }
    const infos =
      first === undefined
        ? client.statusAll({ local, filter: readFilter(options.text('filter'), warn) })
        : client.statusCids(cids, { local });
    for await (const info of infos) print(statusForm, info);
  },
};

/** Unknown names are left out, and told; when nothing is left it is a failure. Throws `LocalFailure`. */
function readFilter(text: string, warn: CommandContext['warn']): number {
  const filter = parseStatusFilter(text);
  if (filter === 0 && text !== '') throw new LocalFailure('parsing filter flag', 'invalid filter name');
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => name !== '' && name !== 'undefined' && parseStatusFilter(name) === 0);
  if (unknown.length > 0)
    warn(`--filter: left out ${unknown.map((name) => JSON.stringify(name)).join(', ')}, no status`);
  return filter;
}
