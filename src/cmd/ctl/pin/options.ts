/**
 * Options that the pin commands have in common.
 */
import { errorMessage } from '../../../base/index.ts';
import {
  type PinMode,
  type PinOptions,
  parseGoDuration,
  parsePeerId,
  type Time,
  timeFromNanos,
  timeToNanos,
} from '../../../model/index.ts';
import { LocalFailure, type OptionSpec, type OptionValues } from '../command.ts';

export const nameOption: OptionSpec = { names: ['name', 'n'], kind: 'text', summary: 'A name for the pin' };

export const expireInOption: OptionSpec = {
  names: ['expire-in'],
  kind: 'text',
  summary: 'Unpin after this time, such as 48h',
};

export const allocationsOption: OptionSpec = {
  names: ['allocations', 'allocs'],
  kind: 'text',
  summary: 'Peers to prefer, as ids with commas between',
  completion: 'peers',
  isCommaList: true,
};

export const metadataOption: OptionSpec = {
  names: ['metadata'],
  kind: 'list',
  summary: 'key=value; can be given again',
};

export const replicationOptions: readonly OptionSpec[] = [
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
];

/** How to pin. */
export const pinOptions: readonly OptionSpec[] = [
  { names: ['replication', 'r'], kind: 'integer', summary: 'Sets both replication factors', fallback: '0' },
  ...replicationOptions,
  allocationsOption,
  nameOption,
  {
    names: ['mode'],
    kind: 'text',
    summary: 'recursive or direct',
    fallback: 'recursive',
    completion: ['recursive', 'direct'],
  },
  expireInOption,
  metadataOption,
];

export const resultOptions: readonly OptionSpec[] = [
  { names: ['no-status', 'ns'], kind: 'boolean', summary: 'Print the pin instead of its status on the peers' },
  { names: ['wait', 'w'], kind: 'boolean', summary: 'Return when enough peers have done it' },
  {
    names: ['wait-limit', 'wl'],
    kind: 'integer',
    summary: 'How many peers are enough; 0 is the smallest replication factor of the pin',
    fallback: '0',
  },
  { names: ['wait-timeout', 'wt'], kind: 'duration', summary: 'How long to wait, such as 30s; for ever if not given' },
];

/** The values of `pinOptions`, or of those of them that a command has. Throws `LocalFailure`. */
export function readPinOptions(options: OptionValues, now: Time): Partial<PinOptions> {
  const replication = options.integer('replication');
  return {
    replicationFactorMin: replication || options.integer('replication-min'),
    replicationFactorMax: replication || options.integer('replication-max'),
    name: options.text('name'),
    mode: readMode(options.text('mode') || 'recursive'),
    userAllocations: readAllocations(options.text('allocations')),
    expireAt: readExpiry(options.text('expire-in'), now),
    metadata: readMetadata(options.list('metadata')),
  };
}

/** As the API demands it of its own parameter. */
const expireInMinMs = 1000;

/** When something expires that expires in `text`. Throws `LocalFailure`. */
export function readExpiry(text: string, now: Time): Time | null {
  if (text === '') return null;
  let milliseconds: number;
  try {
    milliseconds = parseGoDuration(text);
  } catch (error) {
    throw new LocalFailure('parsing expire-in', errorMessage(error));
  }
  // What is past already the peer refuses, with the words of the reference.
  if (milliseconds > 0 && milliseconds < expireInMinMs) {
    throw new LocalFailure('parsing expire-in', `found ${text}, expected at least 1s`);
  }
  return timeFromNanos(timeToNanos(now) + BigInt(Math.round(milliseconds * 1e6)));
}

/** Pairs of `key=value`, cut at the first `=`. Throws `LocalFailure`. */
export function readMetadata(pairs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 0) throw new LocalFailure('parsing metadata', 'metadata were not in the format key=value');
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** Peer ids with commas between. Throws `LocalFailure`. */
function readAllocations(text: string): readonly string[] | null {
  if (text === '') return null;
  try {
    return text.split(',').map((id) => parsePeerId(id.trim()));
  } catch {
    throw new LocalFailure('decoding allocations', 'some peer IDs could not be decoded');
  }
}

/** The Go program takes every other word for recursive. Throws `LocalFailure`. */
function readMode(text: string): PinMode {
  if (text === 'recursive' || text === 'direct') return text;
  throw new LocalFailure('parsing mode', `found ${JSON.stringify(text)}, expected recursive or direct`);
}
