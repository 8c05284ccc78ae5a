/** A headless Chromium, driven over its DevTools protocol, for tests of what a browser makes of our pages. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Page {
  /** The value of an expression in the page, which may be a promise. */
  evaluate(expression: string): Promise<unknown>;
  /** Asks until the expression is true. Rejects with the page's text after half a minute. */
  until(expression: string): Promise<void>;
  /** URLs that the page has asked for so far, but for data. */
  requested(): readonly string[];
}

export interface Chromium {
  open(url: string): Promise<Page>;
  stop(): Promise<void>;
}

/** The program that `CHROMIUM_BIN` names, or the one in the path; `undefined` when there is none. */
export function findChromium(): string | undefined {
  const { CHROMIUM_BIN, PATH = '' } = process.env;
  if (CHROMIUM_BIN !== undefined) return CHROMIUM_BIN;
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  return PATH.split(delimiter)
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find((path) => existsSync(path));
}

export async function startChromium(program: string): Promise<Chromium> {
  const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-chromium-'));
  const options = ['--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-port=0'];
  const child = spawn(program, [...options, `--user-data-dir=${folder}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const socket = new WebSocket(await addressOf(child));
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const answers = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  const onEvents = new Map<string, (method: string, params: Record<string, unknown>) => void>();
  let last = 0;
  socket.onmessage = ({ data }) => {
    const { id, result, error, method, params, sessionId } = JSON.parse(String(data));
    if (id === undefined) onEvents.get(sessionId)?.(method, params);
    else if (error === undefined) answers.get(id)?.resolve(result);
    else answers.get(id)?.reject(new Error(error.message));
  };
  const send = (method: string, params: object, sessionId?: unknown): Promise<Record<string, unknown>> => {
    const id = ++last;
    const answer = Promise.withResolvers<Record<string, unknown>>();
    answers.set(id, answer);
    socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
    return answer.promise;
  };
  return {
    open: async (url) => {
      const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
      const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
      const requested: string[] = [];
      onEvents.set(String(sessionId), (method, params) => {
        if (method !== 'Network.requestWillBeSent') return;
        const { url: asked } = params.request as { url: string };
        if (!asked.startsWith('data:')) requested.push(asked);
      });
      await send('Network.enable', {}, sessionId);
      await send('Page.navigate', { url }, sessionId);
      const evaluate = async (expression: string): Promise<unknown> => {
        const options = { expression, awaitPromise: true, returnByValue: true };
        const { result, exceptionDetails } = await send('Runtime.evaluate', options, sessionId);
        if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
        return (result as { value?: unknown }).value;
      };
      return {
        evaluate,
        requested: () => requested,
        until: async (expression) => {
          const end = performance.now() + 30_000;
          while ((await evaluate(expression)) !== true) {
            if (performance.now() > end) {
              throw new Error(`not so in time: ${expression}; page: ${await evaluate('document.body.innerText')}`);
            }
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
        },
      };
    },
    stop: async () => {
      const exited = once(child, 'exit');
      await send('Browser.close', {}).catch(() => child.kill());
      await exited;
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function addressOf(child: ChildProcess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  child.on('error', reject);
  child.on('exit', () => reject(new Error('chromium ended before it listened')));
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      const address = /DevTools listening on (ws:\S+)/.exec(line)?.[1];
      if (address !== undefined) resolve(address);
    });
  }
  return await promise;
}
