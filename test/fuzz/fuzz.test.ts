/** A small budget for every parser, counted in inputs, and everything that was ever found. `npm run fuzz` looks longer. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { OperatingError, SeededRandom } from '../../src/base/index.ts';
import { campaign, shown } from './campaign.ts';
import { failureOf } from './check.ts';
import { inputBytesMax, mutated } from './mutate.ts';
import { bytesOf, type FuzzTarget, utf8 } from './target.ts';
import { targets } from './targets/index.ts';

interface FoundOnce {
  readonly parser: string;
  readonly base64: string;
  /** Bytes that follow it, so many times each: what only shows at length. */
  readonly repeated?: readonly { readonly base64: string; readonly times: number }[];
  /** What it did. */
  readonly note: string;
}

const foundOnce = JSON.parse(readFileSync(new URL('./found.json', import.meta.url), 'utf8')) as FoundOnce[];

function inputOf({ base64, repeated = [] }: FoundOnce): Uint8Array {
  const tail = repeated.flatMap((part) => Array.from({ length: part.times }, () => Buffer.from(part.base64, 'base64')));
  return Buffer.concat([Buffer.from(base64, 'base64'), ...tail]);
}

/** Servers take a connection for each. */
const inputsOf = ({ name }: FuzzTarget): number =>
  /^(http-(proxy|rest)|libp2p|private-network)$/.test(name) ? 60 : 200;

for (const target of targets) {
  test(`${target.name} refuses or reads whatever it is given`, async () => {
    const seed = '1';
    const { found } = await campaign(target, { seed, goesOn: (made) => made < inputsOf(target) });
    for (const once of foundOnce.filter(({ parser }) => parser === target.name)) {
      assert.equal(await failureOf(target, inputOf(once)), undefined, once.note);
    }
    await target.close?.();
    assert.equal(
      found,
      undefined,
      found && `seed ${seed}: ${found.problem}; the input in base64: ${shown(found.input)}`,
    );
  });
}

test('all that was found belongs to a parser', () => {
  for (const { parser } of foundOnce)
    assert.ok(
      targets.some(({ name }) => name === parser),
      parser,
    );
});

test('seeds of all parsers are read', async () => {
  for (const target of targets) {
    if (target.close !== undefined) continue;
    let read = 0;
    for (const input of target.seeds()) {
      try {
        await target.parse(input);
        read += 1;
      } catch {
        // Recorded vectors of several types are seeds of each.
      }
    }
    assert.ok(read > 0, `${target.name} reads one of its ${target.seeds().length} seeds`);
  }
});

test('a campaign finds what is wrong, and makes it small', async () => {
  const broken = (parse: (text: string) => unknown): FuzzTarget => ({
    name: 'broken',
    form: 'text',
    seeds: () => [bytesOf('a=1&b=22')],
    parse: (input) => parse(utf8(input)),
  });
  const run = async (target: FuzzTarget): Promise<string | undefined> => {
    const { found } = await campaign(target, { seed: '1', goesOn: (made) => made < 5_000 });
    return found && `${utf8(found.input)} ${found.problem.split('\n')[0]}`;
  };
  const throwing = broken((text) => {
    if (text.includes('%')) throw new TypeError('not ours');
    throw new OperatingError('test/refused', 'ours');
  });
  assert.equal(await run(throwing), '% not refused with an error of ours: TypeError: not ours');
  const growing = broken((text) => 'x'.repeat(text.length > 9 ? 1_000_000 : 0));
  assert.match((await run(growing)) ?? '', /^0{10} it becomes 1000000, of 10 bytes$/);
  assert.equal(await run(broken((text) => text)), undefined);
});

test('mutated makes the same of the same seed, and nothing too long', () => {
  for (const form of ['bytes', 'text', 'json', 'msgpack', 'protobuf'] as const) {
    const make = (): string[] => {
      const random = new SeededRandom(form);
      const seeds = [bytesOf('{"a":[1,{"b":null}]}'), Buffer.from('0a0c080212066869206d756d1806', 'hex')];
      return Array.from({ length: 200 }, () => shown(mutated(random, form, seeds, [])));
    };
    const made = make();
    assert.deepEqual(make(), made);
    assert.ok(new Set(made).size > 100);
    assert.ok(made.every((text) => Buffer.from(text, 'base64').length <= inputBytesMax));
  }
});
