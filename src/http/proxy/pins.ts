/**
 * `pin/add`, `pin/rm`, `pin/update` on the cluster's pinset.
 *
 * Beyond the reference, as in Kubo: all `arg`s count, and all of them are checked before the first is acted on; arguments may
 * come in the body; `recursive=false`, `name` and `progress` are honoured. Pinning goes on when the client leaves.
 */
import { errorMessage } from '../../base/index.ts';
import { defaultPinOptions, type Pin, type PinMode } from '../../model/index.ts';
import { bodyArgs } from './body-args.ts';
import { ProxyError } from './errors.ts';
import { type Hijacked, sendJson } from './hijacked.ts';
import { booleanOption, textOption } from './options.ts';
import { type CheckedPath, checkPath } from './path.ts';
import { sendProgress } from './pin-wait.ts';
import { resolvePath } from './resolve.ts';

/** `pin/add`. */
export async function pinAdd(call: Hijacked): Promise<void> {
  const { query, cluster } = call;
  const options = { ...defaultPinOptions, mode: modeOf(query), name: textOption(query, 'name', 'n') ?? '' };
  const isProgressShown = booleanOption(query, false, 'progress');
  const paths = await checkedArgs(call);
  const pins: Pin[] = [];
  for (const { text } of paths) pins.push(await cluster.pinPath({ path: text, ...options }));
  if (isProgressShown) await sendProgress(call, pins);
  else sendPins(call, pins);
}

/** `pin/rm`. */
export async function pinRm(call: Hijacked): Promise<void> {
  const { query, cluster } = call;
  const isRecursive = booleanOption(query, true, 'recursive', 'r');
  const paths = await checkedArgs(call);
  // What certainly cannot be removed is refused before anything is.
  for (const { cid } of paths) {
    const pin = cid && cluster.pinGet(cid);
    if (!isRecursive && pin?.mode === 'recursive') throw new ProxyError(500, `${cid} is pinned recursively`);
  }
  const pins: Pin[] = [];
  for (const { text } of paths) pins.push(await cluster.unpinPath(text));
  sendPins(call, pins);
}

/** `pin/update`. */
export async function pinUpdate(call: Hijacked): Promise<void> {
  const [from, to] = call.args;
  if (from === undefined) throw missing('from-path');
  if (to === undefined) throw missing('to-path');
  const source = checkNamed(from, 'from-path');
  const target = checkNamed(to, 'to-path');
  const isUnpinned = booleanOption(call.query, true, 'unpin');
  const pinUpdate = await resolvePath(call, source);
  const pin = await call.cluster.pinPath({ path: target.text, ...defaultPinOptions, pinUpdate });
  // Moving a pin to where it is must not remove it.
  if (isUnpinned && !pin.cid.equals(pinUpdate)) await call.cluster.unpin(pinUpdate);
  sendPins(call, [{ cid: pinUpdate }, pin]);
}

function sendPins(call: Hijacked, pins: readonly Pick<Pin, 'cid'>[]): void {
  sendJson(call, 200, JSON.stringify({ Pins: pins.map(({ cid }) => cid.toString()) }));
}

/** All arguments, checked: of the query, then of the body. */
async function checkedArgs(call: Hijacked): Promise<CheckedPath[]> {
  const args = [...call.args, ...(await bodyArgs(call.request))];
  if (args.length === 0) throw missing('ipfs-path');
  return args.map((arg) => {
    try {
      return checkPath(arg);
    } catch (error) {
      throw new ProxyError(500, `Error parsing IPFS Path: ${errorMessage(error)}`, error);
    }
  });
}

function checkNamed(arg: string, name: string): CheckedPath {
  try {
    return checkPath(arg);
  } catch (error) {
    throw new ProxyError(500, `error parsing "${name}" argument: ${errorMessage(error)}`, error);
  }
}

function missing(name: string): ProxyError {
  return new ProxyError(400, `argument "${name}" is required`);
}

/** `type` is the reference's, `recursive` Kubo's. */
function modeOf(query: URLSearchParams): PinMode {
  const isRecursive = booleanOption(query, true, 'recursive', 'r');
  return query.get('type') === 'direct' || !isRecursive ? 'direct' : 'recursive';
}
