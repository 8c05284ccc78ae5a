/** The value of the `ping` metric: who a peer and its IPFS node are. Source: Go `cluster.go` `pingValue`. */
import type { Metric, Multiaddr, PeerId, PingValue } from '../model/index.ts';
import { pingValueJson } from '../model/index.ts';

const noValue: PingValue = { peername: '', ipfsId: '', ipfsAddresses: [] };

/** A metric is asked about many times until the next one arrives: with every pin, and in every row of a status. */
const read = new WeakMap<Metric, PingValue>();

/** What a peer's last ping says; empty when there is none, or when it cannot be read. */
export function pingValueOf(metric: Metric | undefined): PingValue {
  if (metric === undefined || metric.value === '') return noValue;
  let value = read.get(metric);
  if (value === undefined) {
    value = parsed(metric.value);
    read.set(metric, value);
  }
  return value;
}

function parsed(text: string): PingValue {
  try {
    return pingValueJson.parse(text);
  } catch {
    // A peer that says nonsense about itself is shown without a name.
    return noValue;
  }
}

/** Source: Go `publicIPFSAddresses`: names, and IP addresses that others may reach (private networks included). */
export function addressesForOthers(addresses: readonly Multiaddr[]): Multiaddr[] {
  return addresses.filter((address) => {
    const [, protocol, value = ''] = address.split('/');
    if (protocol === 'ip4') return !/^(0\.|127\.|169\.254\.|2(2[4-9]|[3-5][0-9])\.)/.test(value);
    if (protocol === 'ip6') return !/^(::1?$|fe[89ab]|ff)/i.test(value);
    return protocol?.startsWith('dns') ?? false;
  });
}

/** The ping of this peer. */
export function pingMetric(peer: PeerId, value: PingValue, expire: bigint): Metric {
  return {
    name: pingName,
    peer,
    value: pingValueJson.print(value),
    expire,
    valid: true,
    weight: 0n,
    partitionable: false,
    receivedAt: 0n,
  };
}

export const pingName = 'ping';
