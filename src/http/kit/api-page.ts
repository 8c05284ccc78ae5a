/**
 * An API's description, and a page to try it: Swagger UI, which the build puts beside the programs. Nothing of the page comes
 * from another host, and it may speak to no other.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { OpenApiDocument } from '../../model/index.ts';
import type { ApiCall } from './api-call.ts';
import { RequestError } from './request-error.ts';

/** Answers with a description in OpenAPI. */
export async function sendOpenApi(call: ApiCall, document: OpenApiDocument): Promise<void> {
  call.send(200, `${JSON.stringify(document)}\n`);
}

/** Answers with the page. */
export async function sendApiPage(call: ApiCall): Promise<void> {
  sendFile(call, 'text/html; charset=utf-8', page);
}

/** Answers with the file of the page that the path parameter `asset` names. */
export async function sendApiAsset(call: ApiCall): Promise<void> {
  const name = call.param('asset');
  if (name === scriptName) return sendFile(call, javascript, script);
  const type = assetTypes.get(name);
  if (type === undefined) throw new RequestError(404, 'not found');
  const folder = assetsFolder();
  if (folder === undefined)
    throw new RequestError(404, 'the files of this page are made by the build, which has not run');
  sendFile(call, type, await readFile(join(folder, name)));
}

const javascript = 'text/javascript; charset=utf-8';
/** Files of Swagger UI. */
const assetTypes: ReadonlyMap<string, string> = new Map([
  ['swagger-ui-bundle.js', javascript],
  ['swagger-ui.css', 'text/css; charset=utf-8'],
]);
const scriptName = 'page.js';

// Relative, so that it works behind a proxy that adds to the path.
const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="api/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="api/swagger-ui-bundle.js"></script>
<script src="api/${scriptName}"></script>
</body>
</html>
`;

const script = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#api',
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: 'none',
  onComplete: () => { document.title = document.querySelector('.title')?.firstChild?.textContent ?? document.title; },
});
`;

/** The styles of Swagger UI are in attributes too, and its pictures in data. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

function sendFile(call: ApiCall, type: string, content: string | Uint8Array): void {
  const { response, headers } = call;
  if (response.destroyed || response.headersSent) return;
  response.writeHead(200, {
    ...headers,
    'Content-Type': type,
    'Content-Security-Policy': policy,
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-cache',
  });
  response.end(content);
}

/** `dist/api` of the package, wherever in it this file has been built into. */
function assetsFolder(): string | undefined {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const assets = join(folder, 'dist', 'api');
    if (existsSync(assets)) return assets;
    if (dirname(folder) === folder) return undefined;
  }
}
