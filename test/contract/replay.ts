/** Replays recorded exchanges on a running scene, and compares. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Answer, type Exchange, readExchanges, send } from '../support/rest-vectors.ts';
import { assertAsRecorded } from './compare.ts';
import { lostFile } from './content.ts';
import type { Scene, ScenePeer } from './peers.ts';

/** Ids in the recordings: two peers with their IPFS nodes, and the CID of a file that is not known any more. */
export const recordedIds: readonly (readonly [string, string])[] = [
  ['12D3KooWQjY2ft13RseLggTcTDqguiPjGMRsMGNPSrPAmjafUrou', '<first>'],
  ['12D3KooWPgrsxW35QMq6oSHkd94DgBnNRyS1SEiQMApTJoS4DQug', '<second>'],
  ['12D3KooWDgbURNzNJsMDzCUcGWutirMW464fi5x5m8CBn6iZRgvo', '<first ipfs>'],
  ['12D3KooWL2ezcQqy3AG2mL1Za41bqgVvAowv2q75JSJstnJY6FMi', '<second ipfs>'],
  ['QmUrFNb3KUCyypobfu2cFchfoFHbvjuquqf9Naajk9FKJT', '<file>'],
  [lostFile, '<lost>'],
];

/** A case that is answered in another way than in the recording. */
export interface Change {
  readonly why: string;
  /** The body that is due, from the recorded one; all else is as recorded. */
  readonly body?: (recorded: string) => string;
  /** What is due when more than the body is another. */
  readonly check?: (answer: Answer, recorded: Exchange['response']) => void;
}

export interface Group {
  readonly file: string;
  readonly only?: RegExp;
  readonly ids?: readonly (readonly [string, string])[];
  /** Cases that are compared by tests of their own. */
  readonly elsewhere?: readonly string[];
  readonly changed?: Readonly<Record<string, Change>>;
  /** The peer that is asked; the first one unless said. */
  readonly peer?: () => ScenePeer;
  /** Parameters added to a case, where chance decided when it was recorded. */
  readonly parameters?: Readonly<Record<string, () => string>>;
  /** What must have come about before a case. */
  readonly first?: Readonly<Record<string, () => Promise<unknown>>>;
}

/** Cases of a file, in order. */
async function replay(scene: () => Scene, running: ReadonlyMap<string, string>, group: Group): Promise<void> {
  const { file, only = /./, ids = recordedIds, elsewhere = [], changed = {}, first = {}, parameters = {} } = group;
  const peer = group.peer ?? (() => scene().first);
  const exchanges = (await readExchanges(file)).filter(({ name }) => only.test(name));
  const known = new Set(exchanges.map(({ name }) => name));
  for (const name of [...elsewhere, ...Object.keys(changed), ...Object.keys(first), ...Object.keys(parameters)]) {
    assert.ok(known.has(name), `case ${name} is in no table of ${file}`);
  }
  for (const exchange of exchanges.filter(({ name }) => !elsewhere.includes(name))) {
    const change = changed[exchange.name] ?? singleDocument(exchange);
    it(change === undefined ? exchange.name : `${exchange.name}, but: ${change.why}`, async () => {
      await first[exchange.name]?.();
      const more = parameters[exchange.name]?.() ?? '';
      const names = { recorded: new Map(ids), running };
      await ask(peer(), withParameters(exchange, more), names, change);
    });
  }
}

/** The reference refuses a bad option and acts all the same; we validate first, then act. */
function singleDocument({ response }: Exchange): Change | undefined {
  const [first, second] = response.body.split('\n');
  if (response.status !== 400 || !second) return undefined;
  return { why: 'a refused request does nothing, and has one document', body: () => `${first}\n` };
}

async function ask(
  peer: ScenePeer,
  exchange: Exchange,
  {
    recorded,
    running,
  }: { readonly recorded: ReadonlyMap<string, string>; readonly running: ReadonlyMap<string, string> },
  change?: Change,
): Promise<void> {
  const { request } = exchange;
  const ofRunning = (text: string): string => {
    let found = text;
    for (const [id, name] of recorded) {
      const own = [...running].find(([, part]) => part === name)?.[0];
      if (own !== undefined) found = found.replaceAll(id, own);
    }
    return found;
  };
  const answer = await send(peer.apiUrl, {
    ...request,
    path: ofRunning(request.path),
    ...(request.body === undefined ? {} : { body: ofRunning(request.body) }),
  });
  if (change?.check !== undefined) {
    change.check(answer, exchange.response);
    return;
  }
  const body = change?.body?.(exchange.response.body);
  assertAsRecorded(answer, exchange, { recorded, running, ...(body === undefined ? {} : { body }) });
}

function withParameters(exchange: Exchange, more: string): Exchange {
  const { path } = exchange.request;
  return { ...exchange, request: { ...exchange.request, path: `${path}${more}` } };
}

/** For one scene, which is there when the tests run. `running` takes what else goes by a name. */
export function createReplay(scene: () => Scene): {
  readonly replay: (group: Group) => Promise<void>;
  readonly running: Map<string, string>;
} {
  const running = new Map<string, string>();
  return { replay: (group) => replay(scene, running, group), running };
}

/** What differs from run to run. */
export function nameParts({ first, second }: Scene, running: Map<string, string>): void {
  running.set(first.id, '<first>').set(second.id, '<second>');
  running.set(first.ipfsId, '<first ipfs>').set(second.ipfsId, '<second ipfs>');
}
