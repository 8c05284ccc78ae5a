export { type AllocateRequest, allocate } from './allocate.ts';
