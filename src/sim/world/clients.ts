/** Clients of a world: they use the API of a peer, and what they see is held against the log and against what is possible at all. */
import { bytesEqual, errorCode } from '../../base/index.ts';
import type { ClusterApi } from '../../cluster/ports.ts';
import type { LogIndex } from '../../core/raft/index.ts';
import {
  Cid,
  defaultPinOptions,
  encodePin,
  type GlobalPinInfo,
  type PeerId,
  type Pin,
  type PinOptions,
  timeFromNanos,
  timeToNanos,
} from '../../model/index.ts';
import { ClientHistory, type OperationToken } from '../checkers/client-history.ts';
import { HistoryChecker } from '../checkers/history.ts';
import { expect } from '../finding.ts';
import { mix, mixText } from '../hash.ts';
import { isRefused } from './peer.ts';
import type { Operation, PinShape } from './plan.ts';
import type { Life } from './whole-peer.ts';
import type { World } from './world.ts';

/** How long a write may look for a leader. */
export const clientTimeoutMs = 5000;

/** Since a node has lost a pin, or is well again, until its peer must know. */
const falseMsMax = 2500;
/** A pin counts as expired so long before it is. */
const expiryLookMs = 20;

type Question = Omit<Operation, 'atMs' | 'peer'>;

/** A write or read that a client has begun. */
interface Asked {
  readonly kind: Operation['kind'];
  readonly cid: Cid;
  readonly name: string;
  /** What was committed then. */
  readonly began: LogIndex;
  readonly operation: OperationToken;
}

export class Clients {
  readonly history: HistoryChecker = new HistoryChecker();
  readonly seen: ClientHistory = new ClientHistory();
  failed = 0;
  /** Rows of a status that said what a peer holds. */
  rows = 0;
  /** Of all answers. */
  hash = 0;
  readonly #world: World;
  /** Operations without an answer yet. */
  readonly #asked = new Map<OperationToken | symbol, Life>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Whether a client waits for a peer that may still answer. */
  isAsking(): boolean {
    const lives = new Set(this.#world.peers.map(({ life }) => life));
    return [...this.#asked.values()].some((life) => lives.has(life));
  }

  /** @returns whether it succeeded. What checkers find is kept. */
  async ask(life: Life, question: Question): Promise<boolean> {
    if (!(['status', 'statusAll', 'recover'] as Operation['kind'][]).includes(question.kind))
      return await this.#askForPinset(life, question);
    const token = Symbol(question.name);
    this.#asked.set(token, life);
    try {
      await this.#askAboutPins(life, question);
    } catch (error) {
      this.#world.note(() => `client has an error for ${question.kind} ${question.name}: ${error}`);
      return false;
    } finally {
      this.#asked.delete(token);
    }
    return true;
  }

  /** What trackers do and say. */
  async #askAboutPins({ peer, clock }: Life, { kind, key }: Question): Promise<void> {
    const beganMs = this.#world.scheduler.now;
    if (kind === 'status') this.#checkRows([await peer.status(cidOf(key))], beganMs);
    else if (kind === 'statusAll') {
      for await (const row of peer.statusAll(0)) this.#checkRows([row], beganMs);
    } else {
      // As a door does whose client has gone: it may wait for room, or for its peer to take part.
      const patience = new AbortController();
      const cancel = clock.after(clientTimeoutMs, () => patience.abort());
      try {
        for await (const _ of peer.recoverAllLocal({ signal: patience.signal })) this.hash = mix(this.hash, 1);
      } finally {
        cancel();
      }
    }
  }

  /** Who says that something is pinned has it: a little while ago at least. */
  #checkRows(rows: readonly GlobalPinInfo[], beganMs: number): void {
    for (const { cid, peerMap } of rows) {
      for (const [peer, { status }] of Object.entries(peerMap)) {
        this.rows++;
        this.hash = mixText(this.hash, status);
        if (status === 'pinned') this.#world.judge(() => this.#checkPinned(peer, cid.key, beganMs));
      }
    }
  }

  #checkPinned(id: PeerId, key: string, beganMs: number): void {
    const ipfs = this.#world.peers.find((peer) => peer.id === id)?.ipfs;
    if (ipfs === undefined || !ipfs.isTold(key)) return;
    const sinceMs = Math.max(ipfs.lostMs.get(key) ?? 0, ipfs.wellSinceMs);
    expect(
      beganMs - sinceMs <= falseMsMax,
      'no false pinned',
      () => `${id} says that it holds ${key}, which it does not since ${sinceMs} ms`,
    );
  }

  async #askForPinset(life: Life, { kind, key, name, shape = {} }: Question): Promise<boolean> {
    const { peer } = life;
    const began = this.#world.checker.logs.commit;
    const cid = cidOf(key);
    if (kind === 'replace' || kind === 'release') {
      return await this.#askConditionally(life, kind === 'replace' ? name : undefined, cid, began);
    }
    const what = `${kind} ${key} as ${name}`;
    this.#world.note(() => `client asks ${this.#world.nameOf(peer.self)} to ${what}`);
    const operation =
      kind === 'read'
        ? this.seen.readBegins(cid.key)
        : this.seen.writeBegins(cid.key, kind === 'pin' ? name : undefined);
    this.#asked.set(operation, life);
    const options = kind === 'pin' ? this.#optionsOf(life, name, shape) : defaultPinOptions;
    if (options.expireAt !== null) this.#removesLater(cid.key, name, timeToNanos(options.expireAt));
    try {
      if (kind === 'pin') await peer.pin(cid, options);
      else if (kind === 'unpin') await peer.unpin(cid);
      else await peer.readBarrier();
      this.#answered(peer, { kind, cid, name, began, operation });
    } catch (error) {
      if (kind === 'unpin' && errorCode(error) === 'cluster/not-pinned') {
        this.#sawNothing({ kind, cid, name, began, operation });
        return true;
      }
      this.failed++;
      this.hash = mix(this.hash, this.failed);
      this.#world.note(() => `client has an error for ${what}: ${error}`);
      if (kind !== 'read' && isRefused(error)) this.seen.refused(cid.key, operation);
      if (kind === 'pin' && isRefused(error)) this.#world.judge(() => this.history.pinRefused(name));
      return false;
    } finally {
      this.#asked.delete(operation);
    }
    return true;
  }

  /** Over exactly the pin that the peer shows: `name` replaces it, `undefined` takes it away. */
  async #askConditionally(life: Life, name: string | undefined, cid: Cid, began: LogIndex): Promise<boolean> {
    const { peer, consensus } = life;
    const onlyIf = pinReadable(peer, cid);
    if (onlyIf === undefined || onlyIf === 'unreadable') return true;
    const from = onlyIf.name;
    const what = name === undefined ? `release ${from}` : `replace ${from} by ${name}`;
    this.#world.note(() => `client asks ${this.#world.nameOf(peer.self)} to ${what}`);
    const operation = this.seen.conditionalBegins(cid.key, from, name);
    this.#asked.set(operation, life);
    try {
      if (name === undefined) await consensus.logUnpin(onlyIf, { onlyIf });
      else {
        this.history.conditionalPin(name, onlyIf);
        await consensus.logPin({ ...onlyIf, name }, { onlyIf });
      }
      this.hash = mixText(this.hash, what);
      this.#world.note(() => `client has its answer to ${what}`);
      this.seen.writeEnds(operation);
      if (name !== undefined) this.#world.judge(() => this.history.pinAcknowledged(name, began));
    } catch (error) {
      this.failed++;
      this.hash = mix(this.hash, this.failed);
      this.#world.note(() => `client could not ${what}: ${error}`);
      if (errorCode(error) === 'consensus/changed') this.#sawAnother(peer, onlyIf, operation);
      else if (isRefused(error)) this.seen.refused(cid.key, operation);
      if (name !== undefined && isRefused(error)) this.#world.judge(() => this.history.pinRefused(name));
      return false;
    } finally {
      this.#asked.delete(operation);
    }
    return true;
  }

  /** Whoever is told that a pin was changed is shown what is there instead. */
  #sawAnother(peer: ClusterApi, onlyIf: Pin, operation: OperationToken): void {
    this.history.contested++;
    const shown = pinReadable(peer, onlyIf.cid);
    if (shown === 'unreadable') {
      this.seen.refused(onlyIf.cid.key, operation);
      return;
    }
    const isAnother = shown === undefined || !bytesEqual(encodePin(shown), encodePin(onlyIf));
    this.#world.judge(() =>
      expect(isAnother, 'changed is shown', () => `${onlyIf.name} was changed, says a peer that shows it unchanged`),
    );
    if (shown?.name === onlyIf.name) this.seen.refused(onlyIf.cid.key, operation);
    else this.seen.sawAnother(operation);
  }

  #answered(peer: ClusterApi, { kind, cid, name, began, operation }: Asked): void {
    this.hash = mixText(this.hash, name);
    const shown = kind === 'read' ? nameShown(peer, cid) : undefined;
    this.#world.note(
      () => `client has its answer for ${kind} ${name}${kind === 'read' ? `: ${shown ?? 'nothing'}` : ''}`,
    );
    if (kind === 'read') this.seen.readEnds(operation, shown);
    else this.seen.writeEnds(operation);
    this.#world.judge(() => {
      if (kind === 'pin') this.history.pinAcknowledged(name, began);
      if (kind === 'read') this.history.read(cid.key, shown, began, this.#world.checker.logs.commit);
    });
  }

  #optionsOf({ clock }: Life, name: string, { factors, on, isDirect, expireInMs }: PinShape): PinOptions {
    const [replicationFactorMin, replicationFactorMax] = factors ?? [0, 0];
    // States know seconds only.
    const expireNanos = roundedDown(clock.wallNanos() + BigInt(expireInMs ?? 0) * 1_000_000n);
    return {
      ...defaultPinOptions,
      replicationFactorMin,
      replicationFactorMax,
      name,
      mode: isDirect === true ? 'direct' : 'recursive',
      userAllocations: on?.flatMap((at) => this.#world.peers[at]?.id ?? []) ?? null,
      expireAt: expireInMs === undefined ? null : timeFromNanos(expireNanos),
      // Some have more than others, so that one which takes over what another has is not like the log says.
      metadata: name.endsWith('1') ? { of: name } : null,
    };
  }

  /** From when it has expired by any clock on, the cluster may remove it. */
  #removesLater(key: string, name: string, expireNanos: bigint): void {
    const leftMs = Number(expireNanos - this.#world.clockNanosMax()) / 1e6;
    if (leftMs <= expiryLookMs) this.seen.conditionalBegins(key, name, undefined);
    else this.#world.scheduler.after(leftMs / 2, () => this.#removesLater(key, name, expireNanos));
  }

  /** What is not pinned cannot be unpinned: whoever says so has made sure. */
  #sawNothing({ cid, name, began, operation }: Asked): void {
    this.hash = mixText(this.hash, name);
    this.#world.note(() => `client hears that there is nothing to unpin for ${name}`);
    this.seen.sawNothing(operation);
    this.#world.judge(() => this.history.read(cid.key, undefined, began, this.#world.checker.logs.commit));
  }
}

/** The CID of a key. */
export function cidOf(key: number): Cid {
  const bytes = new Uint8Array(36).fill(key);
  bytes.set([0x01, 0x55, 0x12, 0x20]);
  return Cid.decode(bytes);
}

function roundedDown(nanos: bigint): bigint {
  return nanos - (nanos % 1_000_000_000n);
}

function nameShown(peer: ClusterApi, cid: Cid): string | undefined {
  return pinShown(peer, cid)?.name;
}

function pinShown(peer: ClusterApi, cid: Cid): Pin | undefined {
  try {
    return peer.pinGet(cid);
  } catch (error) {
    if (errorCode(error) === 'cluster/not-pinned') return undefined;
    throw error;
  }
}

/** A peer that ends, or opens its disk anew, shows nothing. */
function pinReadable(peer: ClusterApi, cid: Cid): Pin | 'unreadable' | undefined {
  try {
    return pinShown(peer, cid);
  } catch {
    return 'unreadable';
  }
}
