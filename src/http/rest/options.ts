/** Settings of the HTTP API. Source: Go `api/common/config.go`. */
import type { CorsOptions, HttpLimits, TlsFiles } from '../kit/index.ts';
import type { Credentials } from './auth.ts';

/** Settings of the HTTP API. */
export interface RestOptions {
  /** Multiaddrs to listen on. */
  readonly listen: readonly string[];
  readonly limits: HttpLimits;
  readonly tls?: TlsFiles;
  /** Absent: everybody may do everything. */
  readonly credentials?: Credentials;
  readonly cors: CorsOptions;
  /** Added to every answer of a handler, name to values. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
}
