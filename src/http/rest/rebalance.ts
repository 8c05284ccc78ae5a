/** Rebalancing. Not in the reference. */
import { errorCode, errorMessage } from '../../base/index.ts';
import { type RebalanceEvent, rebalanceEventJson } from '../../model/index.ts';
import type { Context } from './context.ts';
import { RequestError, readFlag, sendItems } from './reply.ts';

const movesDefault = 1000;
/** Each is kept until the end, in some hundred bytes. */
const movesMax = 100_000;

/** `POST /rebalance`: a line for each move, then the summary. A client that goes away ends it: no more moves are begun. */
export function postRebalance(context: Context): Promise<unknown> {
  const options = { isDryRun: readFlag(context, 'dry-run'), movesMax: readMovesMax(context) };
  const events = context.cluster.rebalance(options, { signal: context.signal });
  return sendItems(context, refusing(events), rebalanceEventJson.print);
}

const statuses: Readonly<Record<string, number>> = { 'cluster/rebalancing': 409, 'cluster/minority': 503 };

async function* refusing(events: AsyncIterable<RebalanceEvent>): AsyncGenerator<RebalanceEvent, void> {
  try {
    yield* events;
  } catch (error) {
    const status = statuses[errorCode(error)];
    throw status === undefined ? error : new RequestError(status, errorMessage(error));
  }
}

function readMovesMax(context: Context): number {
  const text = context.query.get('max-moves');
  if (text === '') return movesDefault;
  const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= movesMax) return value;
  const expected = `a whole number from 1 to ${movesMax}`;
  throw new RequestError(400, `parameter max-moves: found ${JSON.stringify(text)}, expected ${expected}`);
}
