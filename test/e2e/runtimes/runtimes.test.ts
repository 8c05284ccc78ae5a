/**
 * `ipfs-cluster/client` as it is published, one file, in every runtime that it is for: Node, a page and a worker of a real Chromium,
 * Deno and Bun. Each does the same with a peer of its own, from another origin where that counts.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import type { ServiceConfig } from '../../../src/model/config/index.ts';
import { findChromium, startChromium } from '../../support/chromium.ts';
import { closedPort } from '../../support/closed-port.ts';
import { startPeers, type TestPeers } from '../../support/peers.ts';
import type { Facts, ScenarioOptions } from './scenario.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const clientFile = join(root, 'dist', 'client.js');
const scenario = stripTypeScriptTypes(readFileSync(join(import.meta.dirname, 'scenario.ts'), 'utf8'));
const credentials = { user: 'web', password: 'team' };

/** CIDs are those that Kubo gives the same content. */
const expected: Facts = {
  isVersion: true,
  peers: [''],
  file: { cid: 'QmccvEeJ1S95baJ6brLwNCKc6uq89vpVEoUGcEXc5FHhaX', name: 'hello.txt', size: 22 },
  isTold: true,
  blob: 'bafybeias7qdwbx5avoj34mqji2bf3elmi7oxgfpu7asezh3zmicjjs2jeq',
  isStreamTheSame: true,
  directory: {
    cid: 'QmWL4yHMn8dooVyFWuP9goHCykhomRKkom3B9bV6pE9VQt',
    names: ['site/index.html', 'site/img/dot.bin', 'site/img', 'site', ''],
    sent: 15,
  },
  pinned: 'site',
  entry: { stage: 'test' },
  // Adding the same content without a name has taken the name away.
  pins: ['', '', 'site'],
  isComplete: true,
  found: [true],
  statuses: 3,
  cut: [['client/cut', 0], false],
  aborted: [
    ['client/aborted', 0],
    ['client/aborted', 0],
    ['client/aborted', 0],
    ['client/aborted', 0],
  ],
  gone: 'none',
  errors: ['client/bad-argument', ['client/refused', 404], ['client/refused', 401], ['client/aborted', 0]],
  reader: ['', ['client/refused', 403]],
};

function withBrowsers(config: ServiceConfig): ServiceConfig {
  const { restapi } = config;
  if (restapi === undefined) throw new Error('the peer has no HTTP API');
  return {
    ...config,
    restapi: {
      ...restapi,
      basicAuthCredentials: { [credentials.user]: credentials.password },
      corsAllowedMethods: ['GET', 'POST', 'DELETE'],
      corsAllowedHeaders: ['Authorization'],
      corsExposedHeaders: [],
    },
  };
}

/** The program that the variable names, or the one in the path. */
function findProgram(variable: string, name: string): string | undefined {
  const { [variable]: named, PATH = '' } = process.env;
  if (named !== undefined) return named;
  return PATH.split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

describe('ipfs-cluster/client', () => {
  let folder = '';
  let peers: TestPeers | undefined;
  let options: ScenarioOptions;
  const cutting = createServer((_, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json', 'Access-Control-Allow-Origin': '*' });
    // What was written leaves first.
    response.write(`${JSON.stringify({ cid: expected.blob, name: 'first' })}\n{"cid":"bafy`, () => response.destroy());
  });

  before(async () => {
    await once(cutting.listen(0, '127.0.0.1'), 'listening');
    folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-runtimes-'));
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    await writeFile(join(folder, 'scenario.js'), scenario);
    await writeFile(join(folder, 'client.js'), readFileSync(clientFile));
  });
  after(async () => {
    cutting.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** With a fresh peer: all runtimes find the same. */
  async function withPeer(use: () => Promise<unknown>): Promise<void> {
    peers = await startPeers({ count: 1, change: withBrowsers });
    try {
      const urls = [`http://127.0.0.1:${await closedPort()}`, peers.peers[0]?.apiUrl ?? ''];
      options = { urls, cutUrl: urlOf(cutting), ...credentials };
      assert.deepEqual(await use(), expected);
    } finally {
      await peers.end();
    }
  }

  const main = (): string => `
    import { createClient } from './client.js';
    import { runScenario } from './scenario.js';
    console.log(JSON.stringify(await runScenario(createClient, ${JSON.stringify(options)})));
    `;

  async function runProgram(program: string, args: readonly string[]): Promise<unknown> {
    await writeFile(join(folder, 'main.js'), main());
    const child = spawn(program, [...args, 'main.js'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
    assert.equal(child.exitCode, 0, stderr);
    return JSON.parse(stdout);
  }

  it('in Node', () => withPeer(() => runProgram(process.execPath, [])));

  const deno = findProgram('DENO_BIN', 'deno');
  it('in Deno', { skip: missing(deno, 'Deno', 'DENO_BIN') }, () =>
    withPeer(() => runProgram(deno ?? '', ['run', '--allow-net=127.0.0.1', '--no-config'])),
  );

  const bun = findProgram('BUN_BIN', 'bun');
  it('in Bun', { skip: missing(bun, 'Bun', 'BUN_BIN') }, () => withPeer(() => runProgram(bun ?? '', ['run'])));

  const chromium = findChromium();
  const skip = missing(chromium, 'Chromium', 'CHROMIUM_BIN');
  for (const place of ['page', 'worker'] as const) {
    it(`in a ${place} of Chromium`, { skip }, () => withPeer(() => inChromium(place)));
  }

  async function inChromium(place: 'page' | 'worker'): Promise<unknown> {
    const worker = `
      import { createClient } from './client.js';
      import { runScenario } from './scenario.js';
      onmessage = ({ data }) => runScenario(createClient, data).then(postMessage, (error) => postMessage({ error: error.message }));
      `;
    const files = new Map([
      ['/', ['text/html', '<!doctype html><title>test</title>']],
      ['/worker.js', ['text/javascript', worker]],
      ['/client.js', ['text/javascript', readFileSync(clientFile, 'utf8')]],
      ['/scenario.js', ['text/javascript', scenario]],
    ]);
    const server = createServer(({ url = '' }, response) => {
      const [type, content] = files.get(url) ?? [];
      response.writeHead(type === undefined ? 404 : 200, { 'Content-Type': type ?? 'text/plain' }).end(content);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const browser = await startChromium(chromium ?? '');
    try {
      const page = await browser.open(`${urlOf(server)}/`);
      await page.until(`document.title === 'test'`);
      const given = JSON.stringify(options);
      return await page.evaluate(
        place === 'page'
          ? `Promise.all([import('/client.js'), import('/scenario.js')]).then(([client, { runScenario }]) => runScenario(client.createClient, ${given}))`
          : `new Promise((resolve, reject) => {
              const worker = new Worker('/worker.js', { type: 'module' });
              worker.onmessage = ({ data }) => resolve(data);
              worker.onerror = (event) => reject(new Error(event.message));
              worker.postMessage(${given});
            })`,
      );
    } finally {
      await browser.stop();
      server.close();
    }
  }
});

function urlOf(server: Server): string {
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

/** Why a test is left out, told aloud. */
function missing(program: string | undefined, name: string, variable: string): string | false {
  if (program !== undefined) return false;
  const reason = `no ${name} in ${variable} or the path: NOT TESTED`;
  console.error(`ipfs-cluster/client: ${reason}`);
  return reason;
}
