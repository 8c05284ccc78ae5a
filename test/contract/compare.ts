/** Brings a recorded answer and one of a running peer into a form in which only what must be equal is left. */
import assert from 'node:assert/strict';
import { type Answer, comparableHeaders, type Exchange, recordedHeaders } from '../support/rest-vectors.ts';

/** Names of what differs from run to run: an id as it was, or is, to its part in the scene. */
export type Names = ReadonlyMap<string, string>;

export interface CompareOptions {
  readonly recorded: Names;
  readonly running: Names;
  /** The body that is due instead of the recorded one, where we differ on purpose. */
  readonly body?: string;
}

export function assertAsRecorded(answer: Answer, exchange: Exchange, options: CompareOptions): void {
  const { response } = exchange;
  const body = options.body ?? response.body;
  assert.equal(answer.status, response.status, answer.body);
  assert.deepEqual(
    comparableHeaders(answer.headers, answer.status),
    comparableHeaders(recordedHeaders(exchange), answer.status),
  );
  assertSortedMaps(answer.body);
  assert.deepEqual(lines(answer.body, options.running), lines(body, options.recorded));
  assert.ok(
    fractions(answer.body) <= fractions(body),
    `times of the pinset have whole seconds: ${answer.body} against ${body}`,
  );
  assert.deepEqual(Object.fromEntries(answer.trailers), trailersOf(response.trailers));
}

/** Header names in lower case, all values of a name together. */
function trailersOf(trailers: Exchange['response']['trailers']): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  const entries = Array.isArray(trailers) ? trailers : Object.entries(trailers ?? {});
  for (const [name, value] of entries as [string, string | string[]][]) {
    const key = name.toLowerCase();
    found[key] = [...(found[key] ?? []), ...(typeof value === 'string' ? [value] : value)];
  }
  return found;
}

/** One text a line, in no order: the order of lists is undefined. Key order is part of the text, `null` is not `[]`. */
function lines(body: string, names: Names): string[] {
  if (!/^[[{]/.test(body)) return [body];
  assert.ok(body.endsWith('\n'), 'a JSON answer ends with a line end');
  return body
    .slice(0, -1)
    .split('\n')
    .map((line) => JSON.stringify(stable(JSON.parse(withoutNumbers(line)), '', names)))
    .sort();
}

const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
const zeroTime = '0001-01-01T00:00:00Z';

/** Times in nanoseconds must have all their digits, which a parsed number has not; free space is what it is. */
function withoutNumbers(line: string): string {
  return line
    .replace(/"(expire|received_at)":\d{19}\b/g, '"$1":"<nanoseconds>"')
    .replace(/("name":"freespace","peer":"[^"]+","value":)"\d+"/g, '$1"<bytes>"')
    .replace(/("value":"<bytes>".*?"weight":)\d+/g, '$1"<bytes>"');
}

function stable(value: unknown, key: string, names: Names): unknown {
  if (typeof value === 'string') return stableText(value, key, names);
  // What was collected: how much there is of it is no matter of the answer's form, none or some is.
  if (key === 'keys' && Array.isArray(value) && value.length > 0) {
    for (const item of value) assert.deepEqual(Object.keys(item as object), ['key']);
    return '<collected>';
  }
  if (Array.isArray(value)) {
    // Peers, metrics, names: sets, in an order that nobody promises.
    return value
      .map((item) => stable(item, key, names))
      .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  if (typeof value !== 'object' || value === null) return value;
  const isInFlight = 'status' in value && (value.status === 'pin_queued' || value.status === 'pinning');
  const entries = Object.entries(value).map(([name, item]): [string, unknown] => {
    // How far an operation has come when it is asked for depends on the machine.
    if (isInFlight && (name === 'status' || name === 'attempt_count')) return [name, '<in flight>'];
    return [names.get(name) ?? name, stable(item, name, names)];
  });
  // Maps are sorted by real ids, which `assertSortedMaps` has seen; their names sort in another way.
  if (entries.some(([name]) => name.startsWith('<'))) entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries);
}

function stableText(text: string, key: string, names: Names): string {
  if (timePattern.test(text)) return text === zeroTime ? text : '<time>';
  // Each failure has its own words: network errors differ from language to language.
  if (key === 'error' && text !== '') return '<error>';
  // The recorded Raft peers had names of their own.
  if (key === 'peername') return text.replace('raft3', 'peer1').replace('raft4', 'peer2');
  if (key === 'version' && text !== '') return '<version>';
  if (key === 'value' && text.startsWith('{')) return JSON.stringify(stable(JSON.parse(text), '', names));
  let found = text.replace(/\/ip4\/127\.0\.0\.1\/tcp\/(?!4001\b)\d+/g, '<address>');
  for (const [id, name] of names) found = found.replaceAll(id, name);
  return key === 'message' ? withoutForeignWords(found) : found;
}

/** What Go's libraries say: the text up to there is the cluster's own. */
const foreignWords =
  /((?<=Message: )|encoding\/hex: |parsing time |time: |Post "|selected encoding not supported|cid too short|must begin with|no link named|could not resolve name|protocol not found).*$/s;

function withoutForeignWords(message: string): string {
  return message.replace(foreignWords, '<words>');
}

/** Keys of every map by peer are in bytewise order, as Go prints maps. */
function assertSortedMaps(body: string): void {
  for (const line of body.split('\n').filter((text) => /^[[{]/.test(text))) {
    JSON.parse(line, (_, value: unknown) => {
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
        const keys = Object.keys(value);
        if (keys.some((key) => key.startsWith('12D3Koo'))) assert.deepEqual(keys, keys.toSorted());
      }
      return value;
    });
  }
}

function fractions(body: string): number {
  return body.match(/T\d\d:\d\d:\d\d\.\d+/g)?.length ?? 0;
}
