import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { HastyClock } from '../../test/support/hasty-clock.ts';
import { createClient, type ServerEvent, type Transport, unreachable } from './index.ts';

/** A peer that answers with these pieces, then ends or breaks off. */
interface Answer {
  readonly pieces?: readonly string[];
  readonly status?: number;
  readonly end?: 'close' | 'break' | 'hang' | 'refuse';
}

function scripted(answers: readonly Answer[], asked: string[]): Transport {
  let count = 0;
  return async ({ method, path, signal }) => {
    asked.push(path);
    const { pieces = [], status = 200, end = 'close' } = answers[Math.min(count++, answers.length - 1)] ?? {};
    if (end === 'refuse') throw unreachable(method, path, new Error('refused'));
    return {
      status,
      streamErrors: () => [],
      body: (async function* () {
        for (const piece of pieces) yield new TextEncoder().encode(piece);
        if (end === 'break') throw new Error('broken');
        if (end !== 'hang') return;
        signal?.throwIfAborted();
        await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
      })(),
    };
  };
}

/** Pauses between attempts take no time, and silence lasts for ever. */
const pauses = (): { after: HastyClock['after'] } => {
  const hasty = new HastyClock();
  return { after: (delayMs, act) => (delayMs > 10_000 ? () => undefined : hasty.after(delayMs, act)) };
};
const still = { after: () => () => undefined };
const random = { integer: () => 0 };

async function take(events: AsyncIterable<ServerEvent>, count: number): Promise<ServerEvent[]> {
  const seen: ServerEvent[] = [];
  for await (const event of events) {
    seen.push(event);
    if (seen.length === count) break;
  }
  return seen;
}

test('events are read however they are cut into pieces', async () => {
  const text =
    ': hello\n\nid: 1-1\nevent: pin\ndata: {"a":\ndata:1}\n\nid: 1-2\r\ndata: x\r\n\r\nevent: none\n\nid: 1-3\ndata: ü\n\n';
  const bytes = new TextEncoder().encode(text);
  for (let size = 1; size <= bytes.length; size += 7) {
    const body = (async function* () {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    })();
    const client = createClient({
      transport: async () => ({ status: 200, body, streamErrors: () => [] }),
      clock: still,
    });
    assert.deepEqual(await take(client.events(), 3), [
      { id: '1-1', type: 'pin', data: '{"a":\n1}' },
      { id: '1-2', type: 'message', data: 'x' },
      { id: '1-3', type: 'message', data: 'ü' },
    ]);
  }
});

test('a lost connection is made again after the last event, and half an event is none', async () => {
  const asked: string[] = [];
  const transport = scripted(
    [
      { pieces: ['id: 7-1\nevent: pin\ndata: 1\n\nid: 7-2\ndata: 2\n'], end: 'break' },
      { end: 'refuse' },
      { status: 503, pieces: ['{"code":503,"message":"starting"}'] },
      { pieces: ['id: 7-2\ndata: 2\n\n'] },
      { pieces: ['id: 8-9\nevent: reset\ndata: {}\n\n'] },
    ],
    asked,
  );
  const seen = await take(createClient({ transport, clock: pauses(), random }).events({ types: ['pin', 'peer'] }), 3);
  assert.deepEqual(
    seen.map(({ id, type }) => [id, type]),
    [
      ['7-1', 'pin'],
      ['7-2', 'message'],
      ['8-9', 'reset'],
    ],
  );
  const after = (id: string): string => `/events?types=pin,peer&last-event-id=${id}`;
  assert.deepEqual(asked, ['/events?types=pin,peer', after('7-1'), after('7-1'), after('7-1'), after('7-2')]);
});

test('a refusal ends it at once, silence of all peers after the last attempt', async () => {
  const asked: string[] = [];
  const refusing = scripted([{ status: 404, pieces: ['{"code":404,"message":"not found"}'] }], asked);
  await assert.rejects(take(createClient({ transport: refusing, clock: pauses() }).events(), 1), {
    code: 'client/refused',
    status: 404,
  });
  assert.equal(asked.length, 1);
  const down = scripted([{ end: 'refuse' }], asked);
  await assert.rejects(take(createClient({ transport: down, clock: pauses(), random }).events({ attempts: 4 }), 1), {
    code: 'client/unreachable',
  });
  assert.equal(asked.length, 5);
  // A peer that ends without a word is not asked for ever.
  const mute = scripted([{}], asked);
  await assert.rejects(take(createClient({ transport: mute, clock: pauses(), random }).events({ attempts: 2 }), 1), {
    code: 'client/cut',
  });
});

test('a connection on which nothing comes is given up, and the signal ends everything', async () => {
  const asked: string[] = [];
  const time = new FakeClock();
  const transport = scripted([{ pieces: ['id: 1-1\ndata: 1\n\n'], end: 'hang' }], asked);
  const stop = new AbortController();
  const client = createClient({ transport, clock: time, random });
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { id } of client.events({ signal: stop.signal })) {
      seen.push(id);
      if (seen.length === 1) void time.advance(60_000);
      else stop.abort();
    }
  })();
  await assert.rejects(reading, { code: 'client/aborted', status: 0 });
  assert.deepEqual(
    [seen, asked],
    [
      ['1-1', '1-1'],
      ['/events', '/events?last-event-id=1-1'],
    ],
  );
});

test('an event without an end is refused, of one line or of many', async () => {
  const line = `data: ${'x'.repeat(1024 * 1024)}`;
  for (const piece of [`${line}\n`, line]) {
    const pieces = Array.from({ length: 66 }, () => piece);
    const client = createClient({ transport: scripted([{ pieces, end: 'hang' }], []), clock: still });
    await assert.rejects(take(client.events(), 1), { code: 'client/bad-answer', message: 'An event is too long' });
  }
});
