export { type Held, HeldIndex } from './held-index.ts';
export {
  type Instant,
  type Operation,
  type OperationKind,
  type OperationPhase,
  OperationTable,
  type OperationTableOptions,
  type Ticket,
  type WantResult,
} from './operations.ts';
