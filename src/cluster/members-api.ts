/** Questions to all members at once: who they are, how they are connected, what room they have. */
import { type Clock, errorCode, errorMessage } from '../base/index.ts';
import { type ConnectGraph, type Id, type IpfsRepoStat, methods, nothing, type PeerId } from '../model/index.ts';
import { Deadline } from './deadline.ts';
import type { CallOptions, Consensus, Rpc } from './ports.ts';

/** Limit for a member's answer. Source: Go `cluster.go` `Peers` (15 s). */
export const memberTimeoutMs = 15_000;
/** Text of the reference for an answer that did not come in time. */
const timedOutText = 'context deadline exceeded';
/** Ids taken from one member's list; a graph of more peers is cut. */
const idsPerMemberMax = 10_000;

export interface MemberCallDeps {
  readonly rpc: Rpc;
  readonly consensus: Consensus;
  readonly clock: Clock;
}

/** Ids of all members as they answer. Those that fail follow with the cause; those that do not let us ask are left out. */
export async function* idsOfMembers(
  deps: MemberCallDeps,
  members: readonly PeerId[],
  call: CallOptions,
): AsyncGenerator<Id, void> {
  const pending = new Map<PeerId, Promise<{ readonly peer: PeerId; readonly id: Id | undefined }>>();
  for (const peer of members) {
    pending.set(
      peer,
      idOfMember(deps, peer, call).then((id) => ({ peer, id })),
    );
  }
  const failed: Id[] = [];
  while (pending.size > 0) {
    const { peer, id } = await Promise.race(pending.values());
    pending.delete(peer);
    if (id === undefined) continue;
    if (id.error === '') yield id;
    else failed.push(id);
  }
  yield* failed;
}

/** Who is connected to whom, as the members themselves see it. */
export async function graphOfMembers(deps: MemberCallDeps, self: PeerId, call: CallOptions): Promise<ConnectGraph> {
  const members = await deps.consensus.peers();
  const idToPeername: Record<PeerId, string> = {};
  const ipfsLinks: Record<PeerId, readonly PeerId[]> = {};
  const clusterLinks: Record<PeerId, readonly PeerId[]> = {};
  const clusterTrustLinks: Record<PeerId, boolean> = {};
  const clusterToIpfs: Record<PeerId, PeerId> = {};
  for (const member of members) clusterTrustLinks[member] = deps.consensus.isTrustedPeer(member);
  const seen = await Promise.all(members.map((member) => peersSeenBy(deps, member, call)));
  const swarms = members.map(async (member, i) => {
    const ids = seen[i];
    clusterLinks[member] = (ids ?? []).filter((id) => id.id !== member).map((id) => id.id);
    if (ids === undefined) return;
    const own = ids.find((id) => id.id === member);
    idToPeername[member] = own?.peername ?? '';
    if (own?.ipfs === undefined || own.ipfs === null || own.ipfs.error !== '') return;
    clusterToIpfs[member] = own.ipfs.id;
    ipfsLinks[own.ipfs.id] = await swarmOf(deps, member, call);
  });
  await Promise.all(swarms);
  return { clusterId: self, idToPeername, ipfsLinks, clusterLinks, clusterTrustLinks, clusterToIpfs };
}

/** Room and use of all IPFS nodes together; members that do not answer do not count. */
export async function repoStatOfMembers(deps: MemberCallDeps, call: CallOptions): Promise<IpfsRepoStat> {
  const members = await deps.consensus.peers();
  const stats = await Promise.allSettled(
    members.map((peer) => deps.rpc.call(peer, methods.IPFSConnector.RepoStat, nothing, limited(call))),
  );
  let [repoSize, storageMax] = [0, 0];
  for (const stat of stats) {
    if (stat.status === 'rejected') continue;
    repoSize += stat.value.repoSize;
    storageMax += stat.value.storageMax;
  }
  return { repoSize, storageMax };
}

/** The caller's options with the limit of a member's answer. */
function limited(call: CallOptions): CallOptions {
  return { timeoutMs: memberTimeoutMs, ...call };
}

/** The text to show for a call that failed. */
export function failureText(error: unknown, deadline?: Deadline): string {
  if (deadline?.isExpired === true || errorCode(error) === 'rpc/timeout') return timedOutText;
  return errorMessage(error) || 'unknown error';
}

/** `undefined`: the member does not let us ask. */
async function idOfMember(deps: MemberCallDeps, peer: PeerId, call: CallOptions): Promise<Id | undefined> {
  const deadline = new Deadline(deps.clock, call.timeoutMs ?? memberTimeoutMs, call.signal);
  try {
    const answers = deps.rpc.stream(peer, methods.Cluster.IDStream, [nothing], { signal: deadline.signal });
    for await (const id of answers) return id;
    return failedId(peer, 'no answer');
  } catch (error) {
    if (errorCode(error) === 'rpc/authorization') return undefined;
    return failedId(peer, failureText(error, deadline));
  } finally {
    deadline.end();
  }
}

async function peersSeenBy(deps: MemberCallDeps, peer: PeerId, call: CallOptions): Promise<Id[] | undefined> {
  // The member itself waits for its members as long: a little more lets its answer arrive.
  const deadline = new Deadline(deps.clock, memberTimeoutMs + 5000, call.signal);
  const ids: Id[] = [];
  try {
    const answers = deps.rpc.stream(peer, methods.Cluster.Peers, [nothing], { signal: deadline.signal });
    for await (const id of answers) {
      if (id.error === '') ids.push(id);
      if (ids.length >= idsPerMemberMax) break;
    }
    return ids;
  } catch {
    // A member that cannot be asked has no links in the graph.
    return undefined;
  } finally {
    deadline.end();
  }
}

async function swarmOf(deps: MemberCallDeps, peer: PeerId, call: CallOptions): Promise<readonly PeerId[]> {
  try {
    return (await deps.rpc.call(peer, methods.IPFSConnector.SwarmPeers, nothing, limited(call))) ?? [];
  } catch {
    // Its IPFS node is down: no links.
    return [];
  }
}

function failedId(peer: PeerId, error: string): Id {
  return {
    id: peer,
    addresses: null,
    clusterPeers: null,
    clusterPeersAddresses: null,
    version: '',
    commit: '',
    rpcProtocolVersion: '',
    error,
    ipfs: null,
    peername: '',
  };
}
