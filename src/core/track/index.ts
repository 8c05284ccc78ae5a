export { causeOf } from './cause.ts';
export { type Held, HeldIndex } from './held-index.ts';
export {
  type Failure,
  type Instant,
  type ListedOperation,
  type Operation,
  type OperationKind,
  OperationTable,
  type OperationTableOptions,
  type Ticket,
  type WantResult,
} from './operations.ts';
export { RequestSize } from './request-size.ts';
