export { createHost, type HostDeps, type HostOptions } from './host.ts';
export type { PubSubOptions } from './pubsub.ts';
