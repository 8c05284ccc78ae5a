import { printable } from '../../../base/index.ts';
import { type OperationInfo, operationInfoJson, type Time, timeToNanos } from '../../../model/index.ts';
import type { Form } from '../command.ts';
import { relativeTime } from './relative-time.ts';

const peerWidth = 20;
const stateWidth = 13;

/** One operation in a line: what, where, how far, since when, and what holds it up. */
export function operationForm(now: Time): Form<OperationInfo> {
  return { json: operationInfoJson, text: (operation) => operationText(operation, timeToNanos(now)) };
}

function operationText(operation: OperationInfo, now: bigint): string {
  const { peer, peername, cid, name, type, phase, cause, error, since, attempts, nextTry, queue, position } = operation;
  const where = printable(peername === '' ? peer : peername).padEnd(peerWidth);
  if (cid === null) return `> ${where} : ${printable(error)}\n`;
  const parts = [`> ${where} : ${`${type} ${phase}`.toUpperCase().padEnd(stateWidth)}`];
  parts.push(name === '' ? `${cid}` : `${cid} ${printable(name)}`);
  if (since !== null) parts.push(`Since: ${relativeTime(timeToNanos(since), now)}`);
  parts.push(`Attempts: ${attempts}`);
  if (position > 0) parts.push(`Queue: ${queue} ${position}`);
  if (nextTry !== null) parts.push(`Next try: ${relativeTime(timeToNanos(nextTry), now)}`);
  if (cause !== 'none') parts.push(`${cause}: ${printable(error)}`);
  return `${parts.join(' | ')}\n`;
}
