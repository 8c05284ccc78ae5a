export type { CtlIo } from './command.ts';
export { main } from './program.ts';
