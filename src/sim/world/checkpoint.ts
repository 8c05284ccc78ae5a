/**
 * Runs all microtasks at once, without going through the event loop: halves the time of a history. It leaves the queue of
 * `process.nextTick` alone, and does nothing when it is called from a microtask.
 */
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';

/** Changes a flag of V8 for the whole process: not for programs of others. */
export function microtaskCheckpoint(): () => void {
  setFlagsFromString('--allow-natives-syntax');
  return runInThisContext('() => %PerformMicrotaskCheckpoint()');
}
