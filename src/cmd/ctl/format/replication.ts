import { printable } from '../../../base/index.ts';
import { type PeerReplicas, type Replication, replicationJson } from '../../../model/index.ts';
import type { Form } from '../command.ts';

/** Pins by their number of replicas, and what each peer should hold. */
export const replicationForm: Form<Replication> = { json: replicationJson, text: replicationText };

const columns = [
  ['below min', 'belowMin'],
  ['at min', 'atMin'],
  ['above min', 'aboveMin'],
  ['full', 'full'],
  ['over max', 'overMax'],
] as const;

const classes = ['allocated', 'everywhere', 'shards'] as const;

function replicationText(replication: Replication): string {
  const { isVerified, meta, peers, unanswered } = replication;
  const rows = [
    ['', 'pins', ...columns.map(([title]) => title)],
    ...classes.map((name) => [name, ...cells(replication[name])]),
    ['all', ...cells(replication)],
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  let text = '';
  for (const row of rows) {
    const line = row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)));
    text += `${line.join('  ')}\n`;
  }
  if (meta > 0) text += `and ${meta} meta pins, which no peer holds\n`;
  for (const id of Object.keys(peers).sort()) {
    const peer = peers[id];
    if (peer !== undefined) text += `${printable(id)} | ${peerText(peer, isVerified)}\n`;
  }
  for (const id of Object.keys(unanswered).sort()) {
    text += `${printable(id)} | its pins are not known: ${printable(unanswered[id] ?? '')}\n`;
  }
  return text;
}

function cells(counts: Replication['allocated']): string[] {
  return [counts.pins, ...columns.map(([, name]) => counts[name])].map(String);
}

function peerText({ allocated, pinned, isMember, isAlive }: PeerReplicas, isVerified: boolean): string {
  const state = !isMember ? 'not a member' : isAlive ? 'alive' : 'missing';
  return `${state} | allocated: ${allocated}${isVerified ? ` | pinned: ${pinned}` : ''}`;
}
