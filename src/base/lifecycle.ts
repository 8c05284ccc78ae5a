/** Things that are started once and stopped once. */
export interface Startable {
  /** Resolves when the thing serves. Rejecting leaves nothing running. */
  start(): Promise<void>;
  /** Idempotent; resolves when nothing of the thing runs any more, within a bounded time. Never rejects for a peer that is gone. */
  stop(): Promise<void>;
}
