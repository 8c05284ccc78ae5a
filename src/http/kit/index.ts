/** What all HTTP servers of a peer share: listening, limits, streamed lists, cross-origin rules. */
export { formatSocketAddress, parseSocketAddress, type SocketAddress } from './address.ts';
export { type CorsAnswer, type CorsOptions, type CorsRequest, corsAnswer } from './cors.ts';
export { HttpError } from './errors.ts';
export { isOriginAllowed } from './origin.ts';
export {
  type BoundServer,
  bindServer,
  type HttpLimits,
  type HttpServerOptions,
  type RequestHandler,
  type TlsFiles,
} from './server.ts';
export { headerSafe, type LineStreamOptions, sendLines } from './stream.ts';
export { readUpload, type UploadPart, uploadRefusal } from './upload.ts';
