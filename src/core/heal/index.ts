/** Healing: who is lost, and what becomes of a pin when holders are lost, come back or are emptied. */
export { decideHolders, type HealDecision, type HealRequest, type HolderWord, type Standing } from './decide.ts';
export { type Life, type LivenessOptions, LivenessWatch, type MemberLife } from './liveness.ts';
