import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideHolders, type HealDecision, type HealRequest, type HolderWord, type Standing } from './decide.ts';

/** Holders are named by what they count for: `s1` stays, `l1` leaves, `g1` is gone, `x1` is a stranger; `n1` is new. */
const standings: Readonly<Record<string, Standing>> = { s: 'stays', n: 'stays', l: 'leaves', g: 'gone', x: 'stranger' };
const standingOf = (peer: string): Standing => standings[peer[0] ?? ''] ?? 'stranger';

interface Case {
  readonly holders: readonly string[] | null;
  readonly factors: readonly [min: number, max: number];
  /** Who can be chosen. Default: `n1`, `n2`, `n3`. */
  readonly free?: readonly string[];
  /** Who holds it; the others are at it, but for those that fail or are silent. Default: nobody has been asked. */
  readonly pinned?: readonly string[];
  readonly fails?: readonly string[];
  readonly silent?: readonly string[];
  readonly isSettled?: boolean;
  readonly type?: HealRequest['pin']['type'];
}

function decided({
  holders,
  factors,
  free = ['n1', 'n2', 'n3'],
  pinned,
  fails = [],
  silent = [],
  isSettled = true,
  type = 'pin',
}: Case): HealDecision {
  const [replicationFactorMin, replicationFactorMax] = factors;
  return decideHolders({
    pin: { type, allocations: holders, replicationFactorMin, replicationFactorMax },
    standingOf,
    choose: (count, excluded) => free.filter((peer) => !excluded.has(peer)).slice(0, count),
    said: pinned && wordsOf({ pinned, fails, silent }),
    isSettled,
  });
}

function wordsOf({ pinned, fails, silent }: Required<Pick<Case, 'pinned' | 'fails' | 'silent'>>) {
  const words = (peers: readonly string[], word: HolderWord) => peers.map((peer) => [peer, word] as const);
  return new Map([...words(pinned, 'holds'), ...words(fails, 'fails'), ...words(silent, 'silent')]);
}

/** What is written, with its marks. */
function written(of: Case): string {
  const decision = decided(of);
  if (decision.kind === 'ask') return `ask ${decision.peers.join(' ')}`;
  if (decision.kind !== 'write') return decision.kind;
  const marks = `${decision.isShort ? ' short' : ''}${decision.isPending ? ' pending' : ''}`;
  return `${decision.allocations.join(' ')}${marks}`;
}

const cases: readonly (readonly [what: string, of: Case, expected: string])[] = [
  ['a pin that is as it should be stays', { holders: ['s1', 's2'], factors: [2, 2] }, 'fine'],
  ['a pin above its minimum is not topped up', { holders: ['s1', 's2'], factors: [1, 3] }, 'fine'],
  ['a pin that is everywhere stays', { holders: [], factors: [-1, -1] }, 'fine'],
  ['a meta pin stays', { holders: null, factors: [2, 2], type: 'meta-pin' }, 'fine'],
  ['a pin without factors stays', { holders: ['x1'], factors: [0, 0] }, 'fine'],

  ['a lost holder may have the last copy', { holders: ['s1', 'g1'], factors: [2, 2] }, 'ask s1'],
  ['it is replaced by who holds it', { holders: ['s1', 'g1'], factors: [2, 2], pinned: ['s1'] }, 's1 n1'],
  ['else only followed', { holders: ['s1', 'g1'], factors: [2, 2], pinned: [] }, 's1 n1 g1 pending'],
  ['and dropped later', { holders: ['s1', 'n1', 'g1'], factors: [2, 2], pinned: ['n1'] }, 's1 n1'],
  ['not before', { holders: ['s1', 'n1', 'g1'], factors: [2, 2], pinned: [] }, 'wait'],
  [
    'and the pin filled to its maximum, as by an allocation',
    { holders: ['s1', 'g1'], factors: [2, 3], pinned: ['s1'] },
    's1 n1 n2',
  ],
  [
    'a lost one keeps its place as long as there is room',
    { holders: ['g1', 's1'], factors: [2, 3], free: ['n1'] },
    's1 n1 g1',
  ],
  ['above the minimum a lost holder stays: it may come back', { holders: ['s1', 'g1'], factors: [1, 2] }, 'fine'],
  [
    'with too few peers, those that there are',
    { holders: ['s1', 'g1', 'g2'], factors: [3, 3], free: ['n1'] },
    's1 n1 g1 g2 short',
  ],
  ['with nobody to add nothing is written', { holders: ['s1', 'g1'], factors: [2, 2], free: [] }, 'short'],
  ['nor when all holders are lost', { holders: ['g1', 'g2'], factors: [1, 2], free: [] }, 'short'],
  ['all lost: new ones beside them', { holders: ['g1', 'g2'], factors: [1, 2] }, 'n1 n2 g1 g2 pending'],
  ['a pin that nobody holds gets holders', { holders: [], factors: [1, 2] }, 'n1 n2'],

  ['a stranger is replaced', { holders: ['s1', 'x1'], factors: [2, 2] }, 's1 n1'],
  ['a stranger is dropped', { holders: ['s1', 'x1'], factors: [1, 2] }, 's1'],
  ['strangers alone tell where the content was', { holders: ['x1'], factors: [1, 1], free: [] }, 'short'],
  ['a stranger is dropped though nobody replaces it', { holders: ['s1', 'x1'], factors: [2, 2], free: [] }, 's1 short'],

  ['one that leaves is followed first', { holders: ['s1', 'l1'], factors: [2, 2] }, 's1 n1 l1 pending'],
  ['and dropped later', { holders: ['s1', 'n1', 'l1'], factors: [2, 2] }, 'ask s1 n1 l1'],
  ['when enough others hold the pin', { holders: ['s1', 'n1', 'l1'], factors: [2, 2], pinned: ['s1', 'n1'] }, 's1 n1'],
  ['not before', { holders: ['s1', 'n1', 'l1'], factors: [2, 2], pinned: ['s1', 'l1'] }, 'wait'],
  ['one that leaves above the minimum is dropped', { holders: ['s1', 'l1'], factors: [1, 2], pinned: ['s1'] }, 's1'],
  ['one that leaves stays while nobody can follow', { holders: ['s1', 'l1'], factors: [2, 2], free: [] }, 'short'],
  ['strangers go while another waits', { holders: ['s1', 'l1', 'x1'], factors: [1, 2], pinned: [] }, 's1 l1 pending'],
  [
    'one that fails is not waited for where another one can follow',
    { holders: ['s1', 's2', 'l1'], factors: [2, 2], pinned: ['s1', 'l1'], fails: ['s2'] },
    's1 n1 l1 pending',
  ],
  [
    'it keeps its place as long as there is room',
    { holders: ['s1', 's2', 'l1'], factors: [2, 4], pinned: ['s1', 'l1'], fails: ['s2'] },
    's1 n1 s2 l1 pending',
  ],
  [
    'and where too few can take its place',
    { holders: ['s1', 's2', 's3', 'l1'], factors: [3, 3], free: ['n1'], pinned: ['s1', 'l1'], fails: ['s2', 's3'] },
    's1 n1 s2 l1 pending',
  ],
  ['nor where nobody can', { holders: ['s1', 'l1'], factors: [1, 1], free: [], pinned: ['l1'], fails: ['s1'] }, 'wait'],
  ['nor while nobody has the content', { holders: ['s1', 'l1'], factors: [1, 1], pinned: [], fails: ['s1'] }, 'wait'],
  [
    'nor so soon after a write',
    { holders: ['s1', 'l1'], factors: [1, 1], pinned: ['l1'], fails: ['s1'], isSettled: false },
    'wait',
  ],
  ['nor when nobody leaves', { holders: ['s1', 's2', 's3'], factors: [2, 2], pinned: ['s1'], fails: ['s2'] }, 'wait'],
  [
    'one that says nothing may have it, and stays beside the one that follows',
    { holders: ['s1', 's2', 'l1'], factors: [2, 2], pinned: ['s1', 'l1'], silent: ['s2'] },
    's1 n1 s2 l1 pending',
  ],
  [
    'of too many that leave, those that are needed stay',
    { holders: ['s1', 'l1', 'l2', 'l3'], factors: [2, 2], free: [] },
    'ask s1 l1 l2 l3',
  ],
  [
    'and others do not',
    { holders: ['s1', 'l1', 'l2', 'l3'], factors: [2, 2], free: [], pinned: ['s1', 'l2', 'l3'] },
    's1 l2 short pending',
  ],
  ['as long as enough hold it', { holders: ['s1', 'l1', 'l2'], factors: [2, 2], free: [], pinned: ['l2'] }, 'short'],
  [
    'also while others have been at it for long',
    { holders: ['s1', 'n1', 'l1', 'l2'], factors: [2, 2], pinned: ['s1', 'l1', 'l2'] },
    's1 n1 l1 pending',
  ],
  ['two leave at once', { holders: ['l1', 'l2'], factors: [2, 2] }, 'n1 n2 l1 l2 pending'],
  ['one leaves, another is lost', { holders: ['l1', 'g1'], factors: [2, 2] }, 'n1 n2 l1 g1 pending'],

  ['too many: asked who holds it', { holders: ['s1', 's2', 's3'], factors: [1, 2] }, 'ask s1 s2 s3'],
  ['the last chosen goes', { holders: ['s1', 's2', 's3'], factors: [1, 2], pinned: ['s1', 's2', 's3'] }, 's1 s2'],
  [
    'but rather one that does not hold it',
    { holders: ['s1', 's2', 's3'], factors: [2, 2], pinned: ['s1', 's3'] },
    's1 s3',
  ],
  ['nobody goes before the minimum holds it', { holders: ['s1', 's2', 's3'], factors: [2, 2], pinned: ['s3'] }, 'wait'],
  ['of lost ones too', { holders: ['s1', 'g1', 's2'], factors: [1, 2] }, 'ask s1 s2'],
  ['lost ones go first', { holders: ['s1', 'g1', 's2'], factors: [1, 2], pinned: ['s2'] }, 's1 s2'],
  ['but not before anybody holds it', { holders: ['s1', 'g1', 's2'], factors: [1, 2], pinned: [] }, 'wait'],
  [
    'one that is back and holds it stays in place of one that does not',
    { holders: ['n1', 's1'], factors: [1, 1], pinned: ['s1'] },
    's1',
  ],
  ['a move under way is left alone', { holders: ['s1', 's2', 's3'], factors: [1, 2], isSettled: false }, 'wait'],
  [
    'one that leaves does not wait for that',
    { holders: ['s1', 's2', 'l1'], factors: [1, 2], isSettled: false, pinned: ['s1'] },
    's1 s2',
  ],
  ['repetitions are no holders', { holders: ['s1', 's1'], factors: [2, 2] }, 's1 n1'],
];

for (const [what, of, expected] of cases) {
  test(`decideHolders: ${what}`, () => assert.equal(written(of), expected));
}

test('decideHolders trusts a bad choice with nothing: no holder twice, not more than asked for', () => {
  const decision = decideHolders({
    pin: { type: 'pin', allocations: ['s1', 'g1'], replicationFactorMin: 2, replicationFactorMax: 2 },
    standingOf,
    choose: () => ['s1', 'g1', 'n1', 'n2'],
    said: new Map([['s1', 'holds']]),
    isSettled: true,
  });
  assert.deepEqual(decision, { kind: 'write', allocations: ['s1', 'n1'], isShort: false, isPending: false });
});
