/**
 * The flat `service.json` of the first public versions (January 2017, before the file had sections), brought into
 * today's form. Source: the README of ipfs-cluster of 2017-01-24 and Go `config.go` at tags v0.0.3 to v0.1.0.
 */

import type { Multiaddr } from '../index.ts';
import { formatGoDuration, peerIdOfMultiaddr } from '../index.ts';
import { badValue } from './errors.ts';
import type { Json, JsonObject } from './json.ts';
import { isJsonObject } from './json.ts';
import { addressListKind, booleanKind, integerKind, type Kind, multiaddrKind, secretKind, textKind } from './kind.ts';
import { type Warn, warnUnknown } from './section.ts';
import { initialService, readService, writeService } from './service.ts';
import type { ServiceConfig } from './types.ts';

/** A file of 2017, understood. */
export interface FlatService {
  readonly config: ServiceConfig;
  /** What the file told of other peers: lines of today's peerstore file. */
  readonly peerAddresses: readonly Multiaddr[];
}

/** A key of 2017: how it was written, and the places of today that it fills. */
interface FlatKey {
  readonly kind: Kind<never> | Kind<string> | Kind<number> | Kind<boolean> | Kind<readonly string[]>;
  readonly places: readonly string[];
  /** Today's form of the value. */
  readonly convert?: (json: Json) => Json;
}

const seconds = (json: Json): Json => formatGoDuration(Number(json) * 1000);

const keys: Readonly<Record<string, FlatKey>> = {
  id: { kind: textKind, places: ['cluster.id'] },
  private_key: { kind: textKind, places: ['cluster.private_key'] },
  cluster_secret: { kind: secretKind, places: ['cluster.secret'] },
  cluster_peers: { kind: addressListKind, places: [] },
  bootstrap: { kind: addressListKind, places: [] },
  cluster_multiaddress: { kind: multiaddrKind, places: ['cluster.listen_multiaddress'] },
  api_listen_multiaddress: { kind: multiaddrKind, places: ['api.restapi.http_listen_multiaddress'] },
  ipfs_proxy_listen_multiaddress: { kind: multiaddrKind, places: ['api.ipfsproxy.listen_multiaddress'] },
  ipfs_node_multiaddress: {
    kind: multiaddrKind,
    places: ['ipfs_connector.ipfshttp.node_multiaddress', 'api.ipfsproxy.node_multiaddress'],
  },
  // The data of those versions cannot be read any more; the log starts anew in today's place.
  consensus_data_folder: { kind: textKind, places: [] },
  leave_on_shutdown: { kind: booleanKind, places: ['cluster.leave_on_shutdown'] },
  state_sync_seconds: { kind: integerKind, places: ['cluster.state_sync_interval'], convert: seconds },
  ipfs_sync_seconds: { kind: integerKind, places: ['cluster.pin_recover_interval'], convert: seconds },
  replication_factor: {
    kind: integerKind,
    places: ['cluster.replication_factor_min', 'cluster.replication_factor_max'],
  },
  monitoring_interval_seconds: {
    kind: integerKind,
    places: ['cluster.monitor_ping_interval', 'monitor.pubsubmon.check_interval'],
    convert: seconds,
  },
  allocation_strategy: { kind: textKind, places: [] },
  ssl_cert_file: { kind: textKind, places: ['api.restapi.ssl_cert_file'] },
  ssl_key_file: { kind: textKind, places: ['api.restapi.ssl_key_file'] },
};

/** Whether the file is of that time: a listening address at the top, and no sections. */
export function isFlatService(json: Json): json is JsonObject {
  return isJsonObject(json) && 'cluster_multiaddress' in json && !('cluster' in json);
}

/** Reads a file of that time. Throws `config/bad-value`. */
export function readFlatService(json: JsonObject, hostname: string, warn: Warn): FlatService {
  warnUnknown(Object.keys(json), [...Object.keys(keys), 'raft_config'], '', warn);
  // Those networks had no secret, and a pin went to every peer; both are today's defaults without a secret.
  const draft = initialService({ hostname, secret: '' });
  const file = structuredClone(writeService(draft, { form: 'file' })) as Mutable;
  for (const [key, { kind, places, convert }] of Object.entries(keys)) {
    const found = json[key] ?? undefined;
    if (found === undefined) continue;
    if (kind.read(found) === undefined) throw badValue(key, found, kind.expected);
    for (const place of places) put(file, place, convert === undefined ? found : convert(found));
  }
  readRaft(json.raft_config, file, warn);
  const peerAddresses = addressListKind.read(json.cluster_peers ?? []) ?? [];
  const others = peerAddresses.filter((address) => peerIdOfMultiaddr(address) !== json.id);
  put(
    file,
    'consensus.raft.init_peerset',
    others.map((address) => idOf(address)),
  );
  return { config: readService(file, warn), peerAddresses: others };
}

function readRaft(found: Json | undefined, file: Mutable, warn: Warn): void {
  if (found === undefined || found === null) return;
  if (!isJsonObject(found)) throw badValue('raft_config', found, 'an object');
  // A lone peer forms its cluster by itself today, so `enable_single_node` has nothing to say any more.
  warnUnknown(Object.keys(found), ['snapshot_interval_seconds', 'enable_single_node'], 'raft_config', warn);
  const interval = found.snapshot_interval_seconds ?? undefined;
  if (interval === undefined) return;
  const where = 'raft_config.snapshot_interval_seconds';
  if (integerKind.read(interval) === undefined) throw badValue(where, interval, integerKind.expected);
  put(file, 'consensus.raft.snapshot_interval', seconds(interval));
}

function idOf(address: Multiaddr): string {
  const id = peerIdOfMultiaddr(address);
  if (id === undefined) throw badValue('cluster_peers', address, 'addresses that end with /ipfs/<peer id>');
  return id;
}

interface Mutable extends JsonObject {
  [key: string]: Json;
}

/** Sets a value at a path of objects, all of which are there. */
function put(file: Mutable, path: string, value: Json): void {
  const names = path.split('.');
  const last = names.pop() ?? '';
  let at = file;
  // Proof: the paths above are those of a complete file, which `writeService` made.
  for (const name of names) at = at[name] as Mutable;
  at[last] = value;
}
