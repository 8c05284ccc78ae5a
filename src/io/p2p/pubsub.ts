/** Gossipsub as the Go peer sets it up: strict signatures, its own message ids, a wide mesh. */
import { type GossipSub, type GossipSubComponents, gossipsub, type Message, StrictSign } from '@libp2p/gossipsub';
import type { Logger } from '../../base/index.ts';
import { errorMessage } from '../../base/index.ts';
import type { PubSub } from '../../cluster/ports.ts';
import type { PeerId } from '../../model/index.ts';
import { p2pError } from './errors.ts';

/** Go `pubsub.DefaultMaxMessageSize`: larger messages are dropped by every Go peer on the way. */
const messageBytesMax = 1024 * 1024;
/** Bytes queued for one peer; beyond, messages to it are dropped, as in Go. */
const outboundBufferBytesMax = 16 * 1024 * 1024;
const messageIdFromBytes = 16;

/** Section `cluster.pubsub` of the configuration. Source: Go `cluster_config.go` `PubsubConfig`. */
export interface PubSubOptions {
  /** Default 30 minutes. */
  readonly seenMessagesTtlMs?: number;
  /** Default 10 s. */
  readonly heartbeatIntervalMs?: number;
  /** Default 4. All mesh sizes are multiples of it. */
  readonly dFactor?: number;
  /** Heartbeats whose messages are offered to others; default 2. */
  readonly historyGossip?: number;
  /** Heartbeats for which messages are kept; default 6. */
  readonly historyLength?: number;
  /** Default false. */
  readonly floodPublish?: boolean;
  /** Tells peers that leave its mesh of others, and hears of others from them. Default true; Go's followers do not. */
  readonly exchangesPeers?: boolean;
}

/** The gossipsub service of a host. Source: Go `clusterhost.go` `newPubSub`. */
export function pubSubService(options: PubSubOptions): (components: GossipSubComponents) => GossipSub {
  const factor = options.dFactor ?? 4;
  return gossipsub({
    D: 6 * factor,
    Dlo: 5 * factor,
    Dhi: 12 * factor,
    Dscore: 4 * factor,
    Dout: 2 * factor,
    Dlazy: 6 * factor,
    heartbeatInterval: options.heartbeatIntervalMs ?? 10_000,
    mcacheLength: options.historyLength ?? 6,
    mcacheGossip: options.historyGossip ?? 2,
    seenTTL: options.seenMessagesTtlMs ?? 30 * 60_000,
    floodPublish: options.floodPublish ?? false,
    doPX: options.exchangesPeers ?? true,
    globalSignaturePolicy: StrictSign,
    msgIdFn: messageIdOf,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    maxInboundDataLength: messageBytesMax,
    maxOutboundBufferSize: outboundBufferBytesMax,
    // The Go peer does not score; the stock penalty for many peers at one address would part a cluster on one machine.
    scoreParams: { IPColocationFactorWeight: 0, behaviourPenaltyWeight: 0 },
    tagMeshPeers: false,
  });
}

/**
 * First 16 bytes of the author, then the sequence number. With another id, duplicates and announcements of Go peers would not
 * be recognised. Source: Go `clusterhost.go` `msgIDFn`.
 */
export function messageIdOf(message: Message): Uint8Array {
  if (message.type !== 'signed') throw p2pError('publish', 'Cannot identify a message: it is not signed');
  const id = Buffer.alloc(messageIdFromBytes + 8);
  id.set(message.from.toMultihash().bytes.subarray(0, messageIdFromBytes));
  id.writeBigUInt64BE(BigInt.asUintN(64, message.sequenceNumber), messageIdFromBytes);
  return id;
}

/** The port, and what its host calls once gossipsub runs: topics cannot be joined before. */
export interface HostPubSub extends PubSub {
  onStarted(): void;
  onStopping(): void;
}

export function toPubSub(service: GossipSub, logger: Logger): HostPubSub {
  let isStarted = false;
  const listeners = new Map<string, ((from: PeerId, data: Uint8Array) => void)[]>();
  service.addEventListener('message', ({ detail: message }) => {
    if (message.type !== 'signed') return;
    const from = message.from.toString();
    for (const listener of listeners.get(message.topic) ?? []) {
      try {
        listener(from, message.data);
      } catch (error) {
        logger.warn('cannot handle a published message', { topic: message.topic, from, cause: errorMessage(error) });
      }
    }
  });
  return {
    onStarted() {
      isStarted = true;
      for (const topic of listeners.keys()) service.subscribe(topic);
    },
    onStopping() {
      // Stopping leaves the timer of the next heartbeat armed, which keeps the process for as long.
      const status: unknown = Reflect.get(service, 'status');
      if (typeof status !== 'object' || status === null || !('heartbeatTimeout' in status)) return;
      // Proof of the cast: `start` and `runHeartbeat` put what `setTimeout` returns there.
      clearTimeout(status.heartbeatTimeout as NodeJS.Timeout);
    },
    async publish(topic, data) {
      if (data.length > messageBytesMax) {
        throw p2pError('publish', `Cannot publish ${data.length} bytes on "${topic}": ${messageBytesMax} allowed`);
      }
      try {
        await service.publish(topic, data);
      } catch (error) {
        throw p2pError('publish', `Cannot publish on "${topic}": ${errorMessage(error)}`, {
          cause: error,
          outcome: 'unknown',
        });
      }
    },
    subscribe(topic, onMessage) {
      const known = listeners.get(topic);
      if (known !== undefined) {
        known.push(onMessage);
        return;
      }
      listeners.set(topic, [onMessage]);
      if (isStarted) service.subscribe(topic);
    },
  };
}
