/** Addresses behind a DNS name, as libp2p keeps them in its text records. Source: multiaddr spec, `dnsaddr`. */
import { resolveTxt } from 'node:dns/promises';
import { errorMessage, OperatingError } from '../../base/index.ts';
import type { Multiaddr } from '../../model/index.ts';

/** Records can name names again. Source: go-multiaddr-dns, which stops at 32. */
const depthMax = 8;
/** Addresses that are taken at most. */
const addressesMax = 64;

/**
 * The addresses that a `/dnsaddr/<name>` stands for, of one peer only when `/p2p/<id>` follows; any other address as it is.
 * `lookUp` gives the text records of a name. Throws `dial/bad-address` when there are none.
 */
export async function resolveDnsaddr(
  address: Multiaddr,
  lookUp: (name: string) => Promise<readonly (readonly string[])[]> = resolveTxt,
): Promise<readonly Multiaddr[]> {
  const found = await resolve(address, lookUp, depthMax);
  if (found.length === 0) throw bad(address, 'its name has no records of a peer');
  return found.slice(0, addressesMax);
}

async function resolve(
  address: Multiaddr,
  lookUp: (name: string) => Promise<readonly (readonly string[])[]>,
  depth: number,
): Promise<readonly Multiaddr[]> {
  const [, protocol, name = '', ...rest] = address.split('/');
  if (protocol !== 'dnsaddr') return [address];
  if (depth === 0) throw bad(address, 'its records name other names without an end');
  let records: readonly (readonly string[])[];
  try {
    records = await lookUp(`_dnsaddr.${name}`);
  } catch (error) {
    throw bad(address, errorMessage(error));
  }
  const suffix = rest.length === 0 ? '' : `/${rest.join('/')}`;
  const named = records
    .map((parts) => parts.join(''))
    .filter((text) => text.startsWith('dnsaddr=/') && text.endsWith(suffix))
    .map((text) => text.slice('dnsaddr='.length))
    .slice(0, addressesMax);
  const found: Multiaddr[] = [];
  for (const one of named) found.push(...(await resolve(one, lookUp, depth - 1)));
  return found;
}

function bad(address: Multiaddr, reason: string): OperatingError {
  return new OperatingError('dial/bad-address', `Cannot find the addresses of "${address}": ${reason}`);
}
