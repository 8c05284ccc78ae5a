/** What happens to a world: options, faults and operations, drawn from the seed as plain data before anything is played. */
import { SeededRandom } from '../../base/index.ts';
import { type CordonMode, cordonModes } from '../../model/index.ts';
import { pick } from '../pick.ts';
import { drawRaces } from './races.ts';

export type FaultAct =
  | { readonly kind: 'crash'; readonly peer: Target; readonly downMs: number }
  | { readonly kind: 'crashAll'; readonly downMs: number }
  /** Stopped in good order, as at an upgrade: a leader hands over. */
  | { readonly kind: 'restart'; readonly peer: Target; readonly downMs: number }
  /** Two sides that do not hear each other; bit n of `side` is peer n. */
  | { readonly kind: 'partition'; readonly side: number; readonly lengthMs: number }
  /** One direction of one link. */
  | { readonly kind: 'deafen'; readonly from: Target; readonly to: number; readonly lengthMs: number }
  /** Nothing of what the peer sends arrives, or nothing arrives either way. */
  | { readonly kind: 'isolate'; readonly peer: Target; readonly isOneWay: boolean; readonly lengthMs: number }
  /** Writes fail: `EIO`, and may have been done, or `ENOSPC`, and were not. The peer is read-only until there is a disk again. */
  | { readonly kind: 'failDisk'; readonly peer: Target; readonly error: DiskError; readonly lengthMs: number }
  | { readonly kind: 'slowDisk'; readonly peer: Target; readonly factor: number; readonly lengthMs: number }
  /** For good, with a crash. The peer must refuse to start, until someone gives it an empty disk. */
  | { readonly kind: 'spoilDisk'; readonly peer: number; readonly how: Spoil; readonly downMs: number }
  /**
   * Something is wrong with the IPFS node of a peer; nothing happens while it has another trouble. `midPin`: from the middle of its next
   * pin on.
   */
  | {
      readonly kind: 'troubleIpfs';
      readonly peer: number;
      readonly trouble: IpfsTrouble;
      readonly lengthMs: number;
      readonly midPin?: boolean;
    }
  /** Someone pins a CID on an IPFS node, or takes the pin away, and the cluster is not asked. */
  | { readonly kind: 'strangerPins' | 'strangerUnpins'; readonly peer: number; readonly key: number }
  | { readonly kind: 'drift'; readonly peer: Target; readonly rate: number; readonly lengthMs: number }
  | { readonly kind: 'addPeer'; readonly peer: number; readonly via: Target }
  | { readonly kind: 'removePeer'; readonly peer: number; readonly via: Target }
  /** It does not come back before everything else is well again. */
  | { readonly kind: 'lose'; readonly peer: number }
  /** It is told what to hold: as before, nothing new, or nothing at all. */
  | { readonly kind: 'cordon'; readonly peer: number; readonly mode: CordonMode; readonly via: Target }
  /** Both at once, through everyone who believes to lead: whoever is a member is removed, the other added. */
  | { readonly kind: 'changeTwo'; readonly peers: readonly [number, number] };

const spoils = ['rot', 'olderLog'] as const;
/** `rot`: a record of the log has a wrong checksum. `olderLog`: the log ends before what the state was made of. */
export type Spoil = (typeof spoils)[number];

/**
 * `loses`: it is down, and comes back empty. `full`: there is no room for pins. `dazed`: every answer takes seconds, that to informers as
 * well. `garbled`: its answers, and lists of pins in the middle, make no sense.
 */
const ipfsTroubles = ['failing', 'hanging', 'down', 'slow', 'loses', 'full', 'dazed', 'garbled'] as const;
export type IpfsTrouble = (typeof ipfsTroubles)[number];

/** What the operating system says of a disk. */
export type DiskError = 'EIO' | 'ENOSPC';

/** A peer by its number, whoever leads then, or whoever has believed so the longest. */
export type Target = number | 'leader' | 'oldestLeader';

const triggers = [
  'leads',
  'grants',
  'saves',
  'appends',
  'cuts',
  'changes',
  'applies',
  'compacts',
  'sends a snapshot',
  'receives a snapshot',
  'installs a snapshot',
] as const;
/** What a peer does when an armed fault goes off. */
export type Trigger = (typeof triggers)[number];

export interface TimedFault {
  readonly atMs: number;
  readonly act: FaultAct;
}

/** From `atMs` on: the next peer that does it is struck soon after. These hit the narrow windows. */
export interface ArmedFault {
  readonly atMs: number;
  readonly when: Trigger;
  /** Instead of `delayMs`: when its disk has done so many more writes. Enumerates the points at which a crash can come. */
  readonly afterWrites?: number;
  readonly delayMs: number;
  /** `pair`: it hears and reaches only one other peer. */
  readonly strike: 'crash' | 'isolate' | 'pair';
  readonly lengthMs: number;
}

export interface Operation {
  readonly atMs: number;
  /**
   * `replace` and `release`: pin and unpin over exactly the pin that the peer shows, if it shows one. `status`, `statusAll`: of all peers.
   * `recover`: all that this peer is to hold.
   */
  readonly kind: 'pin' | 'unpin' | 'read' | 'replace' | 'release' | 'status' | 'statusAll' | 'recover';
  /** Of its own, so that it is found in the log: the pin's. */
  readonly name: string;
  readonly peer: Target;
  /** Which CID. */
  readonly key: number;
  readonly shape?: PinShape;
}

/** What a pin asks for, where it is not what the peers are set up for. */
export interface PinShape {
  readonly factors?: readonly [min: number, max: number];
  /** Peers that it should be on. */
  readonly on?: readonly number[];
  readonly isDirect?: boolean;
  readonly expireInMs?: number;
}

export interface WorldPlan {
  readonly seed: number;
  readonly options: WorldOptions;
  readonly faults: readonly TimedFault[];
  readonly armed: readonly ArmedFault[];
  readonly operations: readonly Operation[];
}

export interface WorldOptions {
  readonly voters: number;
  readonly heartbeatTimeoutMs: number;
  readonly networkTimeoutMs: number;
  /** Of a leader that hears no quorum. */
  readonly leaseTimeoutMs: number;
  readonly maxAppendEntries: number;
  readonly appendsInFlightMax: number;
  readonly applyMax: number;
  readonly electionSpreadTicks: number;
  /** A small one makes clients hear that the leader is busy. */
  readonly waitingMax: number;
  /** Entries; a snapshot is taken after as many. */
  readonly snapshotThreshold: number;
  readonly snapshotIntervalMs: number;
  /** Entries that stay in a compacted log. */
  readonly trailingLogs: number;
  /** Snapshots alone are up to so much later. */
  readonly snapshotDelayMsMax: number;
  readonly latencyMs: number;
  readonly slowPercent: number;
  readonly slowMsMax: number;
  readonly lossPercent: number;
  readonly copyPercent: number;
  readonly syncMs: number;
  readonly stateMs: number;
  /** How Raft's messages travel: framed on streams as between real peers, or one by one, twice and in any order. */
  readonly raftOver: 'streams' | 'messages';
  /** On how many peers a pin is kept at least and at most, with a maximum of -1 on all. */
  readonly replicationMin: number;
  readonly replicationMax: number;
  /** A small one makes trackers refuse what they are told, and find it again. */
  readonly pinQueueMax: number;
  readonly concurrentPins: number;
  /** Between looks for expired pins; a pin with too many holders is left alone for so long. */
  readonly stateSyncMs: number;
  /** Pins of lost peers move. */
  readonly repins: boolean;
  /** How long a peer may be away before its pins move. */
  readonly graceMs: number;
  readonly pingMs: number;
  readonly metricTtlMs: number;
  readonly repinsPerSecond: number;
  /** Between looks of a tracker whether its node still holds everything. A long one leaves only what tells it of a change. */
  readonly reconcileMs: number;
  /** What an IPFS node needs for a pin. */
  readonly pinMs: number;
  /** A peer that was removed ends, puts its data away, and waits to be added again; as real ones do when they are started again. */
  readonly leavesWhenRemoved: boolean;
  /** Bit n: peer n speaks the RPC between peers of our own; others have gorpc only. */
  readonly multiplexed: number;
}

/** A peer sees that its node was away, when it was for so long. */
export const ipfsNoticeMs = 1500;

/** How fast a clock may be. */
export const driftMax = 1.4;

/** Faults and operations happen in this time. */
export const faultyMs = 10_000;
const operationsMax = 90;
export const keys = 6;
/** Pins under these keys may expire, and clients do not unpin them: who does has found them expired. */
const expiringFrom = 4;
/** Of a CID that the cluster never has. */
export const strangersKey = 200;

export function mayExpire(key: number): boolean {
  return key >= expiringFrom;
}

/** What plans did not say that were kept before there was such an option. */
export const unsaidOptions: Partial<WorldOptions> = {
  replicationMin: 1,
  pinQueueMax: 1_000_000,
  concurrentPins: 2,
  stateSyncMs: 300_000,
  repins: false,
  graceMs: 120_000,
  pingMs: 5000,
  metricTtlMs: 10_000,
  repinsPerSecond: 100,
};

export function drawWorld(seed: number): WorldPlan {
  const random = new SeededRandom(`world/${seed}`);
  const options = drawOptions(random.derive('options'));
  const isStorm = random.derive('mood').integer(2) === 0;
  const faults = random.derive('faults');
  return {
    seed,
    options,
    faults: [
      ...times(faults, isStorm ? 15 + faults.integer(20) : faults.integer(14)).map((atMs) => ({
        atMs,
        act: drawFault(faults, options.voters + 1, isStorm),
      })),
      ...drawTroubles(random.derive('ipfs'), options.voters + 1),
      ...drawStrangers(random.derive('strangers'), options.voters + 1),
      ...drawSpoil(random.derive('spoil'), options.voters),
      ...drawHealing(random.derive('healing'), options),
      ...drawLeftBehind(random.derive('left behind'), options),
    ],
    armed: times(random.derive('armed'), isStorm ? 8 : 2).map((atMs) => drawArmed(faults, atMs)),
    operations: [
      ...drawOperations(random.derive('clients'), random.derive('shapes'), options.voters),
      ...drawRaces(random.derive('races'), { voters: options.voters, keys: expiringFrom, lengthMs: faultyMs }),
    ],
  };
}

function drawOptions(random: SeededRandom): WorldOptions {
  const pins = random.derive('pins');
  const replicationMax = pick(random, [-1, -1, 1, 2, 3]);
  const heartbeatTimeoutMs = pick(random, [300, 1000, 1000]);
  return {
    voters: pick(random, [3, 5, 5]),
    heartbeatTimeoutMs,
    leaseTimeoutMs: pick(random, [heartbeatTimeoutMs / 2, heartbeatTimeoutMs]),
    // Above the election timeout too: short ones hide all that is wrong about late answers.
    networkTimeoutMs: pick(random, [300, 2000, 8000]),
    maxAppendEntries: pick(random, [1, 1, 4, 64]),
    appendsInFlightMax: pick(random, [1, 2, 2, 4]),
    applyMax: pick(random, [1, 1024, 1024]),
    electionSpreadTicks: pick(random, [3, 10, 10]),
    waitingMax: pick(random, [3, 8192, 8192]),
    snapshotThreshold: pick(random, [5, 5, 12, 20, 40, 8192]),
    snapshotIntervalMs: pick(random, [100, 1000]),
    trailingLogs: pick(random, [0, 0, 3, 10_240]),
    snapshotDelayMsMax: pick(random, [0, 0, 300, 3000]),
    latencyMs: pick(random, [0.5, 2, 10]),
    slowPercent: pick(random, [0, 1, 5, 20]),
    slowMsMax: pick(random, [50, 300, 1500, 5000]),
    lossPercent: pick(random, [0, 0, 1, 5, 15]),
    copyPercent: pick(random, [0, 0, 2, 10]),
    syncMs: pick(random, [1, 1, 3, 10]),
    stateMs: pick(random, [0.1, 0.1, 3, 20]),
    raftOver: pick(random, ['messages' as const, 'messages' as const, 'streams' as const]),
    replicationMin: replicationMax < 0 ? -1 : 1 + pins.integer(replicationMax),
    replicationMax,
    pinQueueMax: pick(pins, [1, 2, 1_000_000]),
    concurrentPins: pick(pins, [1, 2, 2]),
    ...drawHealingOptions(random.derive('healing'), pick(pins, [500, 2000, 20_000])),
    reconcileMs: pick(random, [5000, 720_000]),
    pinMs: pick(random, [5, 50, 800]),
    leavesWhenRemoved: random.integer(2) === 0,
    multiplexed: pick(random, [-1, -1, 0, random.integer(64)]),
  };
}

/** In two of five worlds pins move; there, metrics are repeated more often than a real peer would, or a loss would take too long. */
function drawHealingOptions(
  random: SeededRandom,
  stateSyncMs: number,
): Pick<WorldOptions, 'stateSyncMs' | 'repins' | 'graceMs' | 'pingMs' | 'metricTtlMs' | 'repinsPerSecond'> {
  const repins = random.integer(5) < 2;
  const graceMs = pick(random, [1000, 3000, 3000]);
  const repinsPerSecond = pick(random, [1, 100]);
  if (!repins) return { stateSyncMs, repins, graceMs, pingMs: 5000, metricTtlMs: 10_000, repinsPerSecond };
  return {
    stateSyncMs: Math.min(stateSyncMs, 2000),
    repins,
    graceMs,
    pingMs: 1000,
    metricTtlMs: 4000,
    repinsPerSecond,
  };
}

/** Peers that are lost, fewer than half of them, and peers that are to hold nothing new, or nothing at all. */
function drawHealing(random: SeededRandom, { voters, repins }: WorldOptions): readonly TimedFault[] {
  const orders = times(random, random.integer(6)).map((atMs) => ({
    atMs,
    act: {
      kind: 'cordon' as const,
      peer: random.integer(voters + 1),
      mode: pick(random, [...cordonModes, 'draining' as const]),
      via: random.integer(voters),
    },
  }));
  if (!repins) return orders;
  const lost = times(random, random.integer((voters + 1) / 2)).map((atMs) => ({
    atMs,
    act: { kind: 'lose' as const, peer: random.integer(voters) },
  }));
  return [...orders, ...lost];
}

function drawTroubles(random: SeededRandom, peers: number): readonly TimedFault[] {
  return times(random, random.integer(8)).map((atMs) => ({
    atMs,
    act: {
      kind: 'troubleIpfs',
      peer: random.integer(peers),
      trouble: pick(random, ipfsTroubles),
      // Long enough for its peer to notice.
      lengthMs: ipfsNoticeMs + random.integer(5000),
      midPin: random.integer(2) === 0,
    },
  }));
}

/** They pin what the cluster has as well, and what it never has. */
function drawStrangers(random: SeededRandom, peers: number): readonly TimedFault[] {
  return times(random, random.integer(8)).map((atMs) => ({
    atMs,
    act: {
      kind: pick(random, ['strangerPins' as const, 'strangerPins' as const, 'strangerUnpins' as const]),
      peer: random.integer(peers),
      key: pick(random, [strangersKey, random.integer(keys)]),
    },
  }));
}

/** One disk at most: of two that are lost, nothing can be promised. */
function drawSpoil(random: SeededRandom, voters: number): readonly TimedFault[] {
  if (random.integer(6) > 0) return [];
  const act = {
    kind: 'spoilDisk' as const,
    peer: random.integer(voters),
    how: pick(random, spoils),
    downMs: random.integer(1000),
  };
  return [{ atMs: random.integer(faultyMs), act }];
}

/**
 * A peer that hears nothing of it is left behind by a cluster that goes on with others: with a new member, without it, and without one
 * that puts its log away. Those two are a quorum of the members that it knows.
 */
function drawLeftBehind(random: SeededRandom, options: WorldOptions): readonly TimedFault[] {
  if (!options.leavesWhenRemoved || options.voters !== 3 || random.integer(2) > 0) return [];
  const behind = random.integer(3);
  const leaving = (behind + 1 + random.integer(2)) % 3;
  const atMs = random.integer(2500);
  return [
    { atMs, act: { kind: 'isolate', peer: behind, isOneWay: false, lengthMs: 4500 + random.integer(3000) } },
    { atMs: atMs + 2000, act: { kind: 'addPeer', peer: 3, via: 'leader' } },
    { atMs: atMs + 3000, act: { kind: 'removePeer', peer: behind, via: 'leader' } },
    { atMs: atMs + 4000, act: { kind: 'removePeer', peer: leaving, via: 'leader' } },
  ];
}

function times(random: SeededRandom, count: number): number[] {
  return Array.from({ length: count }, () => random.integer(faultyMs)).sort((a, b) => a - b);
}

function drawFault(random: SeededRandom, peers: number, isStorm: boolean): FaultAct {
  const lengthMs = isStorm ? 30 + random.integer(1300) : 50 + random.integer(5000);
  const someone = random.integer(peers);
  const peer: Target = pick(random, ['leader' as const, someone]);
  switch (random.integer(21)) {
    case 0:
      return { kind: 'crashAll', downMs: lengthMs };
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
      return { kind: 'crash', peer, downMs: lengthMs };
    case 6:
    case 7:
      return { kind: 'partition', side: 1 + random.integer(2 ** peers - 2), lengthMs };
    case 8:
      return { kind: 'deafen', from: peer, to: random.integer(peers), lengthMs };
    case 9:
    case 10:
      return { kind: 'isolate', peer, isOneWay: random.integer(3) === 0, lengthMs };
    case 11:
      return { kind: 'slowDisk', peer, factor: 50, lengthMs };
    case 12:
      return { kind: 'drift', peer, rate: pick(random, [0.7, driftMax]), lengthMs };
    case 13:
      return { kind: 'removePeer', peer: someone, via: peer };
    case 14:
    case 15:
      return { kind: 'failDisk', peer, error: pick(random, ['EIO' as const, 'ENOSPC' as const]), lengthMs };
    case 16:
      return { kind: 'restart', peer, downMs: lengthMs };
    case 17:
      // Away so long that the log goes on without it.
      return { kind: 'crash', peer: someone, downMs: 3000 + random.integer(4000) };
    case 18:
      return { kind: 'changeTwo', peers: [someone, random.integer(peers)] };
    default:
      return { kind: 'addPeer', peer: someone, via: peer };
  }
}

function drawArmed(random: SeededRandom, atMs: number): ArmedFault {
  return {
    atMs,
    when: pick(random, triggers),
    delayMs: random.integer(60),
    strike: pick(random, ['crash' as const, 'isolate' as const, 'pair' as const]),
    lengthMs: 30 + random.integer(1500),
  };
}

function drawOperations(random: SeededRandom, shapes: SeededRandom, voters: number): readonly Operation[] {
  return times(random, operationsMax).map((atMs, at) => {
    const key = random.integer(keys);
    const drawn = drawOperation(random, voters, key);
    const shape = drawn.kind === 'pin' ? drawShape(shapes, voters + 1, key) : {};
    return { atMs, name: `p${at + 1}`, ...drawn, key, ...(Object.keys(shape).length > 0 && { shape }) };
  });
}

function drawOperation(random: SeededRandom, voters: number, key: number): Pick<Operation, 'kind' | 'peer'> {
  const kinds = ['pin', 'pin', 'pin', 'unpin', 'unpin', 'read', 'read', 'status', 'statusAll', 'recover'] as const;
  const drawn = pick(random, kinds);
  const kind = drawn === 'unpin' && mayExpire(key) ? 'read' : drawn;
  const peer = random.integer(voters);
  // Clients stay with the peer that they know, whatever became of it.
  return { kind, peer: kind === 'read' && random.integer(2) === 0 ? 'oldestLeader' : peer };
}

function drawShape(random: SeededRandom, peers: number, key: number): PinShape {
  const factors = pick(random, [
    [0, 0],
    [0, 0],
    [1, 1],
    [1, 2],
    [2, 2],
    [2, 3],
    [-1, -1],
  ] as const);
  const on = Array.from({ length: 1 + random.integer(2) }, () => random.integer(peers));
  const expireInMs = 200 + random.integer(6000);
  return {
    ...(factors[0] !== 0 && { factors }),
    ...(random.integer(5) === 0 && { on }),
    ...(random.integer(6) === 0 && { isDirect: true }),
    ...(mayExpire(key) && random.integer(3) > 0 && { expireInMs }),
  };
}

/** What makes a world easier to read, one by one. */
export const calmWorld: Partial<WorldOptions> = {
  voters: 3,
  slowPercent: 0,
  lossPercent: 0,
  copyPercent: 0,
  latencyMs: 0.5,
  syncMs: 1,
  stateMs: 0.1,
  waitingMax: 8192,
  maxAppendEntries: 64,
  appendsInFlightMax: 1,
  applyMax: 1024,
  electionSpreadTicks: 10,
  networkTimeoutMs: 2000,
  heartbeatTimeoutMs: 1000,
  replicationMax: -1,
  multiplexed: -1,
  pinMs: 5,
  repinsPerSecond: 100,
  pinQueueMax: 1_000_000,
  concurrentPins: 2,
};
