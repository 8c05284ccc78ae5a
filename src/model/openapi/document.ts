/**
 * A description of an API in OpenAPI 3.1, from its table of routes and from the schemas of the types that print and read its JSON.
 * Source: OpenAPI Specification 3.1.0.
 */
import { assert } from '../../base/index.ts';
import type { JsonSchema } from '../json-schema.ts';
import type { Route, RouteParameter } from '../routes.ts';

/** What a table of routes does not say of a route. */
export interface Described {
  /** Routes of one tag are shown together. */
  readonly tag: string;
  /** Of the document, or of one line of a stream; absent for no body. */
  readonly answer?: JsonSchema;
  /** Default: JSON. */
  readonly contentType?: string;
  /** Default: 200, or 204 without an answer. */
  readonly status?: number;
  /** A body that the request must have. */
  readonly body?: { readonly contentType: string; readonly schema: JsonSchema };
  /** Further answers, by status. */
  readonly also?: Readonly<Record<number, string>>;
  /** What routes of its kind answer, and this one never does. */
  readonly never?: readonly (400 | 404)[];
}

/** What one API has of its own. */
export interface Description<Id extends string> {
  readonly title: string;
  /** Markdown. */
  readonly description: string;
  /** Of the program. */
  readonly version: string;
  readonly routes: readonly (Omit<Route, 'id'> & { readonly id: Id })[];
  readonly described: Readonly<Record<Id, Described>>;
  /** Of parameters, by name or by `<route id>.<name>`; in paths and in query strings. */
  readonly parameters: Readonly<Record<string, JsonSchema>>;
  readonly tags: Readonly<Record<string, string>>;
  /** Schemas that are shown by name wherever they occur. */
  readonly schemas: Readonly<Record<string, JsonSchema>>;
  /** The body of a failed request, one of `schemas`. */
  readonly error: JsonSchema;
  /** The last line of streams whose readers ask for one by `end-record`. */
  readonly lastLine?: JsonSchema;
}

/** A finished document, to be printed as JSON. */
export type OpenApiDocument = Readonly<Record<string, unknown>>;

/** Every route of the table is in it: alternatives in a path are paths of their own. */
export function openApiDocument<Id extends string>(description: Description<Id>): OpenApiDocument {
  const { title, version, description: text, routes, tags, schemas } = description;
  const names = new Map(Object.entries(schemas).map(([name, schema]) => [schema, name]));
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    for (const { path, words } of expanded(route.path)) {
      paths[path] ??= {};
      const operations = paths[path];
      operations[route.method.toLowerCase()] ??= operationOf(route, path, words, description, names);
    }
  }
  return {
    openapi: '3.1.0',
    info: { title, version, description: text, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: '/', description: 'The peer that serves this document' }],
    // The last one: a peer without configured credentials serves everybody.
    security: [{ basic: [] }, { bearer: [] }, {}],
    tags: Object.entries(tags).map(([name, summary]) => ({ name, description: summary })),
    paths,
    components: {
      securitySchemes: {
        basic: { type: 'http', scheme: 'basic', description: 'User and password of the configuration' },
        bearer: { type: 'http', scheme: 'bearer', description: 'A token of `POST /token`' },
      },
      schemas: Object.fromEntries(
        Object.entries(schemas).map(([name, schema]) => [name, { title: name, ...partsOf(schema, names) }]),
      ),
      responses: Object.fromEntries(
        Object.values(errors).map(([name, summary]) => [
          name,
          { description: summary, content: { [jsonType]: { schema: refer(description.error, names) } } },
        ]),
      ),
    },
  };
}

const jsonType = 'application/json';

/** Errors that many routes answer, by status: name and meaning. */
const errors = {
  400: ['BadRequest', 'The request cannot be understood; the text says what was expected'],
  401: ['Unauthorized', 'Credentials are configured, and the request has none that count'],
  403: ['Forbidden', 'The credentials may read only'],
  404: ['NotFound', 'What the request is about does not exist'],
  default: ['Failed', 'The peer could not do it; the text says why'],
} as const satisfies Record<string, readonly [name: string, summary: string]>;

/** One path for each alternative of words in it, in the form of OpenAPI. */
function expanded(path: string): readonly { readonly path: string; readonly words: readonly string[] }[] {
  const alternative = /\{\w+:([\w|]+)\}/.exec(path);
  if (alternative === null) return [{ path: path.replace(/\{(\w+):[^}]*\}/g, '{$1}'), words: [] }];
  return (alternative[1] ?? '')
    .split('|')
    .flatMap((word) =>
      expanded(path.replace(alternative[0], word)).map((rest) => ({ path: rest.path, words: [word, ...rest.words] })),
    );
}

type Names = ReadonlyMap<JsonSchema, string>;

function operationOf<Id extends string>(
  route: Omit<Route, 'id'> & { readonly id: Id },
  path: string,
  words: readonly string[],
  description: Description<Id>,
  names: Names,
): Record<string, unknown> {
  const { id, access, query, summary } = route;
  const described = description.described[id];
  const { tag, body, also = {}, never = [] } = described;
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => pathParameter(id, name, description));
  const inQuery = query.map((parameter) => queryParameter(id, parameter, description));
  const responses = successes(described, route, description.lastLine, names);
  for (const [status, text] of Object.entries(also)) responses[status] = { description: text };
  const statuses: (keyof typeof errors)[] = [
    ...(inPath.length + inQuery.length > 0 || body !== undefined ? ([400] as const) : []),
    ...(access === 'none' ? [] : ([401] as const)),
    ...(access === 'write' ? ([403] as const) : []),
    ...(inPath.length > 0 ? ([404] as const) : []),
    'default',
  ];
  const isNever = (status: keyof typeof errors): boolean => never.some((one) => one === status);
  for (const status of statuses.filter((one) => !isNever(one)))
    responses[status] ??= { $ref: `#/components/responses/${errors[status][0]}` };
  return {
    operationId: id + words.map((word) => `${word[0]?.toUpperCase()}${word.slice(1)}`).join(''),
    tags: [tag],
    summary,
    ...(access === 'none' ? { security: [] } : {}),
    ...(inPath.length + inQuery.length === 0 ? {} : { parameters: [...inPath, ...inQuery] }),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { [body.contentType]: { schema: refer(body.schema, names) } } } }),
    responses,
  };
}

function successes(
  described: Described,
  { reply, query }: Pick<Route, 'reply' | 'query'>,
  lastLine: JsonSchema | undefined,
  names: Names,
): Record<string, unknown> {
  const { answer, contentType = jsonType, status = answer === undefined ? 204 : 200 } = described;
  if (answer === undefined) return { [status]: { description: 'Done; no body' } };
  const isStream = reply === 'stream' && contentType === jsonType;
  const hasEnd = isStream && lastLine !== undefined && query.some(({ name }) => name === 'end-record');
  const schema = hasEnd ? { anyOf: [answer, lastLine] } : answer;
  const content = { [contentType]: { schema: refer(schema, names) } };
  if (!isStream) return { [status]: { description: 'The answer', content } };
  return {
    [status]: {
      description:
        'One document on each line, of this schema. What goes wrong later is told in the trailer `X-Stream-Error`.',
      headers: { Trailer: { description: '`X-Stream-Error`', schema: { type: 'string' } } },
      content,
    },
    204: { description: 'There is none' },
  };
}

function pathParameter<Id extends string>(id: Id, name: string, description: Description<Id>): object {
  return { name, in: 'path', required: true, schema: schemaOf(id, name, description) };
}

function queryParameter<Id extends string>(
  id: Id,
  { name, summary }: RouteParameter,
  description: Description<Id>,
): object {
  const schema = schemaOf(id, name, description);
  // Parameters whose names begin so, as many as one likes: the properties of an object that is taken apart.
  const open = name.endsWith('*') ? { style: 'form', explode: true } : {};
  return { name, in: 'query', description: summary, ...open, schema };
}

function schemaOf<Id extends string>(id: Id, name: string, { parameters }: Description<Id>): JsonSchema {
  const schema = parameters[`${id}.${name}`] ?? parameters[name];
  assert(schema !== undefined, `parameter ${name} of ${id} is described`);
  return schema;
}

/** A reference where the schema has a name, itself otherwise. */
function refer(schema: JsonSchema, names: Names): JsonSchema {
  const name = names.get(schema);
  return name === undefined ? partsOf(schema, names) : { $ref: `#/components/schemas/${name}` };
}

function partsOf(schema: JsonSchema, names: Names): JsonSchema {
  const { anyOf, items, properties, additionalProperties } = schema;
  return {
    ...schema,
    ...(anyOf === undefined ? {} : { anyOf: anyOf.map((part) => refer(part, names)) }),
    ...(items === undefined ? {} : { items: refer(items, names) }),
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties).map(([key, part]) => [key, refer(part, names)])) }),
    ...(typeof additionalProperties === 'object' ? { additionalProperties: refer(additionalProperties, names) } : {}),
  };
}
