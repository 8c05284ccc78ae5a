/** The commands of `docs/http-api.md` run against a peer with the configuration that the page shows, and print what it says. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isJsonObject, type Json, type JsonObject } from '../src/model/config/index.ts';
import { createCertificate } from './support/certificate.ts';
import { startPeers, type TestPeers } from './support/peers.ts';

const page = await readFile(join(import.meta.dirname, '..', 'docs', 'http-api.md'), 'utf8');

const skip =
  spawnSync('curl', ['--version']).status === 0
    ? false
    : 'there is no curl: the examples of docs/http-api.md do NOT run';
if (skip !== false) console.warn(skip);

const blocks = [...page.matchAll(/^```(json|sh)\n([\s\S]*?)^```\n(?:\n```text\n([\s\S]*?)^```$)?/gm)].map(
  ({ index, 1: kind = '', 2: text = '', 3: output = '' }) => ({
    line: page.slice(0, index).split('\n').length,
    kind,
    text,
    output,
  }),
);

function merged(into: JsonObject, from: JsonObject): JsonObject {
  const result: Record<string, Json> = { ...into };
  for (const [key, value] of Object.entries(from)) {
    const own = result[key];
    result[key] =
      isJsonObject(own) && isJsonObject(value) && key !== 'basic_auth_credentials' ? merged(own, value) : value;
  }
  return result;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await once(server.close(), 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe('docs/http-api.md', { skip }, () => {
  let started: TestPeers;
  /** The page with the places of this machine. */
  let here: (text: string) => string;

  before(async () => {
    started = await startPeers({ count: 1, isStarted: false });
    const [peer] = started.peers;
    assert.ok(peer);
    const ports = { api: new URL(peer.apiUrl).port, pinsvc: String(await freePort()) };
    here = (text) =>
      text
        .replaceAll('~/.ipfs-cluster', peer.folder)
        .replaceAll('/run/ipfs-cluster/api.sock', join(peer.folder, 'api.sock'))
        .replace(/(tcp\/|:)9094\b/g, `$1${ports.api}`)
        .replace(/(tcp\/|:)9097\b/g, `$1${ports.pinsvc}`);
    const { cert, key } = createCertificate();
    await writeFile(join(peer.folder, 'cert.pem'), cert);
    await writeFile(join(peer.folder, 'key.pem'), key);
    const file = join(peer.folder, 'service.json');
    // Proof: the file, and what the page shows, are JSON objects, or the peer would not start.
    let config = JSON.parse(await readFile(file, 'utf8')) as JsonObject;
    for (const { kind, text } of blocks) {
      if (kind === 'json') config = merged(config, JSON.parse(here(text)) as JsonObject);
    }
    await writeFile(file, JSON.stringify(config));
    await peer.process.start();
  });
  after(() => started?.end());

  function run(commands: string): { readonly stdout: string; readonly stderr: string } {
    const { stdout, stderr } = spawnSync('sh', ['-c', here(commands)], { encoding: 'utf8', timeout: 30_000 });
    // Headers that curl shows end as on the wire; a plain answer may not end with a line.
    return { stdout: stdout.replaceAll('\r', '').replace(/([^\n])$/, '$1\n'), stderr };
  }

  for (const { line, kind, text, output } of blocks) {
    if (kind !== 'sh') continue;
    test(`the commands of line ${line} print what the page says`, () => {
      let { stdout, stderr } = run(text);
      // A peer may write its log a little after it has answered.
      const last = text.trimEnd().split('\n').at(-1) ?? '';
      for (const end = Date.now() + 10_000; stdout !== output && last.startsWith('tail ') && Date.now() < end; ) {
        ({ stdout, stderr } = run(last));
      }
      assert.equal(stdout, output, stderr);
    });
  }
});
