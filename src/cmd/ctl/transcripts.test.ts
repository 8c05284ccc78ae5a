/**
 * Recorded sessions of the Go program, with an API that answers what their output shows.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type FakeAnswer, startFakeApi } from '../../../test/support/fake-api.ts';
import { timeFromNanos } from '../../model/index.ts';
import { main } from './main.ts';

const folder = new URL('../../../test/vectors/cli/ctl/', import.meta.url);
/** Arbitrary; what the sessions show relative to their time is made relative to this. */
const nowSeconds = 1_795_415_700;
const cid = 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o';

const noSuchMetric = 'warning: no member has a metric named "nosuch"; without a name, all are listed\n';

/** Where we refuse what the Go program takes without a word, or say more on stderr; else there is no difference. */
const ours: Readonly<Record<string, Partial<Transcript>>> = {
  'pin-add.mode-bad': {
    stdout: '',
    stderr: 'error parsing mode: found "foo", expected recursive or direct\n',
    exit: 1,
  },
  'pin-ls.filter-bad': {
    stdout: '',
    stderr:
      'error parsing filter flag: found "nosuch", expected names of: pin, meta-pin, clusterdag-pin, shard-pin, all\n',
    exit: 1,
  },
  'pin-add.noarg': { stderr: 'error : an argument is missing, expected: ipfs-cluster-ctl pin add <CID|path>\n' },
  'pin-add.invalid': {
    stderr:
      'error : invalid path "/ipfs/foo": invalid cid: encoding/hex: invalid byte: U+006F \'o\'; ' +
      'expected a CID, or a path under /ipfs, /ipns or /ipld\n',
  },
  'pin-rm.noarg': { stderr: 'error : an argument is missing, expected: ipfs-cluster-ctl pin rm <CID|path>\n' },
  'pin-update.notenough': {
    stderr: 'error : an argument is missing, expected: ipfs-cluster-ctl pin update <pinned CID> <new CID|path>\n',
  },
  'peers-rm.noarg': { stderr: 'error : an argument is missing, expected: ipfs-cluster-ctl peers rm <peer id>\n' },
  'parse.extra-args': {
    stderr: 'warning: ignored "extra" "args", expected: ipfs-cluster-ctl pin add <CID|path>\n',
  },
  'status.filter-mixed-bad': { stderr: 'warning: --filter: left out "nosuch", no status\n' },
  'health-metrics.unknown': { stderr: noSuchMetric },
  'health-metrics.unknown.json': { stderr: noSuchMetric },
};

interface Transcript {
  readonly argv: readonly string[];
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: number;
}

for (const file of readdirSync(folder).sort()) {
  test(`session ${file.replace('.txt', '')}`, async () => {
    const recorded = readTranscript(readFileSync(new URL(file, folder), 'utf8'));
    const expected = { ...recorded, ...ours[file.replace('.txt', '')] };
    const isStream = /^(peers ls|pin ls$|pin ls --filter|recover$|status( --local)?$|status --filter|member)/.test(
      expected.argv.filter((word) => !word.startsWith('--enc') && word !== 'json').join(' '),
    );
    const answers = answersOf(recorded, isStream || file === 'status.cids.txt');
    const api = await startFakeApi(answers);
    try {
      const got = { stdout: '', stderr: '' };
      const exit = await main(['--host', api.host, ...expected.argv], {
        stdout: (text) => {
          got.stdout += text;
        },
        stderr: (text) => {
          got.stderr += text;
        },
        environment: {},
        now: () => ({ seconds: nowSeconds, nanos: 0 }),
        writeFile: async () => {},
        statusDelayMs: 0,
      });
      assert.equal(got.stdout, expected.stdout);
      assert.equal(got.stderr, expected.stderr);
      assert.equal(exit, expected.exit);
    } finally {
      await api.close();
    }
  });
}

function readTranscript(text: string): Transcript {
  const parts = /^\$ ipfs-cluster-ctl ([^\n]*)\n--- stdout\n(.*)--- stderr\n(.*)--- exit ([0-9]+)\n$/s.exec(text);
  assert.ok(parts);
  const [, line = '', stdout = '', stderr = '', exit = ''] = parts;
  const words = line.replace('<cluster secret>', '00'.repeat(32)).split(' ');
  // The address of the recorded API; that of the fake one stands in front.
  const at = words.indexOf('--host');
  if (at >= 0 && (words[at + 1] ?? '').startsWith('/ip4/')) words.splice(at, 2);
  return {
    argv: words,
    stdout: stdout.replace('<no newline at end>\n', ''),
    stderr: stderr.replace(/^[0-9T:.-]+Z\t[A-Z]+\t.*\n/gm, ''),
    exit: Number(exit),
  };
}

function answersOf(expected: Transcript, isStream: boolean): (method: string, path: string) => FakeAnswer {
  const { stdout } = expected;
  const error = /^An error occurred:\n {2}Code: ([0-9]+)\n {2}Message: (.*)\n$/s.exec(stdout);
  const code = error?.[1] ?? /^\{\n {4}"code": ([0-9]+),/.exec(stdout)?.[1];
  if (code !== undefined) {
    const body = error === null ? compact(stdout) : JSON.stringify({ code: Number(code), message: error[2] });
    return () => ({ status: Number(code), body: `${body}\n` });
  }
  if (expected.stderr.startsWith('error waiting')) return () => ({ body: statusBody('pin_error') });
  const documents = documentsOf(stdout);
  const [first = ''] = documents;
  if (first === '' && expected.argv[0] === 'health') return () => ({ body: '[]\n' });
  // Pinning is answered with a pin, and shown as a status unless that is switched off.
  const isStatus = first.includes('"peer_map"');
  const result: FakeAnswer = isStream
    ? { status: documents.length === 0 ? 204 : 200, body: documents, trailers: [''] }
    : { status: first === '' ? 204 : 200, body: `${first}\n` };
  const done = isStatus ? first : statusBody(expected.argv.includes('rm') ? 'unpinned' : 'pinned');
  return (method, path) => {
    // Before a member is removed, the peer is asked who its members are.
    if (path === '/id' && expected.argv.includes('rm'))
      return { body: JSON.stringify({ cluster_peers: [expected.argv.at(-1)] }) };
    const isPinning = /^\/pins\/(ipfs|ipns|ipld)\//.test(path);
    if (isPinning && isStatus) return { body: pinBody(/"cid":"([^"]+)"/.exec(first)?.[1] ?? cid) };
    if (!isPinning && !isStatus && method === 'GET' && path.startsWith('/pins/')) return { body: done };
    return result;
  };
}

function pinBody(of: string): string {
  return JSON.stringify({ cid: of, replication_factor_min: -1, replication_factor_max: -1, type: 'pin' });
}

function statusBody(status: string): string {
  return JSON.stringify({ cid, peer_map: { '12D3KooWBCJm4uy27rCNUQPwtsC3Wtc3M9YTP4i9c7fLFfC3ZYWT': { status } } });
}

/** The documents, as compact JSON, whose printed form is `stdout`. */
function documentsOf(stdout: string): string[] {
  if (stdout === '') return [];
  if (stdout.startsWith('{') || stdout.startsWith('[')) {
    return stdout
      .split(/(?<=^[}\]])\n(?=[{[]|$)/m)
      .filter((text) => text !== '')
      .map(compact);
  }
  if (/^[0-9]+\.[0-9]+\.[0-9]+\n$/.test(stdout)) return [JSON.stringify({ version: stdout.trim() })];
  if (stdout.startsWith('digraph')) return [graphOf(stdout)];
  if (/^12D\w+ \| .*Sees/m.test(stdout)) return stdout.split(/^(?=12D\w+ \|)/m).map(idOf);
  if (stdout.includes('    > ')) return stdout.split(/^(?=\S)/m).map(statusOf);
  if (stdout.includes(' | Repl. Factor: ')) return stdout.trimEnd().split('\n').map(pinOf);
  if (stdout.includes('  > CIDs:')) return [gcOf(stdout)];
  if (/ \| Expires in: /.test(stdout)) return [`[${stdout.trimEnd().split('\n').map(metricOf).join(',')}]`];
  if (/ Triggered at: /.test(stdout)) return [`[${stdout.trimEnd().split('\n').map(alertOf).join(',')}]`];
  return [JSON.stringify(stdout.trimEnd().split('\n'))];
}

/** Without blanks between tokens; numbers keep their digits. */
function compact(json: string): string {
  return json.replace(/("(?:[^"\\]|\\.)*")|\s+/g, (_all, text?: string) => text ?? '');
}

function idOf(block: string): string {
  const [, id, peername, count] = /^(\w+) \| (.*) \| Sees (-?[0-9]+) other peers\n/.exec(block) ?? [];
  const addresses = (text: string | undefined) =>
    [...(text ?? '').matchAll(/^ {4}- (.*)$/gm)].map((match) => match[1]).reverse();
  const [, own, , ipfs, error, theirs] =
    /Addresses:\n((?: {4}- .*\n)*)( {2}> IPFS: (.*)\n| {2}> IPFS ERROR: (.*)\n)((?: {4}- .*\n)*)/.exec(block) ?? [];
  return JSON.stringify({
    id,
    peername,
    addresses: addresses(own),
    cluster_peers: Array(Number(count) + 1).fill(id),
    ipfs: { id: ipfs ?? '', error: error ?? '', addresses: addresses(theirs) },
  });
}

function statusOf(block: string): string {
  const [head = '', ...lines] = block.trimEnd().split('\n');
  const [id, name = ''] = head.slice(0, -1).split(' | ');
  // Names stand in the order of ids, which are not shown.
  const peers = lines.map((line, index) => {
    const fields = /^ {4}> (.*?) +: ([A-Z_]+)(?:: (.*))? \| (\S+) \| Attempts: ([0-9]+) \| Priority: (\w+)$/.exec(line);
    const [, peername, status = '', error = '', timestamp, attempts, priority] = fields ?? [];
    return [
      String(index),
      {
        peername,
        status: status.toLowerCase(),
        error,
        timestamp,
        attempt_count: Number(attempts),
        priority_pin: priority === 'true',
      },
    ] as const;
  });
  return JSON.stringify({ cid: id, name, peer_map: Object.fromEntries(peers) });
}

function pinOf(line: string): string {
  const [id, name, type = '', factor = '', allocations = '', depth = '', metadata = '', expires = '', added = ''] =
    line.split(' | ');
  const [, min, max = min] = /: (-?[0-9]+)(?:--(-?[0-9]+))?/.exec(factor) ?? [];
  const time = (text: string) => (/[0-9]/.test(text) ? `${text.replace(/^\w+: /, '').replace(' ', 'T')}Z` : null);
  const peers = allocations.slice('Allocations: ['.length, -1);
  return JSON.stringify({
    cid: id,
    name,
    type: type.toLowerCase().replace('-direct', ''),
    mode: type.endsWith('-DIRECT') ? 'direct' : 'recursive',
    replication_factor_min: Number(min),
    replication_factor_max: Number(max),
    allocations: peers === 'everywhere' ? [] : peers.split(' ').reverse(),
    max_depth: depth === 'Direct' ? 0 : -1,
    metadata: metadata.endsWith('yes') ? { k: 'v' } : null,
    expire_at: time(expires),
    timestamp: time(added),
  });
}

function gcOf(stdout: string): string {
  const peers = stdout.split(/^(?=\S)/m).map((block, index) => {
    const [, peername, error = ''] = /^(\S+) *(?: \| ERROR: (.*))?\n/.exec(block) ?? [];
    const keys = [...block.matchAll(/^ {4}- (?:ERROR: (.*)|(.*))$/gm)].map((key) => ({
      error: key[1] ?? '',
      key: key[2] ?? null,
    }));
    return [String(index), { peername, error, keys }] as const;
  });
  return JSON.stringify({ peer_map: Object.fromEntries(peers) });
}

function metricOf(line: string): string {
  const [, peer, name = '', shown = '', seconds] =
    /^(\w+) \| (.*?): (.*) \| Expires in: ([0-9]+) seconds? from now$/.exec(
      // Names of tags hold a colon.
      line.replace('tag:', 'tag\0'),
    ) ?? [];
  const isSize = name === 'freespace';
  return JSON.stringify({
    peer,
    name: name.replace('\0', ':'),
    value: isSize ? '9999400505' : shown,
    weight: isSize ? 9_999_400_505 : 0,
    expire: 0,
  }).replace('"expire":0', `"expire":${(nowSeconds + Number(seconds)) * 1000}000000`);
}

function alertOf(line: string): string {
  const [, peer, name, expired, triggered] =
    /^(\w+): (.*)\. Expired at: ([0-9]+) seconds ago\. Triggered at: ([0-9]+) seconds ago$/.exec(line) ?? [];
  const at = timeFromNanos(BigInt(nowSeconds - Number(triggered)) * 1_000_000_000n);
  return JSON.stringify({ peer, name, expire: 0, triggered_at: new Date(at.seconds * 1000).toISOString() }).replace(
    '"expire":0',
    `"expire":${(nowSeconds - Number(expired)) * 1000}000000`,
  );
}

function graphOf(dot: string): string {
  const groups = new Map(
    [...dot.matchAll(/^(\w+) \[.*group="(\w+)"/gm)].map((match) => [match[1] ?? '', match[2] ?? ''] as const),
  );
  const names = [...dot.matchAll(/^[CT][0-9]+ \[label=< <B> (\S+) .*group="(\w+)"/gm)];
  const peers = [...groups].filter(([id]) => !id.startsWith('I'));
  const daemons = [...groups].filter(([id]) => id.startsWith('I'));
  const failed = new Set([...dot.matchAll(/^(I[0-9]+) .*Errored/gm)].map((match) => match[1] ?? ''));
  const edges = [...dot.matchAll(/^(\w+) -> (\w+)/gm)].map((match) => [match[1] ?? '', match[2] ?? ''] as const);
  const links = (from: string, kind: RegExp) =>
    edges.filter(([a, b]) => a === from && kind.test(b)).map(([, b]) => groups.get(b) ?? '');
  const healthy = daemons.filter(([id]) => !failed.has(id));
  return JSON.stringify({
    cluster_id: /^C[0-9]+ .*group="(\w+)".*peripheries/m.exec(dot)?.[1],
    id_to_peername: Object.fromEntries(names.map((match) => [match[2], match[1]])),
    cluster_links: Object.fromEntries(peers.map(([id, peer]) => [peer, links(id, /^[CT]/)])),
    cluster_trust_links: Object.fromEntries(peers.map(([, peer]) => [peer, true])),
    ipfs_links: Object.fromEntries(healthy.map(([id, peer]) => [peer, links(id, /^I/)])),
    cluster_to_ipfs: Object.fromEntries(
      edges
        .filter(([a, b]) => !a.startsWith('I') && b.startsWith('I') && !failed.has(b))
        .map(([a, b]) => [groups.get(a), groups.get(b)]),
    ),
  });
}
