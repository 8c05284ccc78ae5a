/**
 * All commands, in the order of the help.
 */
import { add } from './add/add.ts';
import type { Command } from './command.ts';
import { completion } from './completion/completion.ts';
import { events } from './events.ts';
import { healthAlerts } from './health/alerts.ts';
import { healthBandwidth } from './health/bandwidth.ts';
import { healthGraph } from './health/graph.ts';
import { healthMetrics } from './health/metrics.ts';
import { healthPeers } from './health/peers.ts';
import { healthReplication } from './health/replication.ts';
import { id } from './id.ts';
import { ipfsGc } from './ipfs/gc.ts';
import { listOf } from './list.ts';
import { operations } from './operations.ts';
import { peersCordon, peersDrain, peersUncordon } from './peers/cordon.ts';
import { memberLs, peersLs } from './peers/ls.ts';
import { peersRm } from './peers/rm.ts';
import { pinAdd } from './pin/add.ts';
import { pinExplain } from './pin/explain.ts';
import { pinLs } from './pin/ls.ts';
import { pinRm } from './pin/rm.ts';
import { pinUpdate } from './pin/update.ts';
import { rebalance } from './rebalance.ts';
import { recover, sync } from './recover.ts';
import { status } from './status.ts';
import { tokenIssue } from './token/issue.ts';
import { tokenRevoke } from './token/revoke.ts';
import { versionCommand } from './version.ts';

export const programName = 'ipfs-cluster-ctl';

export const commands: readonly Command[] = [
  id,
  peersLs,
  peersRm,
  peersCordon,
  peersDrain,
  peersUncordon,
  memberLs,
  add,
  pinAdd,
  pinRm,
  pinUpdate,
  pinLs,
  pinExplain,
  rebalance,
  status,
  recover,
  sync,
  operations,
  versionCommand,
  healthGraph,
  healthMetrics,
  healthAlerts,
  healthBandwidth,
  healthReplication,
  healthPeers,
  ipfsGc,
  events,
  tokenIssue,
  tokenRevoke,
  completion,
  listOf(programName, () => commands),
];

/** What the first words of commands with two words are about. */
export const groups: Readonly<Record<string, string>> = {
  peers: 'Members of the cluster',
  member: 'Members of the cluster',
  pin: 'The pinset',
  health: 'Connections, metrics, alerts and replicas',
  ipfs: 'The IPFS nodes',
  token: 'Tokens, which stand for credentials',
};
