import {
  type RebalanceEvent,
  type RebalanceMove,
  type RebalanceSummary,
  rebalanceEventJson,
} from '../../../model/index.ts';
import type { Form } from '../command.ts';
import { columnsText } from './columns.ts';

/** A move, or what all of them came to. */
export const rebalanceForm: Form<RebalanceEvent> = {
  json: rebalanceEventJson,
  text: ({ move, summary }) =>
    (move === null ? '' : moveText(move)) + (summary === null ? '' : `\n${summaryText(summary)}`),
};

function moveText({ cid, from, to, why, state }: RebalanceMove): string {
  return `${cid}: ${from} -> ${to} | ${why} | ${state.toUpperCase()}\n`;
}

function summaryText({ isDryRun, planned, moved, skipped, failed, isCut, shares }: RebalanceSummary): string {
  const rows = (shares ?? []).map(({ peer, peername, takesPart, before, after }) => {
    const name = peername === '' ? peer : `${peername} ${peer.slice(-6)}`;
    const change = after - before;
    return [name, `${before}`, `${after}`, change > 0 ? `+${change}` : `${change}`, takesPart ? 'yes' : 'no'];
  });
  const counts = isDryRun
    ? `${planned} ${planned === 1 ? 'move' : 'moves'} planned, none made`
    : `${moved} of ${planned} moved, ${skipped} skipped, ${failed} failed`;
  const more = isCut ? '; there can be more to do: run it again, or with more --max-moves' : '';
  return `${columnsText([['PEER', 'BEFORE', 'AFTER', 'CHANGE', 'TAKES PART'], ...rows], '')}${counts}${more}\n`;
}
