/** The HTTP API of a peer, as clients of the reference know it. */
export type { RestOptions } from './options.ts';
export { bindRestApi, type RestApi, type RestDeps } from './server.ts';
