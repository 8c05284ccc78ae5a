/** How far waiting for a status is, in a line. */
import type { GlobalPinInfo } from '../../../model/index.ts';

/** A function that takes the last status, and says how far that is. `limit` as in `waitFor`; `clockMs` is monotonic. */
export function waitProgress(
  target: 'pinned' | 'unpinned',
  limit: number,
  clockMs: () => number,
): (info: GlobalPinInfo | undefined) => string {
  const begin = clockMs();
  return (info) => {
    const seconds = `${Math.round((clockMs() - begin) / 1000)}s`;
    if (info === undefined) return `waiting until it is ${target}, ${seconds}`;
    const counts = new Map<string, number>();
    for (const { status } of Object.values(info.peerMap)) counts.set(status, (counts.get(status) ?? 0) + 1);
    const peers = [...counts.values()].reduce((sum, count) => sum + count, 0);
    const ignored = target === 'pinned' ? (counts.get('remote') ?? 0) : 0;
    const wanted = limit > 0 ? Math.min(limit, peers) : peers - ignored;
    const others = [...counts].filter(([status]) => status !== target && status !== 'remote');
    const rest = others.map(([status, count]) => `, ${count} ${status}`).join('');
    return `${target} on ${counts.get(target) ?? 0} of ${wanted} peers${rest}, ${seconds}`;
  };
}
