/** What clients saw, and whether it can be put into one order: the judge who trusts no log, no index and no peer. */
import { expect } from '../finding.ts';
import { judgeKey, type KeyOperation } from './linearizability.ts';

/** States looked at for one key before the search gives up. A failure, not a pass. */
const statesMax = 1_000_000;

interface Operation {
  kind: KeyOperation['kind'];
  readonly called: number;
  returned: number;
  value: string | undefined;
  readonly from?: string | undefined;
}

/** An operation that was begun; `undefined` values of writes are removals. */
export type OperationToken = Operation;

export class ClientHistory {
  readonly #byKey = new Map<string, Operation[]>();
  /** Numbers the events, so that no two are at the same moment. */
  #moment = 0;

  writeBegins(key: string, value: string | undefined): OperationToken {
    return this.#begins(key, { kind: 'write', called: ++this.#moment, returned: Infinity, value });
  }

  /** A write that is to happen over `from` only. */
  conditionalBegins(key: string, from: string, value: string | undefined): OperationToken {
    return this.#begins(key, { kind: 'cas', called: ++this.#moment, returned: Infinity, value, from });
  }

  readBegins(key: string): OperationToken {
    return this.#begins(key, { kind: 'read', called: ++this.#moment, returned: Infinity, value: undefined });
  }

  /** Until then its outcome is unknown. */
  writeEnds(operation: OperationToken): void {
    operation.returned = ++this.#moment;
  }

  readEnds(operation: OperationToken, value: string | undefined): void {
    operation.returned = ++this.#moment;
    operation.value = value;
  }

  /** A write that was not made, for it saw that there is nothing to remove. */
  sawNothing(operation: OperationToken): void {
    operation.kind = 'read';
    this.readEnds(operation, undefined);
  }

  /** A conditional write that was not made, for it saw something else. */
  sawAnother(operation: OperationToken): void {
    operation.kind = 'unlike';
    this.readEnds(operation, operation.from);
  }

  /** It has not happened and never will. */
  refused(key: string, operation: OperationToken): void {
    const operations = this.#byKey.get(key) ?? [];
    operations.splice(operations.indexOf(operation), 1);
  }

  /** Fails when no order explains what was seen of a key. */
  check(): void {
    for (const [key, operations] of this.#byKey) {
      const verdict = judgeKey(operations, statesMax);
      expect(verdict === 'linearizable', 'linearizable', () => {
        return `what clients saw of ${key} is ${verdict}: ${operations.map(describe).join(', ')}`;
      });
    }
  }

  #begins(key: string, operation: Operation): Operation {
    const operations = this.#byKey.get(key);
    if (operations === undefined) this.#byKey.set(key, [operation]);
    else operations.push(operation);
    return operation;
  }
}

function describe({ kind, called, returned, value, from }: Operation): string {
  const over = kind === 'cas' ? ` over ${from}` : '';
  return `${kind} ${value ?? 'nothing'}${over} ${called}-${returned === Infinity ? '?' : returned}`;
}
