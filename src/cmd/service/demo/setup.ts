/** The folders of the demo's peers: three members of one Raft cluster that know each other from the start. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  createIdentity,
  makeFolder,
  peerFolder,
  writeConfig,
  writeIdentity,
  writePeerstore,
} from '../../../io/config/index.ts';
import { defaultsOf, embeddedSection, initialService, type ServiceConfig } from '../../../model/config/index.ts';
import { freePorts } from './ports.ts';

/** Ports of one peer: cluster, HTTP API, proxy, Kubo RPC, IPFS swarm. */
const portsPerPeer = 5;

export interface DemoFolder {
  readonly name: string;
  /** Of the peer, not of its IPFS node. */
  readonly id: string;
  readonly folder: string;
  /** Base URL of the HTTP API. */
  readonly apiUrl: string;
  /** Base URL of the Kubo RPC. */
  readonly ipfsUrl: string;
  readonly apiAddress: string;
  readonly proxyAddress: string;
  readonly ipfsAddress: string;
}

/**
 * Writes `count` folders below `parent`. Every address is on loopback, every port free a moment ago. `change` has the
 * last word on each peer's configuration.
 */
export async function prepareFolders(
  parent: string,
  count: number,
  change: (config: ServiceConfig) => ServiceConfig = (config) => config,
): Promise<DemoFolder[]> {
  const names = Array.from({ length: count }, (_, i) => `peer${i + 1}`);
  const ports = await freePorts(count * portsPerPeer);
  const identities = await Promise.all(names.map(createIdentity));
  const secret = randomBytes(32).toString('hex');
  const port = (peer: number, use: number): number => ports[peer * portsPerPeer + use] ?? 0;
  const address = (peer: number, use: number): string => `/ip4/127.0.0.1/tcp/${port(peer, use)}`;
  const members = identities.map(({ id }, i) => `${address(i, 0)}/p2p/${id}`);

  return Promise.all(
    names.map(async (name, i): Promise<DemoFolder> => {
      const base = initialService({ hostname: name, secret });
      const { raft, restapi, ipfsproxy } = base;
      const config: ServiceConfig = change({
        ...base,
        cluster: {
          ...base.cluster,
          listenMultiaddress: [address(i, 0)],
          monitorPingIntervalMs: 2_000,
          mdnsIntervalMs: 0,
        },
        raft: raft && { ...raft, initPeerset: identities.map(({ id }) => id) },
        restapi: restapi && { ...restapi, httpListenMultiaddress: [address(i, 1)] },
        ipfsproxy: ipfsproxy && { ...ipfsproxy, listenMultiaddress: [address(i, 2)], nodeMultiaddress: address(i, 3) },
        pinsvcapi: undefined,
        ipfshttp: { ...base.ipfshttp, nodeMultiaddress: address(i, 3), connectSwarmsDelayMs: 500 },
        embedded: {
          ...defaultsOf(embeddedSection),
          rpcListenMultiaddress: address(i, 3),
          swarmListenMultiaddress: [address(i, 4)],
        },
      });
      const folder = join(parent, name);
      const files = peerFolder(folder, config);
      const identity = identities[i] ?? (await createIdentity());
      await makeFolder(folder);
      await writeConfig(files, config);
      await writeIdentity(files.identityFile, identity);
      await writePeerstore(
        files.peerstoreFile,
        members.filter((_, other) => other !== i),
      );
      return {
        name,
        id: identity.id,
        folder,
        apiUrl: `http://127.0.0.1:${port(i, 1)}`,
        ipfsUrl: `http://127.0.0.1:${port(i, 3)}`,
        apiAddress: address(i, 1),
        proxyAddress: address(i, 2),
        ipfsAddress: address(i, 3),
      };
    }),
  );
}
