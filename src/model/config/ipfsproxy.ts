/** Section `api.ipfsproxy`. Source: Go `api/ipfsproxy/config.go`. */

import type { Section } from './field.ts';
import { atLeast0, between, field } from './field.ts';
import { headerBytesMin } from './http-api.ts';
import {
  booleanKind,
  durationKind,
  integerKind,
  multiaddrKind,
  multiaddrListKind,
  textKind,
  textListKind,
} from './kind.ts';
import type { IpfsProxyConfig } from './types.ts';

export const ipfsproxySection: Section<IpfsProxyConfig> = {
  path: 'api.ipfsproxy',
  envPrefix: 'CLUSTER_IPFSPROXY',
  fields: {
    listenMultiaddress: field('listen_multiaddress', multiaddrListKind, {
      initial: ['/ip4/127.0.0.1/tcp/9095'],
      missing: 'default',
    }),
    nodeMultiaddress: field('node_multiaddress', multiaddrKind, {
      initial: '/ip4/127.0.0.1/tcp/5001',
      missing: 'default',
    }),
    nodeHttps: field('node_https', booleanKind, { initial: false, missing: 'default', isOmitted: true }),
    logFile: field('log_file', textKind, { initial: '', missing: 'default' }),
    readTimeoutMs: field('read_timeout', durationKind, { initial: 0, missing: 'unset', limit: atLeast0 }),
    readHeaderTimeoutMs: field('read_header_timeout', durationKind, {
      initial: 5000,
      missing: 'unset',
      limit: atLeast0,
    }),
    writeTimeoutMs: field('write_timeout', durationKind, { initial: 0, missing: 'unset', limit: atLeast0 }),
    idleTimeoutMs: field('idle_timeout', durationKind, { initial: 60_000, missing: 'unset', limit: atLeast0 }),
    maxHeaderBytes: field('max_header_bytes', integerKind, {
      initial: headerBytesMin,
      missing: 'default',
      limit: between(headerBytesMin, Number.POSITIVE_INFINITY),
    }),
    extractHeadersExtra: field('extract_headers_extra', textListKind, {
      initial: [],
      missing: 'default',
      isOmitted: true,
    }),
    extractHeadersPath: field('extract_headers_path', textKind, {
      initial: '/api/v0/version',
      missing: 'default',
      isOmitted: true,
    }),
    extractHeadersTtlMs: field('extract_headers_ttl', durationKind, {
      initial: 300_000,
      missing: 'unset',
      limit: atLeast0,
      isOmitted: true,
    }),
  },
};
