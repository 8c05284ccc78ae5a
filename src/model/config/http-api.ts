/** Sections `api.restapi` and `api.pinsvcapi`, which have the same keys. Source: Go `api/common/config.go`. */

import type { Problem, Section } from './field.ts';
import { atLeast0, between, field } from './field.ts';
import {
  booleanKind,
  durationKind,
  integerKind,
  listMapKind,
  multiaddrListKind,
  nullableTextMapKind,
  peerIdKind,
  textKind,
  textListKind,
} from './kind.ts';
import type { HttpApiConfig } from './types.ts';

/** Smaller ones break clients with long credentials; the Go peer refuses them too. */
export const headerBytesMin = 4096;

export const restapiSection: Section<HttpApiConfig> = httpApiSection('restapi', '/ip4/127.0.0.1/tcp/9094');
export const pinsvcapiSection: Section<HttpApiConfig> = httpApiSection('pinsvcapi', '/ip4/127.0.0.1/tcp/9097');

function httpApiSection(name: string, listen: string): Section<HttpApiConfig> {
  return {
    path: `api.${name}`,
    envPrefix: `CLUSTER_${name.toUpperCase()}`,
    fields: {
      httpListenMultiaddress: field('http_listen_multiaddress', multiaddrListKind, {
        initial: [listen],
        missing: 'default',
      }),
      sslCertFile: field('ssl_cert_file', textKind, { initial: '', missing: 'zero', isOmitted: true }),
      sslKeyFile: field('ssl_key_file', textKind, { initial: '', missing: 'zero', isOmitted: true }),
      readTimeoutMs: field('read_timeout', durationKind, { initial: 0, missing: 'unset', limit: atLeast0 }),
      readHeaderTimeoutMs: field('read_header_timeout', durationKind, {
        initial: 5000,
        missing: 'unset',
        limit: atLeast0,
      }),
      writeTimeoutMs: field('write_timeout', durationKind, { initial: 0, missing: 'unset', limit: atLeast0 }),
      idleTimeoutMs: field('idle_timeout', durationKind, { initial: 120_000, missing: 'unset', limit: atLeast0 }),
      maxHeaderBytes: field('max_header_bytes', integerKind, {
        initial: headerBytesMin,
        missing: 'default',
        limit: between(headerBytesMin, Number.POSITIVE_INFINITY),
      }),
      libp2pListenMultiaddress: field('libp2p_listen_multiaddress', multiaddrListKind, {
        initial: [],
        missing: 'zero',
        isOmitted: true,
      }),
      id: field('id', peerIdKind, { initial: '', missing: 'zero', isOmitted: true }),
      privateKey: field('private_key', textKind, { initial: '', missing: 'zero', isOmitted: true, isHidden: true }),
      basicAuthCredentials: field('basic_auth_credentials', nullableTextMapKind, {
        initial: null,
        missing: 'zero',
        limit: {
          words: 'null, or an object with at least one entry',
          holds: (value) => value === null || Object.keys(value).length > 0,
        },
        isHidden: true,
      }),
      // Ours, as is the next: the Go peer ignores keys that it does not know.
      readOnlyCredentials: field('read_only_credentials', nullableTextMapKind, {
        initial: null,
        missing: 'zero',
        limit: {
          words: 'null, or an object with at least one entry',
          holds: (value) => value === null || Object.keys(value).length > 0,
        },
        isHidden: true,
        isOmitted: true,
      }),
      rateLimitPerMinute: field('rate_limit_per_minute', integerKind, {
        initial: 0,
        missing: 'zero',
        limit: atLeast0,
        isOmitted: true,
      }),
      httpLogFile: field('http_log_file', textKind, { initial: '', missing: 'zero' }),
      headers: field('headers', listMapKind, { initial: {}, missing: 'zero' }),
      corsAllowedOrigins: field('cors_allowed_origins', textListKind, { initial: ['*'], missing: 'zero' }),
      corsAllowedMethods: field('cors_allowed_methods', textListKind, { initial: ['GET'], missing: 'zero' }),
      corsAllowedHeaders: field('cors_allowed_headers', textListKind, { initial: [], missing: 'zero' }),
      corsExposedHeaders: field('cors_exposed_headers', textListKind, {
        initial: ['Content-Type', 'X-Stream-Output', 'X-Chunked-Output', 'X-Content-Length'],
        missing: 'zero',
      }),
      corsAllowCredentials: field('cors_allow_credentials', booleanKind, { initial: true, missing: 'zero' }),
      corsMaxAgeMs: field('cors_max_age', durationKind, { initial: 0, missing: 'unset', limit: atLeast0 }),
    },
    check: (value) => checkTls(value) ?? checkLibp2p(value),
  };
}

function checkTls({ sslCertFile, sslKeyFile }: HttpApiConfig): Problem | undefined {
  if ((sslCertFile === '') === (sslKeyFile === '')) return undefined;
  const key = sslCertFile === '' ? 'ssl_cert_file' : 'ssl_key_file';
  return { key, found: '', expected: 'a file, because the other one of ssl_cert_file and ssl_key_file is set' };
}

function checkLibp2p({ id, privateKey, libp2pListenMultiaddress: listen }: HttpApiConfig): Problem | undefined {
  const isSet = { id: id !== '', private_key: privateKey !== '', libp2p_listen_multiaddress: listen.length > 0 };
  const missing = Object.entries(isSet).find(([, set]) => !set);
  if (missing === undefined || Object.values(isSet).every((set) => !set)) return undefined;
  return { key: missing[0], found: '', expected: 'all or none of id, private_key and libp2p_listen_multiaddress' };
}
