/** The HTTP API of a peer, as clients of the reference know it. */
export { bindRestApi, type RestApi, type RestDeps } from './server.ts';
