/**
 * Which row of the route table a request reaches.
 *
 * Rows are tried in their order, by which also 404 and 405 are told apart, as in the reference: a row whose path matches
 * but not its method makes it 405, and any later row with the request's method, whatever its path, makes it 404 again.
 * Source: gorilla/mux `Route.Match` (`ErrMethodMismatch`).
 */
export interface RoutePattern {
  readonly method: string;
  /** Segments in braces are parameters: `{name}` is one segment, `{name:a|b}` one of the words, `{name:.*}` the rest. */
  readonly path: string;
}

export type RouteMatch<R> =
  | { readonly status: 200; readonly route: R; readonly params: Readonly<Record<string, string | undefined>> }
  | { readonly status: 404 }
  | { readonly status: 405 };

/** Compiles the table once; the answer is a function of method and decoded path. */
export function createRouter<R extends RoutePattern>(
  table: readonly R[],
): (method: string, path: string) => RouteMatch<R> {
  const rows = table.map((route) => ({ route, expression: expressionOf(route.path) }));
  return (method, path) => {
    let status: 404 | 405 = 404;
    for (const { route, expression } of rows) {
      const match = expression.exec(path);
      if (match === null) {
        if (route.method === method) status = 404;
      } else if (route.method === method) {
        return { status: 200, route, params: match.groups ?? {} };
      } else {
        status = 405;
      }
    }
    return { status };
  };
}

function expressionOf(path: string): RegExp {
  const source = path.replace(/\{(\w+)(?::([^}]+))?\}|[^{}]+/g, (piece, name?: string, pattern?: string) =>
    name === undefined ? piece.replace(/[.*+?^$()|[\]\\]/g, '\\$&') : `(?<${name}>${pattern ?? '[^/]+'})`,
  );
  return new RegExp(`^${source}$`, 's');
}
