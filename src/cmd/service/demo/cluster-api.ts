/** The few calls that the demo makes to its peers. */

/** Between two questions for a state that is still coming. */
const pollMs = 100;
/**
 * Longer than a peer waits for a new leader. Without a limit, a call to the port of a dead peer can hang for ever: on
 * loopback a connection to a free port can happen to get that very port as its own and be connected to itself.
 */
const requestLimitMs = 30_000;

export interface PeerState {
  readonly peername: string;
  readonly status: string;
  readonly error: string;
}

interface GlobalPinInfo {
  readonly cid: string;
  readonly name: string;
  readonly peer_map: Readonly<Record<string, PeerState>>;
}

/** Pins by CID or path; resolves when the cluster has agreed on it. `options`: parameters of the API. */
export async function pin(
  apiUrl: string,
  cid: string,
  name: string,
  options: Readonly<Record<string, string>> = {},
): Promise<void> {
  const response = await fetch(`${apiUrl}/pins/${cid}?${new URLSearchParams({ ...options, name })}`, {
    method: 'POST',
    signal: AbortSignal.timeout(requestLimitMs),
  });
  if (!response.ok) throw new Error(`Cannot pin ${cid}: ${await response.text()}`);
  await response.body?.cancel();
}

export async function status(apiUrl: string, cid: string): Promise<readonly PeerState[]> {
  const response = await fetch(`${apiUrl}/pins/${cid}`, { signal: AbortSignal.timeout(requestLimitMs) });
  if (!response.ok) throw new Error(`Cannot read the status of ${cid}: ${await response.text()}`);
  return Object.values(((await response.json()) as GlobalPinInfo).peer_map);
}

/** CIDs in the pinset of one peer. */
export async function pinset(apiUrl: string): Promise<string[]> {
  return [...(await allocations(apiUrl)).keys()].sort();
}

/** The pinset of one peer: who is to hold what, by CID. Nobody by name means everybody. */
export async function allocations(apiUrl: string): Promise<Map<string, readonly string[]>> {
  const response = await fetch(`${apiUrl}/allocations`, { signal: AbortSignal.timeout(requestLimitMs) });
  const text = await response.text();
  if (!response.ok) throw new Error(`Cannot list the pinset of ${apiUrl}: ${text}`);
  const lines = text.split('\n').filter((line) => line !== '');
  return new Map(
    lines.map((line) => {
      const { cid, allocations } = JSON.parse(line) as { cid: string; allocations: readonly string[] | null };
      return [cid, allocations ?? []];
    }),
  );
}

/** When the latest valid metric of each peer ends, in nanoseconds; by the peer's id. */
export async function metrics(apiUrl: string, name: string): Promise<Map<string, number>> {
  const response = await fetch(`${apiUrl}/monitor/metrics/${name}`, { signal: AbortSignal.timeout(requestLimitMs) });
  if (!response.ok) throw new Error(`Cannot read the metrics "${name}": ${await response.text()}`);
  const found = (await response.json()) as readonly { readonly peer: string; readonly expire: number }[];
  return new Map(found.map(({ peer, expire }) => [peer, expire]));
}

/** Waits until `count` peers have the pin. Fails with what it saw last when `limitMs` have passed. */
export async function waitPinned(
  apiUrl: string,
  cid: string,
  count: number,
  limitMs: number,
): Promise<readonly PeerState[]> {
  return waitFor(
    () => status(apiUrl, cid),
    (peers) => peers.filter((peer) => peer.status === 'pinned').length >= count,
    (peers) => `${cid}: ${peers.map((peer) => `${peer.peername} ${peer.status} ${peer.error}`).join(', ')}`,
    limitMs,
  );
}

/** Asks until the answer is good; failed questions count as no answer. */
export async function waitFor<T>(
  ask: () => Promise<T>,
  isGood: (answer: T) => boolean,
  describe: (answer: T) => string,
  limitMs: number,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  let last = 'no answer';
  while (performance.now() < deadline) {
    try {
      const answer = await ask();
      if (isGood(answer)) return answer;
      last = describe(answer);
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  throw new Error(`Waited ${limitMs / 1000} s in vain; last seen: ${last}`);
}
