/** What all HTTP servers of a peer share: listening, limits, streamed lists; and the chain that its APIs share. */
export { type AccessLog, accessLine, openAccessLog, remoteHost } from './access-log.ts';
export { type AddAnswer, closeAfterAnswer, sendAdded, streamAdded, untilTruncated } from './add-answer.ts';
export { formatSocketAddress, parseSocketAddress, type SocketAddress } from './address.ts';
export { type ApiDefinition, type ApiDeps, type ApiOptions, type ApiRoute, type ApiServer, bindApi } from './api.ts';
export { ApiCall, sendJson, sendNothing } from './api-call.ts';
export { sendApiAsset, sendApiPage, sendOpenApi } from './api-page.ts';
export type { Credentials, Principal } from './auth.ts';
export type { CorsOptions } from './cors.ts';
export { HttpError } from './errors.ts';
export { type EventStreamPage, sendEvents } from './event-stream.ts';
export { isOriginAllowed } from './origin.ts';
export { RequestError } from './request-error.ts';
export {
  type BoundServer,
  bindServer,
  type HttpLimits,
  type HttpServerOptions,
} from './server.ts';
export { drained, headerSafe, type LineStreamOptions, sendLines } from './stream.ts';
export { libp2pHttpProtocol, StreamConnection } from './stream-connection.ts';
export type { TlsFiles } from './tls.ts';
export { issueToken, revokeToken } from './token-calls.ts';
export type { RequestHandler } from './turns.ts';
export { readUpload, type UploadPart, uploadRefusal } from './upload.ts';
