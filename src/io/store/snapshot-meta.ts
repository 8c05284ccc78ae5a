/** `meta.json` of a snapshot: where in the log it is, and what its bytes must be. */
import { crc32 } from 'node:zlib';
import { briefJson, OperatingError } from '../../base/index.ts';
import type { Base, Configuration } from '../../core/raft/index.ts';

/** What is known of a snapshot without its bytes. */
export interface SnapshotMeta {
  readonly base: Base;
  readonly sizeBytes: number;
  /** CRC-32 of the bytes. */
  readonly checksum: number;
}

const version = 1;

/** One line of JSON, with a checksum of itself. */
export function encodeMeta({ base, sizeBytes, checksum }: SnapshotMeta): string {
  const fields = { version, ...base, sizeBytes, stateCrc32: checksum };
  return `${JSON.stringify({ ...fields, metaCrc32: crc32(JSON.stringify(fields)) })}\n`;
}

/** Throws `store/damaged-snapshot` for what was not written by `encodeMeta`. */
export function readMeta(text: string): SnapshotMeta {
  const { metaCrc32, ...fields } = objectIn(text);
  if (fields.version !== version) throw damaged(`version ${briefJson(fields.version)}, expected ${version}`);
  const checksum = checksumOf(fields);
  if (checksum === undefined || checksum !== metaCrc32) throw damaged('its checksum does not match');
  // Proof: the checksum held, so these are the fields of `encodeMeta`, in their order.
  const { index, term, configuration, configurationIndex, sizeBytes, stateCrc32 } = fields as {
    index: number;
    term: number;
    configuration: Configuration;
    configurationIndex: number;
    sizeBytes: number;
    stateCrc32: number;
  };
  return { base: { index, term, configuration, configurationIndex }, sizeBytes, checksum: stateCrc32 };
}

/** `undefined` for what is nested too deeply to be printed. */
function checksumOf(fields: object): number | undefined {
  try {
    return crc32(JSON.stringify(fields));
  } catch {
    // It was not written by `encodeMeta`.
    return undefined;
  }
}

function objectIn(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged('it is not JSON');
  }
  if (typeof value !== 'object' || value === null) throw damaged('it is not an object');
  return { ...value };
}

function damaged(text: string): OperatingError {
  return new OperatingError('store/damaged-snapshot', `meta.json is damaged: ${text}`);
}
