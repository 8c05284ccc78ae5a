/** The calls of the load and of the checks: each with a time limit, each with an outcome rather than an exception. */

/**
 * Longer than a peer waits for a new leader. Without a limit, a call into a frozen process would hang for as long as that is.
 */
const requestLimitMs = 30_000;

/**
 * `refused`: no peer was reached, or it said that there is nothing to remove; nothing can come of it. `unknown`: everything else
 * that is no success.
 */
export type Outcome =
  | { readonly type: 'done' }
  | { readonly type: 'refused'; readonly why: string }
  | { readonly type: 'unknown'; readonly why: string };

export function pin(apiUrl: string, cid: string, name: string): Promise<Outcome> {
  return write('POST', `${apiUrl}/pins/${cid}?name=${encodeURIComponent(name)}`);
}

export function unpin(apiUrl: string, cid: string): Promise<Outcome> {
  return write('DELETE', `${apiUrl}/pins/${cid}`);
}

async function write(method: string, url: string): Promise<Outcome> {
  try {
    const response = await fetch(url, { method, signal: AbortSignal.timeout(requestLimitMs) });
    const text = await response.text();
    if (response.ok) return { type: 'done' };
    return { type: response.status === 404 ? 'refused' : 'unknown', why: `${response.status} ${text.trim()}` };
  } catch (error) {
    const { code } = (error instanceof Error ? (error.cause ?? error) : {}) as { code?: string };
    if (code === 'ECONNREFUSED') return { type: 'refused', why: code };
    return { type: 'unknown', why: `${code ?? ''} ${String(error)}` };
  }
}

/** A peer's pinset: by CID the whole line that it lists. */
export async function pinset(apiUrl: string): Promise<Map<string, PinLine>> {
  const text = await (await get(`${apiUrl}/allocations`)).text();
  const lines = text.split('\n').filter((line) => line !== '');
  return new Map(
    lines.map((line) => {
      const { cid, name } = JSON.parse(line) as { cid: string; name: string };
      return [cid, { name, line }];
    }),
  );
}

export interface PinLine {
  readonly name: string;
  /** As listed. */
  readonly line: string;
}

/** CIDs that an IPFS node says it has pinned recursively. */
export async function ipfsPins(rpcUrl: string): Promise<Set<string>> {
  const response = await get(`${rpcUrl}/api/v0/pin/ls?type=recursive&stream=true`, 'POST');
  const lines = (await response.text()).split('\n').filter((line) => line !== '');
  return new Set(lines.map((line) => (JSON.parse(line) as { Cid: string }).Cid));
}

async function get(url: string, method = 'GET'): Promise<Response> {
  const response = await fetch(url, { method, signal: AbortSignal.timeout(requestLimitMs) });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response;
}
