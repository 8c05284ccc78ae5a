/** An OpenAPI document as tests read it. */

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly examples?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly schema: Schema;
}

export interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

export interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content & { readonly $ref?: string }>>;
}

export interface DescribedOperation {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/** In the order of the document. */
export function operationsOf(document: Readonly<Record<string, unknown>>): readonly DescribedOperation[] {
  const paths = document.paths as Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
}

/** A value of the schema, as its examples and its bounds tell; `undefined` when they tell none. */
export function sampleOf({ enum: words, examples, type, minimum }: Schema): unknown {
  if (examples !== undefined) return examples[0];
  if (words !== undefined) return words[0];
  if (type === 'boolean') return true;
  return type === 'integer' ? (minimum ?? 1) : undefined;
}
