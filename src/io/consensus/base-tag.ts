/** The base of a log as bytes, to be kept beside a state that was restored from a snapshot. */
import { briefJson, errorMessage, OperatingError, utf8Decode, utf8Encode } from '../../base/index.ts';
import type { Base, Server } from '../../core/raft/index.ts';

/** JSON: rare, small, and readable in a dump. */
export function encodeBase({ index, term, configuration, configurationIndex }: Base): Uint8Array {
  const servers = configuration.servers.map(({ id, suffrage }) => ({ id, suffrage }));
  return utf8Encode(JSON.stringify({ index, term, configuration: { servers }, configurationIndex }));
}

/** Of what `encodeBase` has made. Throws `OperatingError` `cluster/damaged-state`. */
export function decodeBase(bytes: Uint8Array): Base {
  let value: unknown;
  try {
    value = JSON.parse(utf8Decode(bytes));
  } catch (error) {
    throw damaged(`it is unreadable: ${errorMessage(error)}`);
  }
  const { index, term, configuration, configurationIndex } = fieldsOf(value, 'the note');
  const { servers } = fieldsOf(configuration, '"configuration"');
  if (!Array.isArray(servers)) throw damaged('"servers" is not a list');
  const base: Base = {
    index: countIn(index, '"index"'),
    term: countIn(term, '"term"'),
    configuration: { servers: servers.map(serverIn) },
    configurationIndex: countIn(configurationIndex, '"configurationIndex"'),
  };
  if (base.configurationIndex > base.index) throw damaged('"configurationIndex" is above "index"');
  return base;
}

function serverIn(value: unknown): Server {
  const { id, suffrage } = fieldsOf(value, 'a server');
  if (typeof id !== 'string' || id === '') throw damaged('the "id" of a server is not a text');
  if (suffrage !== 'voter' && suffrage !== 'nonvoter' && suffrage !== 'staging') {
    throw damaged(`the "suffrage" of a server is ${briefJson(suffrage)}, expected voter, nonvoter or staging`);
  }
  return { id, suffrage };
}

function countIn(value: unknown, name: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw damaged(`${name} is ${briefJson(value)}, expected a whole number`);
}

function fieldsOf(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw damaged(`${name} is not an object`);
  return { ...value };
}

function damaged(text: string): OperatingError {
  const what = 'The state is damaged: in its note of the snapshot it came from';
  return new OperatingError('cluster/damaged-state', `${what}, ${text}`);
}
