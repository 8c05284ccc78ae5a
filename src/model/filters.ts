/**
 * Filters of lists: unions of status or type names.
 * Source: Go `api/types.go` `TrackerStatusFromString`, `TrackerStatus.Match`, `PinTypeFromString`.
 */
import { type PinType, pinTypeBits } from './pin.ts';
import { type StatusFilter, type TrackerStatus, trackerStatusBits, trackerStatusGroups } from './status.ts';

const bitsOfStatusName = new Map<string, number>([
  ...Object.entries(trackerStatusBits),
  ...Object.entries(trackerStatusGroups),
]);

/** The union of the named statuses and groups. Blanks are removed; unknown names count nothing; 0 matches everything. */
export function parseStatusFilter(text: string): StatusFilter {
  let filter = 0;
  for (const name of text.replaceAll(' ', '').split(',')) filter |= bitsOfStatusName.get(name) ?? 0;
  return filter;
}

/** Names whose union is the filter, joined with commas; empty for 0. */
export function formatStatusFilter(filter: StatusFilter): string {
  const names: string[] = [];
  let rest = filter;
  for (const [name, bits] of [...Object.entries(trackerStatusGroups), ...Object.entries(trackerStatusBits)]) {
    if (bits === 0 || (rest & bits) !== bits) continue;
    names.push(name);
    rest &= ~bits;
  }
  return names.join(',');
}

/** An undefined status, like an empty filter, matches. */
export function statusMatches(status: TrackerStatus, filter: StatusFilter): boolean {
  const bits = trackerStatusBits[status];
  return filter === 0 || bits === 0 || (bits & filter) !== 0;
}

/** The union of the named pin types: the empty name means all, an unknown one the bit of `bad`. */
export function parsePinTypeFilter(text: string): number {
  let types = 0;
  for (const name of text.split(',')) types |= pinTypeBits[pinTypeOfName(name.trim())];
  return types;
}

function pinTypeOfName(name: string): PinType {
  if (name === '') return 'all';
  // An own key of the table is a type, and `bad` is spelled otherwise outside.
  return name !== 'bad' && Object.hasOwn(pinTypeBits, name) ? (name as PinType) : 'bad';
}
