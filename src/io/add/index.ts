/** Adding content to the cluster. */
export { type AdderDeps, createAdder } from './adder.ts';
export type { AddErrorCode } from './errors.ts';
