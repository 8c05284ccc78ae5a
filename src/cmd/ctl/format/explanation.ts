import {
  type AllocationExplanation,
  allocationExplanationJson,
  formatGoDuration,
  type JudgedMetric,
  type JudgedPeer,
} from '../../../model/index.ts';
import type { Form } from '../command.ts';
import { bytesText } from './bytes.ts';
import { columnsText } from './columns.ts';

/** Which peers a pin would get: the decision, then a line for each peer. */
export const explanationForm: Form<AllocationExplanation> = { json: allocationExplanationJson, text: explanationText };

function explanationText(explanation: AllocationExplanation): string {
  const { cid, isPinned, replicationFactorMin: min, replicationFactorMax: max, outcome, error } = explanation;
  const by = explanation.allocateBy ?? [];
  const chosen = explanation.allocations ?? [];
  const where = outcome === 'everywhere' ? 'everywhere' : outcome === 'failed' ? 'nowhere' : chosen.join(' ');
  const lines = [
    `${cid}: ${isPinned ? 'is pinned' : 'is not pinned yet'}`,
    `  Repl. Factor: ${min}--${max}, by ${by.join(', ')}`,
    `  Allocations: [${where}] (${outcome})`,
    `  ${explanation.reason}`,
    ...(error === '' ? [] : [`  Error: ${error}`]),
  ];
  const names = [...new Set(['ping', ...by])];
  const head = ['PEER', 'CHOSEN', 'CLASS', ...names, 'REASON'];
  const rows = (explanation.peers ?? []).map((peer) => rowOf(peer, names, explanation.decidedAt));
  return `${lines.join('\n')}\n${columnsText([head, ...rows], '  ')}`;
}

function rowOf(
  { peer, peername, class: kind, isChosen, reason, metrics }: JudgedPeer,
  names: readonly string[],
  at: bigint,
): string[] {
  const cells = names.map((name) => {
    const metric = metrics?.find((candidate) => candidate.name === name);
    return metric === undefined ? '-' : metricText(metric, at);
  });
  return [peername === '' ? peer : `${peername} ${peer.slice(-6)}`, isChosen ? 'yes' : 'no', kind, ...cells, reason];
}

/** The value, its weight where that says more, and how long it is good or has not been. */
function metricText({ name, value, weight, expire, isStale }: JudgedMetric, at: bigint): string {
  const leftMs = Number((expire - at) / 1_000_000_000n) * 1000;
  const age = isStale ? `stale ${formatGoDuration(Math.max(0, -leftMs))}` : `${formatGoDuration(leftMs)} left`;
  if (name === 'ping') return age;
  const shown = name === 'freespace' && weight > 0n ? bytesText(weight) : value;
  const isSaid = weight === 0n || name === 'freespace' || value === String(weight);
  return `${shown}${isSaid ? '' : ` weight ${weight}`}, ${age}`;
}
