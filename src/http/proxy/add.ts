/**
 * `add`: content goes to the peers that will hold it, as with the API's own `POST /add`, and the client sees an IPFS node.
 * Source: Go `api/ipfsproxy/ipfsproxy.go` `addHandler`.
 *
 * What only an IPFS node can do, such as `inline` or `preserve-mode`, is left to the node, whose roots are pinned then.
 */
import { errorMessage } from '../../base/index.ts';
import { type AddedOutput, type AddParams, parseAddParams, parseQuery, timeFromNanos } from '../../model/index.ts';
import { closeAfterAnswer, readUpload, sendAdded, streamAdded, untilTruncated, uploadRefusal } from '../kit/index.ts';
import { ProxyError } from './errors.ts';
import { forward } from './forward.ts';
import type { Hijacked } from './hijacked.ts';
import { booleanOption, textOption } from './options.ts';
import { addThroughNode } from './pinned-uploads.ts';

/** Options that change CIDs, or where content is kept, and that adding to the cluster knows nothing of. */
const nodeFlags = ['inline', 'nocopy', 'preserve-mode', 'preserve-mtime'];
const nodeValues = [
  'max-directory-links',
  'max-file-links',
  'max-hamt-fanout',
  'mode',
  'mtime',
  'mtime-nsecs',
  'to-files',
];

/** Without a pin to make (`pin=false`, `no-pin`, `only-hash`) it is the node's alone. */
export async function add(call: Hijacked): Promise<void> {
  const { query, request, response, headers, cluster } = call;
  const isPinned = booleanOption(query, true, 'pin') && !booleanOption(query, false, 'no-pin');
  if (!isPinned || booleanOption(query, false, 'only-hash')) {
    await forward(call.upstream, request, response, call);
    return;
  }
  const refusal = uploadRefusal(request.headers['content-type']);
  if (refusal !== undefined) throw new ProxyError(500, `error reading request: ${refusal}`);
  const params = addParams(call);
  const isNodes =
    nodeFlags.some((name) => booleanOption(query, false, name)) || nodeValues.some((name) => isGiven(query, name));
  if (isNodes) {
    await addThroughNode(call, params);
    return;
  }
  closeAfterAnswer(request, response);
  const isSilent = booleanOption(query, false, 'silent');
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  const lines = async function* (): AsyncGenerator<string> {
    const options = { signal: gone.signal, asNode: true };
    for await (const output of cluster.add(untilTruncated(readUpload(request)), params, options)) {
      if (!isSilent) yield JSON.stringify(nodeLine(output, params.wrap));
    }
  };
  const failed = (error: unknown): { status: number; body: string } => {
    call.log.debug('upload through the proxy failed', { error: errorMessage(error) });
    return { status: 500, body: JSON.stringify({ Message: errorMessage(error), Code: 0, Type: 'error' }) };
  };
  // As Kubo, which tells a failure before the first line by the status.
  const answer = { response, headers, lines: lines(), failed, waits: true };
  await (params.streamChannels ? streamAdded(answer) : sendAdded(answer));
}

function nodeLine({ name, cid, bytes, size }: AddedOutput, isWrapped: boolean): object {
  if (cid === null) return { Name: name, ...(bytes === 0 ? {} : { Bytes: bytes }) };
  // Content without a name goes by its CID; the wrapping folder has no name.
  const text = cid.toString();
  return {
    Name: name === '' && !isWrapped ? text : name,
    Hash: text,
    ...(bytes === 0 ? {} : { Bytes: bytes }),
    Size: String(size),
  };
}

/** Options of the cluster work here as in its own `add`; a layout and a pin name of Kubo's count too. */
function addParams({ search, query }: Hijacked): AddParams {
  try {
    const params = parseAddParams(parseQuery(search), timeFromNanos(BigInt(Date.now()) * 1_000_000n));
    const name = params.pin.name === '' ? (textOption(query, 'pin-name') ?? '') : params.pin.name;
    const isTrickle = booleanOption(query, false, 'trickle');
    // Another hash than version 0 has makes it version 1, as in Kubo, unless the version is given.
    const isUpgraded = params.hash.toLowerCase() !== 'sha2-256' && !isGiven(query, 'cid-version');
    const rawLeaves = isUpgraded && !isGiven(query, 'raw-leaves') ? true : params.rawLeaves;
    return {
      ...params,
      pin: { ...params.pin, name },
      ...(isTrickle ? { layout: 'trickle' } : {}),
      ...(isUpgraded ? { cidVersion: 1, rawLeaves } : {}),
    };
  } catch (error) {
    throw new ProxyError(500, `error parsing options:${errorMessage(error)}`, error);
  }
}

function isGiven(query: URLSearchParams, name: string): boolean {
  return (textOption(query, name) ?? '') !== '';
}
