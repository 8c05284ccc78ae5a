/** The base of a log as bytes, to be kept beside a state that was restored from a snapshot. */
import { errorMessage, OperatingError, utf8Decode, utf8Encode } from '../../base/index.ts';
import type { Base } from '../../core/raft/index.ts';

/** JSON: rare, small, and readable in a dump. */
export function encodeBase({ index, term, configuration, configurationIndex }: Base): Uint8Array {
  const servers = configuration.servers.map(({ id, suffrage }) => ({ id, suffrage }));
  return utf8Encode(JSON.stringify({ index, term, configuration: { servers }, configurationIndex }));
}

/** Of what `encodeBase` has made. Throws `OperatingError` `cluster/damaged-state`. */
export function decodeBase(bytes: Uint8Array): Base {
  try {
    return JSON.parse(utf8Decode(bytes)) as Base;
  } catch (error) {
    const text = `The state is damaged: its note of the snapshot it came from is unreadable: ${errorMessage(error)}`;
    throw new OperatingError('cluster/damaged-state', text);
  }
}
