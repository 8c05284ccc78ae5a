/** IPFS nodes that hang, are full, vanish or talk nonsense, over real sockets: each attempt ends with its class, and others go on. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { cidNumber, pinOf } from '../../../test/support/pins.ts';
import { systemClock } from '../../../test/support/system-clock.ts';
import { errorCode, errorMessage, silentLogger } from '../../base/index.ts';
import type { IpfsConnector } from '../../cluster/ports.ts';
import { causeOf } from '../../core/track/index.ts';
import { createIpfsConnector, type IpfsConnectorOptions } from './connector.ts';

/** Writes what a node of this kind says to one request. */
type Behaviour = (socket: Socket, path: string) => void;

const never = new AbortController().signal;
const [bad, good] = [cidNumber(1), cidNumber(2)];
const direct = pinOf(bad, { maxDepth: 0, mode: 'direct' });
/** Longer than any test: what ends sooner has been ended by another limit. */
const longMs = 600_000;
const shortMs = 150;

const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n';
const whole = (body: string, status = '200 OK'): string =>
  `HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const chunked = (...pieces: readonly string[]): string =>
  `${head}Transfer-Encoding: chunked\r\n\r\n${pieces.map(chunk).join('')}`;
const kuboError = (message: string): string =>
  whole(JSON.stringify({ Message: message, Code: 0, Type: 'error' }), '500 Internal Server Error');

/** Repeats a text as fast as it is read. */
function flood(socket: Socket, text: string): void {
  const more = (): void => {
    if (!socket.destroyed && socket.write(text)) setImmediate(more);
  };
  socket.on('drain', more);
  more();
}

/** Behaves so to what is asked about `bad`, and as an IPFS node to all else. */
async function connectorTo(
  t: TestContext,
  behave: Behaviour,
  more: Partial<IpfsConnectorOptions> = {},
): Promise<IpfsConnector> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = '';
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (piece) => {
      text += piece.toString();
      if (!text.includes('\r\n\r\n')) return;
      const path = /^POST (\S+)/.exec(text)?.[1] ?? '';
      text = '';
      if (path.includes(bad.toString())) behave(socket, path);
      else if (path.includes('pin/add')) socket.write(`${chunked('{"Pins":["x"]}\n')}0\r\n\r\n`);
      else socket.write(whole('{"ID":"12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"}'));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Listening on TCP.
  const { port } = server.address() as AddressInfo;
  const connector = createIpfsConnector(
    {
      nodeMultiaddress: `/ip4/127.0.0.1/tcp/${port}`,
      ipfsRequestTimeoutMs: longMs,
      pinTimeoutMs: longMs,
      unpinTimeoutMs: longMs,
      repoGcTimeoutMs: longMs,
      unpinDisable: false,
      concurrentPins: 2,
      ...more,
    },
    { clock: systemClock, logger: silentLogger },
  );
  t.after(async () => {
    await connector.stop();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await connector.start();
  return connector;
}

async function failureOf(
  act: Promise<unknown>,
): Promise<{ readonly code: string; readonly cause: string; readonly text: string }> {
  try {
    await act;
  } catch (error) {
    const code = errorCode(error);
    return { code, cause: causeOf(code), text: errorMessage(error) };
  }
  return { code: '', cause: 'none', text: 'it succeeded' };
}

interface Case {
  readonly name: string;
  readonly behave: Behaviour;
  readonly cause: string;
  readonly text: RegExp;
  /** Ended by `pin_timeout` alone. */
  readonly isTimed?: boolean;
  /** Leaves no time to others as long as it goes on, here where both sides are one process. */
  readonly isFlood?: boolean;
  readonly isDirect?: boolean;
}

const cases: readonly Case[] = [
  {
    name: 'accepts and never answers',
    behave: () => {},
    cause: 'no_progress',
    text: /no new block in 150ms, 0 fetched/,
    isTimed: true,
  },
  {
    name: 'accepts a question before a pin and never answers',
    behave: () => {},
    cause: 'timeout',
    text: /within 150ms/,
    isTimed: true,
    isDirect: true,
  },
  {
    name: 'lists empty lines without end',
    behave: (socket) => {
      socket.write(chunked());
      flood(socket, chunk('\n'.repeat(1000)));
    },
    cause: 'timeout',
    text: /within 150ms/,
    isTimed: true,
    isFlood: true,
    isDirect: true,
  },
  {
    name: 'repeats its progress without end',
    behave: (socket) => {
      socket.write(chunked());
      flood(socket, chunk('{"Progress":3}\n'));
    },
    cause: 'no_progress',
    text: /no new block in 150ms, 3 fetched/,
    isTimed: true,
    isFlood: true,
  },
  {
    name: 'is full',
    behave: (socket) => socket.write(kuboError('pin: write /repo/blocks/x: no space left on device')),
    cause: 'full',
    text: /no space left on device/,
  },
  {
    name: 'is full after some blocks',
    behave: (socket) =>
      socket.write(
        `${head}Trailer: X-Stream-Error\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('{"Progress":5}\n')}` +
          '0\r\nX-Stream-Error: Cannot write: the disk is full\r\n\r\n',
      ),
    cause: 'full',
    text: /the disk is full/,
  },
  {
    name: 'refuses',
    behave: (socket) => socket.write(kuboError('pin: block was not found locally (offline)')),
    cause: 'refused',
    text: /Code: 500. Message: pin: block was not found/,
  },
  {
    name: 'vanishes in the middle of a pin',
    behave: (socket) => socket.write(chunked('{"Progress":1}\n'), () => socket.resetAndDestroy()),
    cause: 'unreachable',
    text: /^Post "http/,
  },
  {
    name: 'ends half a progress line with its connection',
    behave: (socket) => socket.end(chunked('{"Progress":1}\n{"Progr')),
    cause: 'unreachable',
    text: /^Post "http/,
  },
  {
    name: 'ends in half a progress line',
    behave: (socket) => socket.write(`${chunked('{"Progress":1}\n{"Progr')}0\r\n\r\n`),
    cause: 'bad_answer',
    text: /not JSON: \{"Progr/,
  },
  {
    name: 'ends without a word of what it pinned',
    behave: (socket) => socket.write(`${chunked('{"Progress":1}\n')}0\r\n\r\n`),
    cause: 'bad_answer',
    text: /ends without "Pins"/,
  },
  {
    name: 'answers nothing',
    behave: (socket) => socket.write(whole('')),
    cause: 'bad_answer',
    text: /ends without "Pins"/,
  },
  {
    name: 'sends words that are no JSON',
    behave: (socket) => socket.write(whole('<html>hello</html>\n')),
    cause: 'bad_answer',
    text: /not JSON: <html>hello/,
  },
  {
    name: 'sends JSON that is no object',
    behave: (socket) => socket.write(whole('null\n[1]\n"x"\n{"Pins":7}\n')),
    cause: 'bad_answer',
    text: /not an object: null/,
  },
  {
    name: 'answers as another server does',
    behave: (socket) => socket.write(whole('<html>nginx</html>', '502 Bad Gateway')),
    cause: 'bad_answer',
    text: /is it running\?.*Code 502: <html>nginx/,
  },
  {
    name: 'sends a body without end and without lines',
    behave: (socket) => {
      socket.write(chunked());
      flood(socket, chunk('x'.repeat(10_000)));
    },
    cause: 'bad_answer',
    text: /longer than 1048576/,
  },
  {
    name: 'sends an error without end',
    behave: (socket) => {
      socket.write('HTTP/1.1 500 Internal Server Error\r\nTransfer-Encoding: chunked\r\n\r\n');
      flood(socket, chunk('x'.repeat(10_000)));
    },
    cause: 'bad_answer',
    text: /longer than 1048576/,
  },
  {
    name: 'sends huge headers',
    behave: (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      flood(socket, `X-Filler: ${'y'.repeat(8000)}\r\n`);
    },
    cause: 'bad_answer',
    text: /not HTTP: Headers Overflow/,
  },
  {
    name: 'speaks another protocol',
    behave: (socket) => socket.write('SSH-2.0-OpenSSH_9.6\r\n'),
    cause: 'bad_answer',
    text: /not HTTP: /,
  },
];

for (const { name, behave, cause, text, isTimed = false, isFlood = false, isDirect = false } of cases) {
  test(`IpfsConnector: a node that ${name}: the pin ends with its cause, and another goes on`, async (t) => {
    const connector = await connectorTo(t, behave, isTimed ? { pinTimeoutMs: shortMs } : {});
    const failing = failureOf(connector.pin(isDirect ? direct : pinOf(bad), { signal: never }));
    if (!isTimed || isFlood) await failing;
    if (cause === 'unreachable') {
      assert.equal(connector.isUp(), false);
      await new Promise<void>((resolve) => connector.onUp(resolve));
    }
    assert.equal(connector.isUp(), true, 'what talks nonsense about one pin is not away');
    // The short limit is for both; on a slow machine an attempt that fails says nothing.
    while ((await failureOf(connector.pin(pinOf(good), { signal: never }))).cause !== 'none')
      assert.equal(isTimed, true);
    const failure = await failing;
    assert.equal(failure.cause, cause, failure.text);
    assert.match(failure.text, text);
  });
}

test('IpfsConnector: an unpin whose answer trickles in ends at its limit', async (t) => {
  const behave: Behaviour = (socket) => {
    socket.write(chunked());
    const talker = setInterval(() => socket.write(chunk(' ')), 10);
    socket.on('close', () => clearInterval(talker));
  };
  const connector = await connectorTo(t, behave, { unpinTimeoutMs: shortMs });
  const { cause, text } = await failureOf(connector.unpin(bad, { signal: never }));
  assert.equal(cause, 'timeout');
  assert.match(text, /^No whole answer of IPFS to "pin\/rm\?arg=\w+" within 150ms$/);
});

test('IpfsConnector: questions that hang take no connection from pins', async (t) => {
  const connector = await connectorTo(t, () => {});
  const ending = new AbortController();
  const questions = Array.from({ length: 30 }, () =>
    failureOf(connector.pinLsCid(pinOf(bad), { signal: ending.signal })),
  );
  await connector.pin(pinOf(good), { signal: never });
  ending.abort();
  for (const { cause } of await Promise.all(questions)) assert.equal(cause, 'cancelled');
});

test('IpfsConnector: a status of nonsense is a failure and not a pin', async (t) => {
  const connector = await connectorTo(t, (socket) => socket.write(whole('{"Keys":{}}\n')));
  assert.equal((await failureOf(connector.pinLsCid(pinOf(bad)))).code, 'ipfs/bad-answer');
});
