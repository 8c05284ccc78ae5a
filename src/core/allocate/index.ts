/** Which peers hold a pin, and why. */
export { allocate } from './allocate.ts';
export { type ExplainedDecision, explainAllocation, whyNot } from './explain.ts';
export { type PlannedMove, RebalancePlanner } from './rebalance.ts';
export type { AllocateRequest, MemberFacts } from './request.ts';
