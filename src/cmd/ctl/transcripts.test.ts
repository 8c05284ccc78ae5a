/**
 * Recorded sessions of the Go program, with an API that answers what their output shows. Where ours does otherwise, `ours` says how, and
 * why. Hints on stderr are for people, and left out of the comparison; so are the lines of the logs.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createCertificate } from '../../../test/support/certificate.ts';
import { closedPort } from '../../../test/support/closed-port.ts';
import { runCtl } from '../../../test/support/ctl.ts';
import { type FakeAnswer, startFakeApi } from '../../../test/support/fake-api.ts';
import { timeFromNanos } from '../../model/index.ts';

const recordings = new URL('../../../test/vectors/cli/ctl/', import.meta.url);
/** Arbitrary; what the sessions show relative to their time is made relative to this. */
const nowSeconds = 1_795_415_700;
const cid = 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o';

const missing = (usage: string): Partial<Transcript> => ({
  stderr: `error : an argument is missing, expected: ipfs-cluster-ctl ${usage}\n`,
});
const noSuchMetric = 'warning: no member has a metric named "nosuch"; without a name, all are listed\n';
const done = { stdout: '', stderr: '', exit: 0 } as const;

/** Where we differ. What is not here is printed byte for byte. */
const ours: Readonly<Record<string, Partial<Transcript>>> = {
  // Refused, where the Go program takes another value without a word.
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
  // Told, where the Go program is silent.
  'parse.extra-args': {
    stderr: 'warning: ignored "extra" "args", expected: ipfs-cluster-ctl pin add <CID|path>\n',
  },
  'status.filter-mixed-bad': { stderr: 'warning: --filter: left out "nosuch", no status\n' },
  'health-metrics.unknown': { stderr: noSuchMetric },
  'health-metrics.unknown.json': { stderr: noSuchMetric },
  // What is missing has a name.
  'pin-add.noarg': missing('pin add <CID|path>'),
  'pin-rm.noarg': missing('pin rm <CID|path>'),
  'pin-update.notenough': missing('pin update <pinned CID> <new CID|path>'),
  'peers-rm.noarg': missing('peers rm <peer id>'),
  'pin-add.invalid': {
    stderr:
      'error : invalid path "/ipfs/foo": invalid cid: encoding/hex: invalid byte: U+006F \'o\'; ' +
      'expected a CID, or a path under /ipfs, /ipns or /ipld\n',
  },
  // Blanks around the commas between hosts do no harm.
  'global.host-spaces': {
    stdout:
      '12D3KooWFGzAxFy34DYdjVjJj5qcC7s1zfLvEunRGNgZBRX9NdKB | peer0 | Sees 2 other peers\n  > Addresses:\n  > IPFS: \n',
    stderr: '',
    exit: 0,
  },
  // Our version.
  'global.version-flag': { stdout: 'ipfs-cluster-ctl version 0.1.0\n' },
  // The words of 2017 still work.
  'seed-cmd.member-ls': done,
  'seed-cmd.sync': {
    ...done,
    stdout: `${cid}:\n    > peer0                : PINNED | 2026-11-23T06:32:18Z | Attempts: 0 | Priority: false\n`,
  },
  // A long address is cut, and the layout left to the peer.
  'add.url-bad': {
    stdout:
      'An error occurred:\n  Code: 0\n  Message: Post "http://127.0.0.1:<port>/add?chunker=size-262144&cid-version=0&format=unixfs&' +
      'hash=sha2-256&hidden=false&local=false&mode=recursive&name=&no-pin=false&nocopy=false&progress=false&raw-leaves=false&' +
      'recursive=false&replication-max=0&replication-min=0&shard=false&shard-size=104857600&stream-channels=true&u…": ' +
      'Get "http://127.0.0.1:<closed>/x": dial tcp 127.0.0.1:<closed>: connect: connection refused\n',
  },
  // A blank line of the log.
  'global.debug': { stderr: '' },
  // Go words the same time-out in either way, as its timers happen to run.
  'timeout.stream': {
    stdout:
      'An error occurred:\n  Code: 0\n  Message: Get "http://127.0.0.1:<port>/pins?local=false&filter=&cids=": ' +
      'context deadline exceeded (Client.Timeout exceeded while awaiting headers)\n',
  },
};

/** Command lines that the recordings show without their quotes, or not whole. */
const lines: Readonly<Record<string, readonly string[]>> = {
  'add.named.wait': ['add', '--name', 'my name', '--metadata', 'k=v', '--wait', 'big.bin'],
  'status.too-early': [
    'status',
    '--local',
    '--filter',
    'pinned, remote',
    'QmcpPtcUiyoXdPos7Gv1Y2bKDe7amqhjqGj2VZSjfZwTW1',
  ],
  'follower-socket.pin': ['--host', '/unix/...', 'pin', 'add', cid],
  'global.noargs': [],
};

/** What is played elsewhere, with real peers: `test/e2e/ctl.test.ts`. */
const elsewhere: ReadonlySet<string> = new Set(['libp2p.id', 'libp2p.down', 'libp2p.nosecret', 'libp2p.shortsecret']);

interface Transcript {
  readonly argv: readonly string[];
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: number;
  readonly environment: Readonly<Record<string, string>>;
}

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ctl-sessions-'));
  await mkdir(join(folder, 'dir', 'sub'), { recursive: true });
  const files = { 'a.txt': 'hello world\n', 'b.txt': 'second\n', 'a.car': 'a car', 'big.bin': 'z'.repeat(1_000_000) };
  const inside = { 'dir/x.txt': 'x\n', 'dir/sub/y.txt': 'y\n', 'dir/.hidden': 'h\n' };
  for (const [name, text] of Object.entries({ ...files, ...inside })) await writeFile(join(folder, name), text);
});
after(() => rm(folder, { recursive: true }));

// Two of them wait for a second.
describe('sessions of the Go program', { concurrency: true }, () => {
  for (const file of readdirSync(recordings).sort()) {
    const name = file.replace('.txt', '');
    if (!elsewhere.has(name)) test(name, () => play(name, readFileSync(new URL(file, recordings), 'utf8')));
  }
});

async function play(name: string, recording: string): Promise<void> {
  let answer: (method: string, path: string) => FakeAnswer | undefined = () => undefined;
  const options = name.startsWith('follower-socket.')
    ? { socketPath: join(folder, `${name}.sock`) }
    : /^tls\.(no)?verify$/.test(name)
      ? { tls: createCertificate() }
      : {};
  const api = await startFakeApi((method, path) => answer(method, path), options);
  try {
    // Ports of the recording: nobody was there, or the API.
    const closed = await closedPort();
    const text = recording.replace(/221(9[0789])/g, `${closed}`).replace(/\b22(11\d|140|195)\b/g, `${api.port}`);
    const recorded = readTranscript(name, text, api.host);
    const expected = { ...recorded, ...ours[name] };
    if (!name.startsWith('timeout')) answer = answersOf(expected, name);
    const got = await runCtl(expected.argv, {
      now: () => ({ seconds: nowSeconds, nanos: 0 }),
      environment: expected.environment,
      folder,
    });
    assertHelp(name, got.stdout, recorded.stdout);
    if (!recorded.stdout.includes('<help>') && name !== 'commands') {
      assert.equal(got.stdout, expected.stdout.replace('<port>', `${api.port}`).replaceAll('<closed>', `${closed}`));
    }
    assert.equal(withoutLogs(got.stderr), expected.stderr);
    assert.equal(got.exit, expected.exit);
  } finally {
    await api.close();
  }
}

/** Our help has our words; of a usage error the first line counts. Of the commands, ours are more. */
function assertHelp(name: string, got: string, recorded: string): void {
  if (name === 'commands') {
    const lines = got.split('\n');
    const places = recorded.split('\n').map((line) => lines.indexOf(line));
    assert.ok(
      places.every((place, index) => place >= 0 && place >= (places[index - 1] ?? 0)),
      got,
    );
  } else if (recorded.startsWith('<help>')) {
    assert.match(got, /^Usage: ipfs-cluster-ctl /);
  } else if (recorded.includes('<help>')) {
    assert.equal(got.split('\n')[0], recorded.split('\n')[0]);
    assert.match(got, /\nFor help: ipfs-cluster-ctl .*--help\n$/);
  }
}

function withoutLogs(stderr: string): string {
  return stderr.replace(/^[0-9T:.-]+Z\t[A-Z]+\t.*\n/gm, '').replace(/^hint: .*\n/gm, '');
}

function readTranscript(name: string, text: string, host: string): Transcript {
  const parts =
    /^\$ (?:(\w+)=(\S+) )?ipfs-cluster-ctl ([^\n]*)\n--- stdout\n(.*)--- stderr\n(.*)--- exit ([0-9]+)\n$/s.exec(text);
  assert.ok(parts);
  const [, variable, value = '', line = '', stdout = '', stderr = '', exit = ''] = parts;
  const joined = line
    .replace('<cluster secret>', '00'.repeat(32))
    .replace('--host /unix/', '--host /unix')
    .replace(', ', ',');
  const words = lines[name] ?? joined.split(' ');
  const times = words.map((word, at) => {
    if (words[at - 1] === '--timeout' && word === '2') return '1';
    if (words[at - 1] === '--wait-timeout' && word === '2s') return '50ms';
    return words[at - 1] === '--host' && word.startsWith('/unix') ? host : word;
  });
  const isSaid = words.some((word) => /^--?(host|l)$/.test(word)) || words.length === 0;
  return {
    argv: isSaid ? times : ['--host', host, ...times],
    stdout: stdout.replace('<no newline at end>\n', ''),
    stderr: withoutLogs(stderr),
    exit: Number(exit),
    environment: variable === undefined ? {} : { [variable]: value },
  };
}

type Answers = (method: string, path: string) => FakeAnswer;

function answersOf(expected: Transcript, name: string): Answers {
  const { stdout, argv } = expected;
  const error = /^An error occurred:\n {2}Code: ([0-9]+)\n {2}Message: (.*)\n$/s.exec(stdout);
  const code = error?.[1] ?? /^\{\n {4}"code": ([0-9]+),/.exec(stdout)?.[1];
  if (code !== undefined) {
    const refused = refusal(name, Number(code), error?.[2], stdout);
    return (method) => (name.startsWith('peers-rm') && method === 'GET' ? { status: 204 } : refused);
  }
  if (expected.stderr.startsWith('error waiting')) {
    return () => ({ body: statusBody(name === 'pin-add.wait-timeout' ? 'pinning' : 'pin_error') });
  }
  if (name.startsWith('add.')) return addAnswers(stdout);
  const documents = documentsOf(stdout);
  const [first = ''] = documents;
  const words = argv.filter((word) => !/^(--enc|json$|--host|\/)/.test(word)).join(' ');
  if (first === '' && words.startsWith('health')) {
    return () => ({
      body: words.includes('graph') ? '{"cluster_id":""}' : words.includes('bandwidth') ? '{}' : '[]\n',
    });
  }
  const isStream =
    /^(peers ls|pin ls$|pin ls --filter|recover$|status( --local)?$|status --filter|member)/.test(words) ||
    name === 'status.cids';
  // Pinning is answered with a pin, and shown as a status unless that is switched off.
  const isStatus = first.includes('"peer_map"');
  const result: FakeAnswer = isStream
    ? { status: documents.length === 0 ? 204 : 200, body: documents, trailers: [''] }
    : { status: first === '' ? 204 : 200, body: `${first}\n` };
  const whenDone = isStatus ? first : statusBody(argv.includes('rm') ? 'unpinned' : 'pinned');
  return (method, path) => {
    // Before a member is removed, the peer is asked who its members are, and what that one alone has.
    if (path === '/id' && argv.includes('rm')) return { body: JSON.stringify({ cluster_peers: [argv.at(-1)] }) };
    if (words.startsWith('peers rm') && method === 'GET') return { status: 204 };
    const isPinning = /^\/pins\/(ipfs|ipns|ipld)\//.test(path);
    if (isPinning && isStatus) return { body: pinBody(/"cid":"([^"]+)"/.exec(first)?.[1] ?? cid) };
    if (!isPinning && !isStatus && method === 'GET' && path.startsWith('/pins/')) return { body: whenDone };
    return result;
  };
}

function refusal(name: string, code: number, message: string | undefined, stdout: string): FakeAnswer {
  // While adding the peer has answered already, and tells at the end.
  if (name.startsWith('add.') && code === 500) return { body: [], trailers: [message ?? ''] };
  const body = message === undefined ? compact(stdout) : JSON.stringify({ code, message });
  return { status: code, body: `${body}\n` };
}

function addAnswers(stdout: string): Answers {
  const lines = stdout.startsWith('{') || stdout.startsWith('[') ? documentsOf(stdout) : textLines(stdout).map(addedOf);
  const [first = ''] = lines;
  const added = first.startsWith('[') ? (JSON.parse(first) as object[]).map((one) => JSON.stringify(one)) : lines;
  return (method, path) => {
    if (method === 'POST') return { body: added };
    return { body: path.startsWith('/allocations/') ? pinBody(cid) : statusBody('pinned') };
  };
}

const textLines = (text: string): readonly string[] => (text === '' ? [] : text.trimEnd().split('\n'));

function addedOf(line: string): string {
  const [, id, file = ''] = /^(?:added )?(\w+)(?: (.*))?$/.exec(line) ?? [];
  return JSON.stringify({ name: file, cid: id, size: 1, allocations: [] });
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
  if (stdout.includes('. RateIn: ')) return [bandwidthOf(stdout)];
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

function bandwidthOf(stdout: string): string {
  const bytes = (text: string): number =>
    Number.parseFloat(text) * (text.endsWith('MB') ? 1e6 : text.endsWith('kB') ? 1e3 : 1);
  const protocols = textLines(stdout).map((line) => {
    const [, name = '', bytesIn = '', bytesOut = '', rateIn, rateOut] =
      /^ *(\S*): In: +(.*)\. Out: +(.*)\. RateIn: (.*)B\/s\. RateOut: (.*)B\/s$/.exec(line) ?? [];
    return [
      name,
      { total_in: bytes(bytesIn), total_out: bytes(bytesOut), rate_in: Number(rateIn), rate_out: Number(rateOut) },
    ] as const;
  });
  return JSON.stringify(Object.fromEntries(protocols));
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
