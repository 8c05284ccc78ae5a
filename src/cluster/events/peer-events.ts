/** Puts into words what happens on this peer, as long as somebody wants to know. */
import type { Clock, Logger } from '../../base/index.ts';
import type { Life } from '../../core/heal/index.ts';
import {
  alertJson,
  decodePin,
  encodePin,
  globalOfOne,
  globalPinInfoJson,
  type PeerEventState,
  type PeerId,
  type Pin,
  pinJson,
} from '../../model/index.ts';
import { Loop } from '../loop.ts';
import { lookIntervalMsMax, type MemberWatch } from '../member-watch.ts';
import { pingName, pingValueOf } from '../ping-value.ts';
import type { EventPage, EventsOptions, PeerMonitor, PinsetObserver, StatusObserver } from '../ports.ts';
import { EventFeed } from './feed.ts';

export interface PeerEventsDeps {
  readonly watch: Pick<MemberWatch, 'look'>;
  readonly monitor: PeerMonitor;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Nobody wants to know: a look at the members that is due then can be left out. */
const idleMs = 3_600_000;

export class PeerEvents {
  /** To be told of what is applied. */
  readonly pinset: PinsetObserver;
  /** To be told what becomes of it on the IPFS node. */
  readonly statuses: StatusObserver;
  readonly #deps: PeerEventsDeps;
  readonly #feed: EventFeed;
  readonly #looks: Loop;
  /** Of the last look; `undefined`: the next one is the first that somebody wants to know of. */
  #lives: ReadonlyMap<PeerId, Life> | undefined;

  constructor({ pingIntervalMs }: { readonly pingIntervalMs: number }, deps: PeerEventsDeps) {
    this.#deps = deps;
    const feed = new EventFeed({
      clock: deps.clock,
      onWanted: () => {
        this.#lives = undefined;
        this.#looks.wake();
      },
    });
    this.#feed = feed;
    const lookMs = Math.min(lookIntervalMsMax, pingIntervalMs);
    this.#looks = new Loop('look at members for events', lookMs, deps, async () => {
      if (!feed.isWanted()) return idleMs;
      this.#compare((await deps.watch.look()).lives);
      return lookMs;
    });
    this.pinset = {
      onPin: (pin) => {
        if (feed.isWanted()) feed.add('pin', 'pin', pinText(pin));
      },
      onUnpin: ({ cid }) => {
        if (feed.isWanted()) feed.add('pin', 'unpin', JSON.stringify({ cid: cid.toString() }));
      },
      onReplaced: () => {
        if (feed.isWanted()) feed.add(undefined, 'reset', JSON.stringify({ reason: 'replaced' }));
      },
    };
    this.statuses = {
      isWanted: () => feed.isWanted(),
      onStatus: (info) => feed.add('status', 'status', globalPinInfoJson.print(globalOfOne(info))),
    };
  }

  /** Begins to hear of alerts. Once. */
  start(): void {
    this.#deps.monitor.onAlert((alert) => {
      if (this.#feed.isWanted()) this.#feed.add('alert', 'alert', alertJson.print(alert));
    });
  }

  read(options: EventsOptions): AsyncIterable<EventPage> {
    return this.#feed.read(options);
  }

  /** All readers come to their end at once. */
  async stop(): Promise<void> {
    this.#feed.close();
    await this.#looks.stop();
  }

  #compare(lives: ReadonlyMap<PeerId, { readonly life: Life }>): void {
    const now = new Map([...lives].map(([peer, { life }]) => [peer, life] as const));
    const before = this.#lives;
    this.#lives = now;
    if (before === undefined) return;
    for (const [peer, life] of now) {
      const known = before.get(peer);
      if (known === undefined) this.#tell(peer, 'joined');
      if (known !== life && (known !== undefined || life === 'alive')) this.#tell(peer, life);
    }
    for (const peer of before.keys()) if (!now.has(peer)) this.#tell(peer, 'removed');
  }

  #tell(peer: PeerId, state: PeerEventState): void {
    const { peername } = pingValueOf(this.#deps.monitor.latestOf(pingName, peer));
    this.#feed.add('peer', 'peer', JSON.stringify({ peer, peername, state }));
  }
}

/** As it is read of the pinset. */
function pinText(pin: Pin): string {
  return `{"cid":"${pin.cid}","pin":${pinJson.print(decodePin(encodePin(pin), pin.cid))}}`;
}
