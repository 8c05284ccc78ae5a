/** What the descriptions of all APIs have in common. */
import type { JsonSchema } from '../json-schema.ts';
import type { SharedRouteId } from '../routes.ts';
import { revocationAnswerType, tokenAnswerType } from '../schema/token.ts';
import type { Described } from './document.ts';

/** A schema with an example of its values. */
interface Exemplary extends JsonSchema {
  readonly examples: readonly [unknown, ...unknown[]];
}

export const cid: Exemplary = {
  type: 'string',
  description: 'A CID',
  examples: ['bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'],
};
export const peerId: Exemplary = {
  type: 'string',
  description: 'A peer id',
  examples: ['12D3KooWDgbURNzNJsMDzCUcGWutirMW464fi5x5m8CBn6iZRgvo'],
};
export const time: JsonSchema = { type: 'string', format: 'date-time', examples: ['2026-01-01T00:00:00Z'] };
export const flag: JsonSchema = { type: 'boolean', default: false };

export function text(example: string): JsonSchema {
  return { type: 'string', examples: [example] };
}

export function integer(minimum: number): JsonSchema {
  return { type: 'integer', minimum };
}

/** Routes that every API has. */
export const sharedRoutes: Readonly<Record<SharedRouteId, Described>> = {
  postToken: { tag: 'access', answer: tokenAnswerType.schema },
  postRevokeToken: {
    tag: 'access',
    answer: revocationAnswerType.schema,
    body: { contentType: 'application/json', schema: tokenAnswerType.schema },
  },
  getOpenApi: { tag: 'access', answer: { type: 'object', description: 'An OpenAPI document' } },
  getApiPage: { tag: 'access', answer: { type: 'string' }, contentType: 'text/html; charset=utf-8' },
  getApiAsset: { tag: 'access', answer: { type: 'string' }, contentType: '*/*', never: [400] },
  getHealth: { tag: 'health' },
};

export const sharedParameters: Readonly<Record<string, JsonSchema>> = {
  asset: { type: 'string', description: 'A file of the page', examples: ['page.js'] },
  'expires-in': { type: 'string', description: 'A duration', examples: ['24h'] },
  scope: { type: 'string', enum: ['read'] },
};

export const sharedSchemas: Readonly<Record<string, JsonSchema>> = {
  Token: tokenAnswerType.schema,
  Revocation: revocationAnswerType.schema,
};
