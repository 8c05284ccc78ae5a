/**
 * The peers answer as their descriptions say: every operation is called, once as it is and once with each of its parameters, and
 * status, type and body of the answer are compared with the document that the peer itself serves.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { addText } from '../../src/cmd/service/demo/content.ts';
import { pinsvcOpenApi, restOpenApi } from '../../src/model/index.ts';
import { type DescribedOperation, operationsOf, type Parameter, sampleOf } from '../support/openapi.ts';
import { cidNumber } from '../support/pins.ts';
import { type PinningPeers, startPinningPeers } from '../support/pinsvc.ts';

const credentials = { alice: 'secret1' };
const basic = (user: string): string => `Basic ${Buffer.from(user).toString('base64')}`;
const authorization = basic('alice:secret1');
const readOnlyCredentials = { bob: 'hunter2' };

/** Operations that cannot succeed here, and why; their answers are checked all the same. */
const unsuccessful: Readonly<Record<string, string>> = {
  postPinPathIpns: 'the nodes resolve no names of others',
  postPinPathIpld: 'the nodes resolve no paths of IPLD',
  deletePinPathIpns: 'as it cannot be pinned',
  deletePinPathIpld: 'as it cannot be pinned',
};

/** Answers that are described and cannot be had here. */
const unseen: Readonly<Record<string, readonly string[]>> = {
  // There is always a peer, a pin, a file, something that could be moved.
  getPeers: ['204'],
  getAllocations: ['204'],
  postAdd: ['204'],
  postRebalance: ['204'],
  // See `unsuccessful`.
  postPinPathIpns: ['200'],
  deletePinPathIpns: ['200', '404'],
};

/** What is not as the description's examples have it. */
interface CallOptions {
  readonly parameter?: Parameter;
  /** Of the parameter. */
  readonly value?: string;
  readonly pathValue?: string;
  readonly authorization?: string;
  readonly body?: string;
}

/** What must come first, because others undo it. */
const last = /^(delete|remove|replace|postRevokeToken)/;

let peers: PinningPeers;
/** Content that a node has. */
let held = '';
let peer = '';
const missing = cidNumber(1).toString();
/** CIDs of nothing, by number. */
let unknown = 1;
const unknownPeer = '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5';

before(async () => {
  peers = await startPinningPeers({
    count: 1,
    pinsvcapi: { basicAuthCredentials: credentials, readOnlyCredentials },
    change: (config) => ({
      ...config,
      restapi: config.restapi && { ...config.restapi, basicAuthCredentials: credentials, readOnlyCredentials },
      ipfshttp: { ...config.ipfshttp, pinTimeoutMs: 5_000 },
    }),
  });
  const [first] = peers.peers;
  assert.ok(first !== undefined);
  held = await addText(first.ipfsUrl, 'described content');
  ({ id: peer } = (await (await get(`${first.apiUrl}/id`)).json()) as { id: string });
});
after(() => peers?.end());

const get = (url: string): Promise<Response> => fetch(url, { headers: { authorization } });

const apis = [
  { name: 'REST API', document: restOpenApi('0'), base: (): string => peers.peers[0]?.apiUrl ?? '' },
  { name: 'pinning service', document: pinsvcOpenApi('0'), base: (): string => peers.services[0] ?? '' },
];

for (const { name, document, base } of apis) {
  describe(`${name} as it describes itself`, () => {
    let validate: (pointer: readonly string[]) => ValidateFunction;
    before(async () => {
      const served = (await (await get(`${base()}/openapi.json`)).json()) as typeof document;
      assert.deepEqual(operationsOf(served), operationsOf(document));
      const ajv = addFormats.default(new Ajv2020.default({ strict: false, validateSchema: false }));
      ajv.addSchema(closed(served) as object, 'api');
      validate = (pointer) => {
        const compiled = ajv.compile({ $ref: `api#/${pointer.map(escaped).join('/')}` });
        return compiled;
      };
    });

    const operations = operationsOf(document);
    const inOrder = [...operations].sort(
      (a, b) => Number(last.test(a.operation.operationId)) - Number(last.test(b.operation.operationId)),
    );
    for (const described of inOrder) {
      const { method, path, operation } = described;
      it(`${method} ${path}`, async () => {
        const { operationId, parameters = [] } = operation;
        const why = unsuccessful[operationId];
        const status = await call(described, {});
        assert.ok(why !== undefined || status < 300, `${status}`);
        const seen = new Set([status]);
        const see = async (options: CallOptions): Promise<unknown> => seen.add(await call(described, options));
        for (const parameter of parameters.filter((one) => one.in === 'query')) {
          await see({ parameter });
          await see({ parameter, value: 'no%such' });
        }
        // One that no other operation has pinned.
        unknown += 1;
        for (const value of ['no such', cidNumber(unknown).toString(), unknownPeer]) {
          await see({ pathValue: value });
          for (const parameter of parameters.filter((one) => one.name === 'local'))
            await see({ pathValue: value, parameter });
        }
        for (const user of ['', basic('bob:hunter2')]) await see({ authorization: user });
        if (operation.requestBody !== undefined) await see({ body: '{' });
        const due = Object.keys(operation.responses).filter((code) => !seen.has(Number(code)) && code !== 'default');
        assert.deepEqual(due, [...(unseen[operationId] ?? [])], 'answers that are described and never come');
      });
    }

    async function call({ method, path, operation }: DescribedOperation, options: CallOptions): Promise<number> {
      const { operationId, parameters = [] } = operation;
      const { parameter } = options;
      await prepare(base(), operationId);
      let url = path;
      for (const one of parameters.filter((inPath) => inPath.in === 'path')) {
        url = url.replace(`{${one.name}}`, encodeURIComponent(options.pathValue ?? pathValue(operationId, one)));
      }
      const value =
        parameter && (options.value === undefined ? queryValue(parameter) : { [parameter.name]: options.value });
      const query = value === undefined ? '' : `?${new URLSearchParams(value)}`;
      const user = options.authorization ?? authorization;
      const response = await fetch(`${base()}${url}${query}`, {
        method,
        headers: user === '' ? {} : { authorization: user },
        ...(options.body === undefined
          ? await requestBody(base(), operation.requestBody?.content)
          : { body: options.body }),
      });
      const isEndless = response.headers.get('content-type') === 'text/event-stream';
      const body = isEndless ? '' : await response.text();
      if (isEndless) await response.body?.cancel();
      const told = `${method} ${url}${query}: ${response.status} ${body.slice(0, 500)}`;
      const answer = operation.responses[response.status] ?? operation.responses.default;
      assert.ok(answer !== undefined, told);
      // Every success is described by its own status, never as what may go wrong.
      assert.ok(response.status >= 400 || String(response.status) in operation.responses, told);
      const pointer =
        answer.$ref === undefined
          ? ['paths', path, method.toLowerCase(), 'responses', String(response.status)]
          : answer.$ref.slice(2).split('/');
      const content = answer.$ref === undefined ? answer.content : await referred(pointer);
      const [type] = Object.keys(content ?? {});
      if (type === undefined) {
        assert.equal(body, '', told);
        return response.status;
      }
      if (type !== '*/*') assert.equal(response.headers.get('content-type'), type, told);
      if (type !== 'application/json') return response.status;
      const check = validate([...pointer, 'content', type, 'schema']);
      const texts = path === '/openapi.json' ? [] : body.split('\n').filter((line) => line !== '');
      for (const text of texts) {
        // `stream-channels=false` makes one list of the lines.
        const value: unknown = JSON.parse(text);
        const isLines = parameter?.name === 'stream-channels' && Array.isArray(value);
        for (const one of isLines ? value : [value]) assert.ok(check(one), `${told}\n${JSON.stringify(check.errors)}`);
      }
      return response.status;
    }

    async function referred(pointer: readonly string[]) {
      let at: unknown = document;
      for (const key of pointer) at = (at as Record<string, unknown>)[key];
      return (at as { content?: Readonly<Record<string, object>> }).content;
    }
  });
}

/** What the operation is about is there. */
async function prepare(base: string, operationId: string): Promise<void> {
  if (!/^(getAllocation$|getPin$|delete|remove|replace|postRecover$)/.test(operationId)) return;
  if (operationId === 'deletePeer') return;
  const isService = base === peers.services[0];
  const response = await fetch(isService ? `${base}/pins` : `${base}/pins/${held}`, {
    method: 'POST',
    headers: { authorization },
    ...(isService ? { body: JSON.stringify({ cid: held }) } : {}),
  });
  assert.ok(response.ok, await response.text());
}

function pathValue(operationId: string, { name, schema }: Parameter): string {
  if (name === 'hash' || name === 'requestid' || name === 'path') return held;
  // Somebody who is no member, so that the peer is not lost.
  if (name === 'peer') return operationId === 'deletePeer' ? String(sampleOf(schema)) : peer;
  return String(sampleOf(schema) ?? '');
}

function queryValue({ name, schema }: Parameter): Record<string, string> {
  // An update of a pin that is there.
  if (name === 'pin-update') return { [name]: held };
  const value = sampleOf(schema) ?? '';
  if (typeof value === 'object') return Object.fromEntries(Object.entries(value));
  return { [name]: String(value) };
}

async function requestBody(base: string, content: Readonly<Record<string, unknown>> | undefined): Promise<RequestInit> {
  const [type] = Object.keys(content ?? {});
  if (type === undefined) return {};
  if (type === 'multipart/form-data') {
    const form = new FormData();
    form.set('file', new Blob(['content']), 'name.txt');
    return { body: form };
  }
  const { token } = (await (
    await fetch(`${base}/token?expires-in=1h`, { method: 'POST', headers: { authorization } })
  ).json()) as { token: string };
  // Whatever a body asks for: unknown fields are ignored.
  return { body: JSON.stringify({ peer_id: peer, token, cid: missing, name: 'described' }) };
}

/** The document with every object closed: what is answered must be described. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const parts = Object.fromEntries(Object.entries(value).map(([key, part]) => [key, closed(part)]));
  const isOpen = 'properties' in parts && 'type' in parts && !('additionalProperties' in parts);
  return isOpen ? { ...parts, additionalProperties: false } : parts;
}

function escaped(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
}
