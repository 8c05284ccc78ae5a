/**
 * Bugs that Raft implementations have had, or nearly had, and who must see them. A bug is planted in the engine's rules or around
 * a real part of the shell, never in production code.
 */
import type { Plants } from '../../src/sim/plants.ts';
import type { Simulation } from '../../src/sim/result.ts';
import * as engine from './bugs/engine.ts';
import * as healing from './bugs/healing.ts';
import * as peer from './bugs/peer.ts';
import * as shell from './bugs/shell.ts';

export interface PlantedBug {
  readonly name: string;
  readonly simulation: Simulation;
  readonly plants: Plants;
  /** Any of these is right; the first is the one that is meant. */
  readonly checkers: readonly string[];
  /** Within this many seeds: about four times as many as it took. */
  readonly seeds: number;
}

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'half of the peers commit',
    simulation: 'walk',
    plants: { rules: { quorum: (voters, purpose) => Math.ceil(purpose === 'commit' ? voters / 2 : (voters + 1) / 2) } },
    checkers: ['committed = durable on a quorum'],
    seeds: 10,
  },
  {
    name: 'half of the peers elect',
    simulation: 'walk',
    plants: { rules: { quorum: (voters, purpose) => Math.ceil(purpose === 'elect' ? voters / 2 : (voters + 1) / 2) } },
    checkers: ['leader holds a quorum of votes'],
    seeds: 10,
  },
  {
    name: 'a vote is answered before it is synced',
    simulation: 'world',
    plants: { log: shell.acknowledgesEarly((ops) => ops.every(({ type }) => type === 'hard')) },
    checkers: ['answered = durable'],
    seeds: 10,
  },
  {
    name: 'a vote is forgotten at a restart',
    simulation: 'walk',
    plants: { image: ({ hard, ...image }) => ({ ...image, hard: { ...hard, votedFor: undefined } }) },
    checkers: ['one vote per voter and term'],
    seeds: 700,
  },
  {
    name: 'two votes in one term',
    simulation: 'walk',
    plants: { rules: { mayVote: () => true } },
    checkers: ['one vote per voter and term'],
    seeds: 20,
  },
  {
    name: 'a follower acknowledges entries before they are synced',
    simulation: 'world',
    plants: { log: shell.acknowledgesEarly((ops) => ops.some(({ type }) => type === 'put')) },
    checkers: ['answered = durable', 'durable index = disk'],
    seeds: 5,
  },
  {
    name: 'answers and the own vote do not wait for the disk',
    simulation: 'walk',
    plants: { rules: { waitsForDisk: false } },
    checkers: ['answered = durable'],
    seeds: 5,
  },
  {
    name: 'a repeated append is answered before the first is synced',
    simulation: 'walk',
    plants: { rules: { repeatsWaitForDisk: false } },
    checkers: ['answered = durable'],
    seeds: 20,
  },
  {
    name: 'a leader counts what it has not synced',
    simulation: 'walk',
    plants: { rules: { ownMatch: (_durable, last) => last } },
    checkers: ['committed = durable on a quorum'],
    seeds: 10,
  },
  {
    name: 'entries of earlier terms are committed by counting',
    simulation: 'walk',
    plants: { rules: { mayCommit: () => true } },
    checkers: ['no electable peer without it'],
    seeds: 1500,
  },
  {
    name: 'reads without asking a quorum',
    simulation: 'walk',
    plants: { rules: { confirmsRead: () => true } },
    checkers: ['reads are fresh'],
    seeds: 400,
  },
  {
    name: 'reads before the first commit of the term',
    simulation: 'walk',
    plants: { rules: { readsWaitForFirstCommit: false } },
    checkers: ['reads are fresh'],
    seeds: 200,
  },
  {
    name: 'reads are confirmed by answers to older messages',
    simulation: 'walk',
    plants: { rules: { confirmsRead: (sent, began) => sent >= began - 1 } },
    checkers: ['reads are fresh'],
    seeds: 700,
  },
  {
    name: 'reads do not wait until they are applied here',
    simulation: 'world',
    plants: { rpc: shell.readsAtOnce, judges: ['reads are fresh', 'linearizable'] },
    checkers: ['reads are fresh', 'linearizable'],
    seeds: 20,
  },
  {
    name: 'reads from whoever is asked',
    simulation: 'world',
    plants: { consensus: shell.readsLocally },
    checkers: ['reads are fresh', 'linearizable'],
    seeds: 10,
  },
  {
    name: 'every append cuts the log',
    simulation: 'walk',
    plants: { rules: { cutsOnlyConflicts: false } },
    checkers: ['assertion', 'match <= disk', 'committed stays durable'],
    seeds: 5,
  },
  {
    name: 'a write of unknown outcome is tried again',
    simulation: 'world',
    plants: { consensus: shell.retriesUnknown },
    // The second try may be refused, for good, and the first still be applied.
    checkers: ['applied once', 'linearizable', 'refused is final'],
    seeds: 100,
  },
  {
    name: 'no first entry in a term',
    simulation: 'walk',
    plants: { rules: { opensTerm: false } },
    checkers: ['progress'],
    seeds: 5,
  },
  {
    name: 'two changes of members at a time',
    simulation: 'walk',
    plants: { rules: { oneChangeAtATime: false } },
    checkers: ['one change at a time'],
    seeds: 60,
  },
  {
    name: 'changes of members before the first commit of the term',
    simulation: 'walk',
    plants: { rules: { changesWaitForFirstCommit: false } },
    checkers: ['no change before the first commit'],
    seeds: 60,
  },
  {
    name: 'a configuration outlives its entry',
    simulation: 'walk',
    plants: { rules: { rollsBackConfiguration: false } },
    checkers: ['configuration = log'],
    seeds: 100,
  },
  {
    name: 'no pre-vote',
    simulation: 'world',
    plants: { rules: { preVotes: false } },
    checkers: ['term growth'],
    seeds: 150,
  },
  {
    name: 'votes without comparing logs',
    simulation: 'walk',
    plants: { rules: { isUpToDate: () => true } },
    checkers: ['no electable peer without it', 'committed entries equal', 'committed stays durable'],
    seeds: 60,
  },
  {
    name: 'logs are compared by length',
    simulation: 'walk',
    plants: { rules: { isUpToDate: (candidate, own) => candidate.index >= own.index } },
    checkers: ['committed entries equal', 'committed stays durable'],
    seeds: 700,
  },
  {
    name: 'a peer that has put its log away votes for anyone',
    simulation: 'world',
    plants: { rules: { remembersPreviousLog: false } },
    // Another cluster's leader in one term, or what it wrote where something was committed.
    checkers: ['committed entries equal', 'committed stays durable', 'one leader per term'],
    seeds: 600,
  },
  {
    name: 'a follower commits up to its own last entry',
    simulation: 'walk',
    plants: { rules: { followerCommit: (leaderCommit, _proven, last) => Math.min(leaderCommit, last) } },
    checkers: ['committed entries equal'],
    seeds: 900,
  },
  {
    name: 'votes of earlier terms count',
    simulation: 'walk',
    plants: { rules: { countsVote: () => true } },
    checkers: ['leader holds a quorum of votes'],
    seeds: 100,
  },
  {
    name: 'entries are written before the term',
    simulation: 'world',
    plants: { log: shell.splitsWrites },
    checkers: ['assertion'],
    seeds: 5,
  },
  {
    name: 'the applied index is written after the state',
    simulation: 'world',
    plants: { state: shell.splitsBatches },
    checkers: ['state = log'],
    seeds: 10,
  },
  {
    name: 'entries are applied before they are durable here',
    simulation: 'walk',
    plants: { rules: { mayApply: (commit) => commit } },
    checkers: ['applied <= durable'],
    seeds: 100,
  },
  {
    name: 'the durable index stays when the log is cut',
    simulation: 'walk',
    plants: { rules: { lowersDurable: false } },
    checkers: ['durable index = disk', 'answered = durable', 'assertion'],
    seeds: 40,
  },
  {
    name: 'stepping down refuses what waits',
    simulation: 'world',
    plants: { engine: engine.refusesWhenSteppingDown },
    checkers: ['applied once', 'refused is final'],
    seeds: 100,
  },
  {
    name: 'stepping down refuses what waits, as the engine sees it',
    simulation: 'walk',
    plants: { engine: engine.refusesWhenSteppingDown },
    checkers: ['refused is final'],
    seeds: 20,
  },
  {
    name: 'whoever waits at an index is answered, whatever came there',
    simulation: 'walk',
    plants: { engine: engine.ignoresTermOfWaiters },
    checkers: ['answers name their entry'],
    seeds: 100,
  },
  {
    name: 'a write of unknown outcome is tried again, and only the search judges',
    simulation: 'world',
    plants: { consensus: shell.retriesUnknown, judges: ['linearizable'] },
    checkers: ['linearizable'],
    seeds: 300,
  },
  {
    name: 'reads from whoever is asked, and only the search judges',
    simulation: 'world',
    plants: { consensus: shell.readsLocally, judges: ['linearizable'] },
    checkers: ['linearizable'],
    seeds: 20,
  },
  {
    name: 'a leader that is alone stays',
    simulation: 'world',
    plants: { rules: { quorum: (voters, purpose) => (purpose === 'lead' ? 0 : Math.floor(voters / 2) + 1) } },
    checkers: ['idle leader'],
    seeds: 60,
  },
  {
    name: 'a leader stays though its disk hangs',
    simulation: 'walk',
    plants: { rules: { mindsDisk: false } },
    checkers: ['progress'],
    seeds: 5,
  },
  {
    name: 'a pin inherits fields of the one before',
    simulation: 'world',
    plants: { pinset: shell.inheritsFields },
    checkers: ['state = log'],
    seeds: 10,
  },
  {
    name: 'a restored state keeps what was there',
    simulation: 'world',
    plants: { pinset: shell.restoreKeepsPins },
    checkers: ['state = log'],
    seeds: 60,
  },
  {
    name: 'the receiver of a snapshot keeps its members',
    simulation: 'walk',
    plants: { engine: engine.keepsOwnConfiguration },
    checkers: ['configuration = log'],
    seeds: 300,
  },
  {
    name: 'a snapshot carries the latest members',
    simulation: 'walk',
    plants: { engine: engine.snapshotsWithLatestMembers },
    checkers: ['configuration = log'],
    seeds: 100,
  },
  {
    name: 'a snapshot drops the entries after it, though they match',
    simulation: 'walk',
    plants: { rules: { keepsMatchingSuffix: false } },
    checkers: ['committed stays durable', 'match <= disk'],
    seeds: 600,
  },
  {
    name: 'the log is compacted before the state is synced',
    simulation: 'world',
    plants: { pinset: shell.skipsSyncs },
    checkers: ['state and log'],
    seeds: 40,
  },
  {
    name: 'an unpin is lost while the pin is still being made',
    simulation: 'world',
    plants: { ipfs: peer.notesPinning, tracker: peer.losesUntrack },
    checkers: ['ipfs = pinset', 'tracker = pinset'],
    seeds: 100,
  },
  {
    name: 'the tracker does not hear that the state was replaced',
    simulation: 'world',
    plants: { tracker: peer.missesReplacement },
    checkers: ['ipfs = pinset', 'tracker = pinset'],
    seeds: 250,
  },
  {
    name: 'pins are held where they are not allocated',
    simulation: 'world',
    plants: { tracker: peer.tracksEverything },
    checkers: ['ipfs = pinset', 'tracker = pinset', 'strangers keep their pins'],
    seeds: 100,
  },
  {
    name: 'what was pinned is not known any more after a restart',
    simulation: 'world',
    plants: { trackerStore: peer.forgetsRecords },
    checkers: ['ipfs = pinset'],
    seeds: 100,
  },
  {
    name: 'a failed pin is taken for done',
    simulation: 'world',
    plants: { ipfs: peer.takesFailureForSuccess },
    checkers: ['ipfs = pinset', 'tracker = pinset'],
    seeds: 100,
  },
  {
    name: 'nobody hears that an IPFS node has come back',
    simulation: 'world',
    plants: { ipfs: peer.missesReturns },
    checkers: ['ipfs = pinset', 'tracker = pinset'],
    seeds: 500,
  },
  {
    name: 'a forwarded write of unknown outcome is sent again',
    simulation: 'world',
    plants: { rpc: peer.resendsProposals },
    checkers: ['applied once', 'linearizable', 'refused is final'],
    seeds: 100,
  },
  {
    name: 'an answer goes to another call',
    simulation: 'world',
    plants: { rpc: peer.crossesAnswers },
    checkers: ['answers belong to calls'],
    seeds: 100,
  },
  {
    name: 'a call that has failed never ends',
    simulation: 'world',
    plants: { rpc: peer.keepsFailedCalls },
    checkers: ['clients are answered', 'leaks'],
    seeds: 100,
  },
  {
    name: 'streams are left open',
    simulation: 'world',
    plants: { streams: peer.leaksStreams },
    checkers: ['bounded resources'],
    seeds: 100,
  },
  {
    name: 'metrics are published at the start only',
    simulation: 'world',
    plants: { pubsub: peer.publishesOnce },
    checkers: ['metrics = members'],
    seeds: 100,
  },
  {
    name: 'a pin goes to one peer more than it may',
    simulation: 'world',
    plants: { consensus: peer.allocatesTooMany },
    checkers: ['allocations'],
    seeds: 100,
  },
  {
    name: 'the tracker forgets a pin that it has refused',
    simulation: 'world',
    plants: { tracker: peer.forgetsRefused },
    checkers: ['ipfs = pinset', 'tracker = pinset'],
    seeds: 60,
  },
  {
    name: 'pins of others are unpinned',
    simulation: 'world',
    plants: { trackerStore: peer.ownsEverything },
    checkers: ['strangers keep their pins'],
    seeds: 40,
  },
  {
    name: 'a status is told from what was known once',
    simulation: 'world',
    plants: { tracker: peer.tellsOldStatus },
    checkers: ['no false pinned'],
    seeds: 150,
  },
  {
    name: 'a pin that is given up keeps its slot',
    simulation: 'world',
    plants: { ipfs: peer.keepsSlots },
    checkers: ['ipfs = pinset', 'tracker = pinset', 'leaks'],
    seeds: 100,
  },
  {
    name: 'a request of several pins is taken for done when its first pin is',
    simulation: 'world',
    plants: { ipfs: peer.takesFirstForAll },
    checkers: ['ipfs = pinset', 'no false pinned'],
    seeds: 40,
  },
  {
    name: 'a pin is begun twice',
    simulation: 'world',
    plants: { ipfs: peer.pinsTwice },
    checkers: ['one act per pin'],
    seeds: 5,
  },
  {
    name: 'a direct pin is taken for a recursive one',
    simulation: 'world',
    plants: { ipfs: peer.takesDirectForRecursive },
    checkers: ['ipfs = pinset'],
    seeds: 100,
  },
  {
    name: 'a leader holds conditional writes against what is applied only',
    simulation: 'world',
    plants: { shell: engine.hidesUnapplied },
    checkers: ['conditions hold', 'linearizable', 'expired once'],
    seeds: 5,
  },
  {
    name: 'a leader holds conditional writes against what is applied only, and only the search judges',
    simulation: 'world',
    plants: { shell: engine.hidesUnapplied, judges: ['linearizable'] },
    checkers: ['linearizable'],
    seeds: 5,
  },
  {
    name: 'a conditional write becomes an unconditional one on its way to the leader',
    simulation: 'world',
    plants: { rpc: peer.dropsConditions, judges: ['conditions hold', 'linearizable', 'expired once'] },
    checkers: ['conditions hold', 'linearizable', 'expired once'],
    seeds: 20,
  },
  {
    name: 'who removes an expired pin does not look whether it is another one by then',
    simulation: 'world',
    plants: { consensus: shell.unpinsUnconditionally, judges: ['only expired', 'expired once'] },
    checkers: ['only expired', 'expired once'],
    seeds: 100,
  },
  {
    name: 'a start forgets which pins expire',
    simulation: 'world',
    plants: { pinset: shell.startForgetsExpiry },
    checkers: ['expired pins go'],
    seeds: 40,
  },
  {
    name: 'a pin is moved whatever it has become meanwhile',
    simulation: 'world',
    plants: { consensus: healing.movesUnconditionally },
    checkers: ['moves undo nothing', 'applied once', 'linearizable'],
    seeds: 60,
  },
  {
    name: 'whoever is away for a moment is lost',
    simulation: 'world',
    plants: { peerOptions: (options) => ({ ...options, repinGracePeriodMs: 1 }) },
    checkers: ['moves are needed'],
    seeds: 300,
  },
  {
    name: 'another holder is dropped as well',
    simulation: 'world',
    plants: { consensus: healing.dropsOneMore },
    checkers: ['moves are needed', 'last copy'],
    seeds: 100,
  },
  {
    name: 'a drained peer is let go before others have what it holds',
    simulation: 'world',
    plants: { rpc: healing.believesHolders, tracker: healing.believesItself, judges: ['last copy'] },
    checkers: ['last copy'],
    seeds: 200,
  },
  {
    name: 'what healing writes is not written',
    simulation: 'world',
    plants: { consensus: healing.writesNoMoves },
    checkers: ['holders'],
    seeds: 100,
  },
  {
    name: 'pins of lost peers stay where they are',
    simulation: 'world',
    plants: { peerOptions: (options) => ({ ...options, disableRepinning: true }) },
    checkers: ['holders'],
    seeds: 100,
  },
  {
    name: 'a start goes on after the last batch of the state',
    simulation: 'world',
    plants: { pinset: shell.skipsReplays },
    checkers: ['state = log'],
    seeds: 40,
  },
];

export interface HarmlessBug {
  readonly name: string;
  readonly plants: Plants;
  /** Which other rule covers it. */
  readonly because: string;
}

/** Bugs that no checker sees, for another rule covers them. They would otherwise look like holes. */
export const harmlessBugs: readonly HarmlessBug[] = [
  {
    name: 'an answer to an append of an earlier term of the same leader counts',
    plants: { rules: { countsAnswer: () => true } },
    because:
      'what a leader knows of a follower belongs to one leadership, and the answer to what another has sent finds nothing',
  },
  {
    name: 'heartbeats carry the commit index',
    plants: { engine: engine.heartbeatsCarryCommit },
    because: 'a follower commits what the message proves, and a heartbeat proves nothing',
  },
  {
    name: 'a higher term in an answer is ignored',
    plants: { engine: engine.ignoresHigherTerms },
    because: 'the messages of the new leader say the same',
  },
  {
    name: 'votes do not mind that a leader is heard',
    plants: { engine: engine.votesThoughLeaderIsHeard },
    because: 'nobody stands who was not granted a pre-vote, and pre-votes do mind',
  },
];

export interface ScriptedBug {
  readonly name: string;
  readonly because: string;
  /** The test that fails when the bug is there: file and name. */
  readonly test: readonly [file: string, name: string];
}

/** Bugs that chance finds once in ten thousand histories, or never: a test sets the scene by hand. */
export const scriptedBugs: readonly ScriptedBug[] = [
  {
    name: 'a pin is made before it is recorded',
    because: 'the peer must die in the moment between the two, and the pin leave the pinset while it is away',
    test: [
      'src/cluster/tracker/tracker.test.ts',
      'PinTracker records what is agreed on together by one write, before it pins',
    ],
  },
  {
    name: 'what was cut off is refused',
    because: 'another peer must have it, and win with older peers after the one that cut it off is gone',
    test: ['src/core/raft/leader.test.ts', 'propose: an entry that was cut off and came back is applied'],
  },
  {
    name: 'a start that does not see a state from a snapshot whose log is not there yet',
    because: 'the crash must come between two writes',
    test: [
      'test/sim/crash-points.test.ts',
      'crash points: a start that does not see a state from a snapshot whose log is not there yet',
    ],
  },
];
