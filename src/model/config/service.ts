/**
 * `service.json` as a whole: which section stands where, which must be there, and in which order they are written.
 * Source: Go `config/config.go`, `cmdutils/configs.go`.
 */
import { clusterSection } from './cluster.ts';
import { badValue } from './errors.ts';
import type { Section } from './field.ts';
import { pinsvcapiSection, restapiSection } from './http-api.ts';
import { embeddedSection, ipfshttpSection } from './ipfs-connector.ts';
import { ipfsproxySection } from './ipfsproxy.ts';
import type { Json, JsonObject } from './json.ts';
import { isJsonObject } from './json.ts';
import {
  balancedSection,
  diskSection,
  numpinSection,
  pinqueueSection,
  pubsubmonSection,
  tagsSection,
} from './metrics.ts';
import { nearest } from './nearest.ts';
import { metricsSection, tracingSection } from './observations.ts';
import { raftSection } from './raft.ts';
import type { Environment, Warn, WriteOptions } from './section.ts';
import { defaultsOf, overrideSection, readSection, variablesOf, warnUnknown, writeSection } from './section.ts';
import { statelessSection } from './stateless.ts';
import type { BalancedAllocatorConfig, ServiceConfig } from './types.ts';

/** Places of the file in Go's order; components inside a place are sorted by name. */
const places: Readonly<Record<string, readonly string[]>> = {
  consensus: ['crdt', 'raft'],
  api: ['ipfsproxy', 'pinsvcapi', 'restapi'],
  ipfs_connector: ['embedded', 'ipfshttp'],
  state: [],
  pin_tracker: ['stateless'],
  monitor: ['pubsubmon'],
  allocator: ['balanced'],
  informer: ['disk', 'numpin', 'pinqueue', 'tags'],
  observations: ['metrics', 'tracing'],
  datastore: ['pebble', 'badger', 'badger3', 'leveldb'],
};

/** A peer whose file has no `allocator` does not group by tag. Source: Go `cmd/ipfs-cluster-service/daemon.go`. */
const allocatorWithoutSection: BalancedAllocatorConfig = { allocateBy: ['freespace'] };

/** Variables of parts that have no table here: other programs, the identity, CRDT and the Go peer's databases. */
const otherVariables = /^CLUSTER_(CREDENTIALS|ID|PRIVATEKEY|(CRDT|PEBBLE|BADGER|BADGER3|LEVELDB)_[A-Z0-9_]+)$/;

/** The whole file. Throws `config/bad-value`; what has no effect is told to `warn`. */
export function readService(json: Json, warn: Warn): ServiceConfig {
  if (!isJsonObject(json)) throw badValue('the file', json, 'an object with the section "cluster"');
  const components = componentsOf(json, warn);
  // Without it there is no address to listen on: an error, so never the defaults.
  const cluster = components.get('cluster');
  if (cluster === undefined) {
    throw badValue('cluster', cluster, 'the section with the addresses and the secret of the peer');
  }
  const present = <T>(section: Section<T>): T | undefined => {
    const found = components.get(section.path);
    return found === undefined ? undefined : readSection(section, found, warn);
  };
  const always = <T>(section: Section<T>, absent: T = defaultsOf(section)): T => present(section) ?? absent;
  return {
    cluster: readSection(clusterSection, cluster, warn),
    raft: present(raftSection),
    crdt: objectAt(components, 'consensus.crdt'),
    ipfsproxy: present(ipfsproxySection),
    pinsvcapi: present(pinsvcapiSection),
    restapi: present(restapiSection),
    embedded: present(embeddedSection),
    ipfshttp: always(ipfshttpSection),
    stateless: always(statelessSection),
    pubsubmon: always(pubsubmonSection),
    balanced: always(balancedSection, allocatorWithoutSection),
    disk: present(diskSection),
    numpin: present(numpinSection),
    pinqueue: present(pinqueueSection),
    tags: present(tagsSection),
    metrics: always(metricsSection),
    tracing: always(tracingSection),
    datastore: objectAt(components, 'datastore'),
  };
}

/** The configuration with the environment on top; a part that is not there stays away. Throws `config/bad-value`. */
export function overrideService(config: ServiceConfig, environment: Environment, warn: Warn): ServiceConfig {
  warnUnknownVariables(environment, warn);
  const always = <T>(section: Section<T>, value: T): T => overrideSection(section, value, environment);
  const present = <T>(section: Section<T>, value: T | undefined): T | undefined =>
    value === undefined ? undefined : always(section, value);
  return {
    cluster: always(clusterSection, config.cluster),
    raft: present(raftSection, config.raft),
    crdt: config.crdt,
    ipfsproxy: present(ipfsproxySection, config.ipfsproxy),
    pinsvcapi: present(pinsvcapiSection, config.pinsvcapi),
    restapi: present(restapiSection, config.restapi),
    embedded: present(embeddedSection, config.embedded),
    ipfshttp: always(ipfshttpSection, config.ipfshttp),
    stateless: always(statelessSection, config.stateless),
    pubsubmon: always(pubsubmonSection, config.pubsubmon),
    balanced: always(balancedSection, config.balanced),
    disk: present(diskSection, config.disk),
    numpin: present(numpinSection, config.numpin),
    pinqueue: present(pinqueueSection, config.pinqueue),
    tags: present(tagsSection, config.tags),
    metrics: always(metricsSection, config.metrics),
    tracing: always(tracingSection, config.tracing),
    datastore: config.datastore,
  };
}

/** What no default can know. */
export interface InitialOptions {
  readonly hostname: string;
  /** 64 hexadecimal digits. */
  readonly secret: string;
}

/** What `init` starts from: a Raft peer with every part at its default, and an IPFS node of its own elsewhere. */
export function initialService(options: InitialOptions): ServiceConfig {
  return {
    cluster: { ...defaultsOf(clusterSection), peername: options.hostname, secret: options.secret },
    raft: defaultsOf(raftSection),
    ipfsproxy: defaultsOf(ipfsproxySection),
    pinsvcapi: defaultsOf(pinsvcapiSection),
    restapi: defaultsOf(restapiSection),
    ipfshttp: defaultsOf(ipfshttpSection),
    stateless: defaultsOf(statelessSection),
    pubsubmon: defaultsOf(pubsubmonSection),
    balanced: defaultsOf(balancedSection),
    disk: defaultsOf(diskSection),
    pinqueue: defaultsOf(pinqueueSection),
    tags: defaultsOf(tagsSection),
    metrics: defaultsOf(metricsSection),
    tracing: defaultsOf(tracingSection),
  };
}

/** The whole configuration as JSON, in the order of the file. */
export function writeService(config: ServiceConfig, options: WriteOptions): JsonObject {
  const written = new Map<string, Json | undefined>();
  const add = <T>(section: Section<T>, value: T | undefined): void => {
    if (value !== undefined) written.set(section.path, writeSection(section, value, options));
  };
  written.set('consensus.crdt', config.crdt);
  add(raftSection, config.raft);
  add(ipfsproxySection, config.ipfsproxy);
  add(pinsvcapiSection, config.pinsvcapi);
  add(restapiSection, config.restapi);
  add(embeddedSection, config.embedded);
  add(ipfshttpSection, config.ipfshttp);
  add(statelessSection, config.stateless);
  add(pubsubmonSection, config.pubsubmon);
  add(balancedSection, config.balanced);
  add(diskSection, config.disk);
  add(numpinSection, config.numpin);
  add(pinqueueSection, config.pinqueue);
  add(tagsSection, config.tags);
  add(metricsSection, config.metrics);
  add(tracingSection, config.tracing);
  const file: Record<string, Json> = { cluster: writeSection(clusterSection, config.cluster, options) };
  for (const [place, names] of Object.entries(places)) {
    const components = names.flatMap((name): [string, Json][] => {
      const json = written.get(`${place}.${name}`);
      return json === undefined ? [] : [[name, json]];
    });
    if (components.length > 0) file[place] = Object.fromEntries(components);
  }
  if (config.datastore !== undefined) file.datastore = config.datastore;
  return file;
}

/** Every part of the file that is not null, by its path. Keys match in any letter case, as in Go. */
function componentsOf(json: JsonObject, warn: Warn): ReadonlyMap<string, Json> {
  const components = new Map<string, Json>();
  warnUnknown(Object.keys(json), ['cluster', 'source', ...Object.keys(places)], '', warn);
  for (const [key, value] of Object.entries(json)) {
    const place = key.toLowerCase();
    if (value === null) continue;
    components.set(place, value);
    const names = Object.hasOwn(places, place) ? places[place] : undefined;
    if (names === undefined || place === 'state') continue;
    if (!isJsonObject(value)) throw badValue(place, value, 'an object of components');
    warnUnknown(Object.keys(value), names, place, warn);
    for (const [name, component] of Object.entries(value)) {
      if (component !== null) components.set(`${place}.${name.toLowerCase()}`, component);
    }
  }
  return components;
}

function objectAt(components: ReadonlyMap<string, Json>, path: string): JsonObject | undefined {
  const found = components.get(path);
  if (found === undefined || isJsonObject(found)) return found;
  throw badValue(path, found, 'an object');
}

function warnUnknownVariables(environment: Environment, warn: Warn): void {
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('CLUSTER_') || otherVariables.test(name) || knownVariables.includes(name)) continue;
    const guess = nearest(name, knownVariables);
    warn(`unknown environment variable ${name} has no effect${guess === undefined ? '' : `; did you mean ${guess}?`}`);
  }
}

const knownVariables: readonly string[] = [
  ...variablesOf(clusterSection),
  ...variablesOf(raftSection),
  ...variablesOf(ipfsproxySection),
  ...variablesOf(pinsvcapiSection),
  ...variablesOf(restapiSection),
  ...variablesOf(embeddedSection),
  ...variablesOf(ipfshttpSection),
  ...variablesOf(statelessSection),
  ...variablesOf(pubsubmonSection),
  ...variablesOf(balancedSection),
  ...variablesOf(diskSection),
  ...variablesOf(numpinSection),
  ...variablesOf(pinqueueSection),
  ...variablesOf(tagsSection),
  ...variablesOf(metricsSection),
  ...variablesOf(tracingSection),
];
