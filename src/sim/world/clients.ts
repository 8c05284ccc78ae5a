/** Clients of a world: they use the API of a peer, and what they see is held against the log and against what is possible at all. */
import { bytesEqual, errorCode } from '../../base/index.ts';
import type { ClusterApi } from '../../cluster/ports.ts';
import type { LogIndex } from '../../core/raft/index.ts';
import { Cid, encodePin, type Pin, type PinOptions } from '../../model/index.ts';
import { ClientHistory, type OperationToken } from '../checkers/client-history.ts';
import { HistoryChecker } from '../checkers/history.ts';
import { expect } from '../finding.ts';
import { mix, mixText } from '../hash.ts';
import { isRefused } from './peer.ts';
import type { Operation } from './plan.ts';
import type { Life } from './whole-peer.ts';
import type { World } from './world.ts';

/** How long a write may look for a leader. */
export const clientTimeoutMs = 5000;

/** An operation that a client has begun. */
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
  /** Of all answers. */
  hash = 0;
  readonly #world: World;
  /** Operations without an answer yet. */
  readonly #asked = new Map<OperationToken, Life>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Whether a client waits for a peer that may still answer. */
  isAsking(): boolean {
    const lives = new Set(this.#world.peers.map(({ life }) => life));
    return [...this.#asked.values()].some((life) => lives.has(life));
  }

  /** @returns whether it succeeded. What checkers find is kept. */
  async ask(life: Life, { kind, key, name }: Omit<Operation, 'atMs' | 'peer'>): Promise<boolean> {
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
    try {
      if (kind === 'pin') await peer.pin(cid, optionsOf(name));
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

function optionsOf(name: string): PinOptions {
  return {
    replicationFactorMin: 0,
    replicationFactorMax: 0,
    name,
    mode: 'recursive',
    shardSize: 0,
    userAllocations: null,
    expireAt: null,
    // Some have more than others, so that one which takes over what another has is not like the log says.
    metadata: name.endsWith('1') ? { of: name } : null,
    pinUpdate: null,
    origins: null,
  };
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
