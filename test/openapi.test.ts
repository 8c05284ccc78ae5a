/** The descriptions of the APIs are OpenAPI 3.1 that a linter has nothing to say about, and have every route. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { pinsvcOpenApi, pinsvcRoutes, restOpenApi, routes } from '../src/model/index.ts';
import { operationsOf } from './support/openapi.ts';

const apis = [
  { name: 'REST API', document: restOpenApi('1.2.3'), rows: routes },
  { name: 'pinning service', document: pinsvcOpenApi('1.2.3'), rows: pinsvcRoutes },
];

for (const { name, document, rows } of apis) {
  test(`${name}: a linter finds nothing`, async () => {
    const config = await createConfig({
      extends: ['recommended'],
      rules: {
        // The reference has `/pins/{hash}/recover` beside `/pins/ipfs/{path}`; no hash is called ipfs.
        'no-ambiguous-paths': 'off',
        // `GET /health` never fails.
        'operation-4xx-response': 'off',
        'operation-operationId': 'error',
        'operation-operationId-unique': 'error',
        'no-unused-components': 'error',
        'no-invalid-media-type-examples': 'error',
        'no-invalid-schema-examples': 'error',
      },
    });
    const problems = await lintFromString({
      source: JSON.stringify(document),
      absoluteRef: '/openapi.json',
      config,
    });
    assert.deepEqual(
      problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`),
      [],
    );
  });

  test(`${name}: every route is described, with its parameters, and nothing else is`, () => {
    const described = operationsOf(document).map(({ method, path, operation }) => {
      const parameters = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query');
      return `${method} ${path} ${parameters.map((parameter) => parameter.name).join(',')}`;
    });
    const due = rows.flatMap(({ method, path, query }) => {
      const [, words] = /\{\w+:([\w|]+)\}/.exec(path) ?? [];
      const parts = words === undefined ? [path] : words.split('|').map((word) => path.replace(/\{\w+:[\w|]+\}/, word));
      return parts.map((part) => `${method} ${part.replace(':.*', '')} ${query.map((one) => one.name).join(',')}`);
    });
    assert.deepEqual(described.sort(), due.sort());
  });
}
