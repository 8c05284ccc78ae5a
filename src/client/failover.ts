/** Several peers behind one transport. */
import type { Clock } from '../base/index.ts';
import { RequestError } from './errors.ts';
import { systemClock } from './system.ts';
import type { Transport, TransportRequest } from './transport.ts';

/** How peers take turns. */
export interface FailoverOptions {
  /** `failover`: the first that is not down; `round-robin`: each in its turn. Default `failover`. */
  readonly balance?: 'failover' | 'round-robin';
  /** Milliseconds for which a peer that has not answered is asked after all others. Default 0. */
  readonly restMs?: number;
  readonly clock?: Pick<Clock, 'now'>;
}

/**
 * Tries one transport after the other until one gets an answer, whatever it is; what may have been done goes to another peer only when
 * it may be done twice. The last failure is the one reported.
 */
export function failoverTransport(
  transports: readonly [Transport, ...Transport[]],
  options: FailoverOptions = {},
): Transport {
  const { balance = 'failover', restMs = 0, clock = systemClock } = options;
  const peers = transports.map((transport) => ({ transport, restsUntil: 0 }));
  let turn = 0;
  const inOrder = (): typeof peers => {
    const first = balance === 'round-robin' ? turn % peers.length : 0;
    turn = first + 1;
    const now = clock.now();
    const turned = [...peers.slice(first), ...peers.slice(0, first)];
    const rests = ({ restsUntil }: { readonly restsUntil: number }): boolean => restsUntil > now;
    return [...turned.filter((peer) => !rests(peer)), ...turned.filter(rests)];
  };
  const exchange: Transport = async (request) => {
    let failure: unknown;
    for (const peer of inOrder()) {
      try {
        const response = await peer.transport(request);
        peer.restsUntil = 0;
        return response;
      } catch (error) {
        if (!(error instanceof RequestError) || error.status !== 0 || request.signal?.aborted === true) throw error;
        peer.restsUntil = clock.now() + restMs;
        if (!mayRepeat(request, error)) throw error;
        failure = error;
      }
    }
    throw failure;
  };
  return transports.some(({ hidesTrailers }) => hidesTrailers === true)
    ? Object.assign(exchange, { hidesTrailers: true })
    : exchange;
}

/** Whether a request that got no whole answer may be sent again. */
export function mayRepeat({ method, isRepeatable, body }: TransportRequest, error: RequestError): boolean {
  if (body !== undefined && typeof body !== 'string' && !body.isReplayable) return false;
  return (isRepeatable ?? method === 'GET') ? true : error.outcome === 'refused';
}
