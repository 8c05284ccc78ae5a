export type { TrackerIdentity } from './row.ts';
export { createPinTracker, type TrackerDeps, type TrackerOptions } from './tracker.ts';
