/** The statuses of all pins on this peer, by walking along the pinset with the operations beside it, both in key order. */
import type { Operation, OperationTable } from '../../core/track/index.ts';
import type { PinHeader, StatusFilter, StatusRow, StoredPin } from '../../model/index.ts';
import { matchesFilter, type RowState } from './row.ts';

export interface StatusPagesDeps {
  /** Absent: nothing but operations can have the wanted statuses. */
  readonly pages: AsyncIterable<readonly StoredPin[]> | undefined;
  /** State key behind which the list begins, as `pages` do; absent: it is the whole list. */
  readonly after?: string | undefined;
  readonly operations: OperationTable;
  readonly stateOfOperation: (operation: Operation) => RowState;
  /** The state of a pin without an operation. */
  readonly stateOf: (pin: StoredPin) => Pick<RowState, 'status' | 'error'>;
}

/** Holds one page at a time, and the keys of the operations that there were at the beginning. */
export async function* statusPages(
  filter: StatusFilter,
  { pages, after, operations, stateOfOperation, stateOf }: StatusPagesDeps,
): AsyncGenerator<readonly StatusRow[], void> {
  const begun = [...operations.all()].flatMap(({ key }) => (after === undefined || key > after ? key : [])).sort();
  let at = 0;
  let rows: StatusRow[] = [];
  const add = (row: StatusRow | undefined): void => {
    if (row !== undefined && matchesFilter(row.status, filter)) rows.push(row);
  };
  const operationRow = (key: string, pin?: StoredPin): StatusRow | undefined => {
    const operation = operations.get(key);
    return operation && rowOfState(key, pin ?? operation.pin, stateOfOperation(operation));
  };
  /** Operations on pins that have left the pinset have no other place in the order than their key. */
  const addBelow = (end: string | undefined): void => {
    for (let key = begun[at]; key !== undefined; key = begun[++at]) {
      if (end !== undefined && key > end) return;
      // That of the pin itself is looked up below.
      if (key !== end) add(operationRow(key));
    }
  };
  for await (const page of pages ?? []) {
    for (const pin of page) {
      if (at < begun.length) addBelow(pin.key);
      const row = operations.isEmpty ? undefined : operationRow(pin.key, pin);
      add(row ?? rowOfState(pin.key, pin, stateOf(pin)));
    }
    if (rows.length > 0) yield rows;
    rows = [];
  }
  addBelow(undefined);
  if (rows.length > 0) yield rows;
}

/** @param state without a time it has that of the pin */
function rowOfState(
  key: string,
  pin: PinHeader,
  {
    status,
    timestamp,
    error = '',
    attemptCount = 0,
    isPriority = false,
  }: Omit<RowState, 'timestamp'> & Partial<RowState>,
): StatusRow {
  return { key, status, timestamp, error, attemptCount, priorityPin: isPriority, pin };
}
